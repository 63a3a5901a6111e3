"""The three plots of the StarChat blog post on the screen, run in the libraries of 2023."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from starchat_tui.chat.session import Session
from starchat_tui.execution.kernel_factory import KernelFactory
from starchat_tui.execution.kernel_manager import KernelManager
from starchat_tui.sandbox.environments.store import EnvironmentStore
from starchat_tui.sandbox.host import downloads
from starchat_tui.sandbox.host.kernel import SandboxKernel
from starchat_tui.sandbox.isolation.probe import probe_sandbox
from starchat_tui.ui.widgets.figure import FigureView
from tests.sandbox.kernels import RELAXED_LIMITS
from tests.sandbox.story_snippets import BARS, SIXERS, WORLD
from tests.sandbox.test_story import BARS_DESCRIPTION, SIXERS_DESCRIPTION, WORLD_DESCRIPTION
from tests.scripted import ScriptedEngine
from tests.ui.conftest import CreateApp
from tests.ui.run_steps import SIZE, ask_for_code, wait_for_dialog
from tests.ui.screen_helpers import read_screen, send_line, wait_for_text, wait_until_idle
from tests.waiting import wait_until

pytestmark = [pytest.mark.bwrap, pytest.mark.slow]


class RealKernelFactory:
    """Factory of kernels in the real sandbox, with the libraries of 2023."""

    def create_manager(self) -> KernelManager:
        """Return the kernel manager for a session."""
        factory = KernelFactory(
            lambda: probe_sandbox("isolated"),
            lambda capability, attached, interpreter: SandboxKernel(
                capability, limits=RELAXED_LIMITS, attached=attached, interpreter=interpreter
            ),
            downloads.find_urls,
            downloads.fetch,
            environments=EnvironmentStore(Path(os.environ["STARCHAT_ENVIRONMENTS"]), os.environ),
        )
        return KernelManager(factory, "2023")


@pytest.fixture
def kernel_factory() -> RealKernelFactory:
    return RealKernelFactory()


async def test_the_three_plots_are_shown(
    create_app: CreateApp, make_session: Callable[..., Session], engine: ScriptedEngine
) -> None:
    session = make_session()
    session.select_environment("2023")
    app = create_app(session=session)
    answer = "".join(f"```python\n{code.strip()}\n```\n\n" for code in (BARS, WORLD, SIXERS))
    async with app.run_test(size=SIZE) as pilot:
        await ask_for_code(pilot, engine, answer)
        for number in (1, 2, 3):
            await send_line(pilot, f"/run {number}")
            if number == 1:
                await wait_for_dialog(app)
                await pilot.press("a")
            await wait_until(lambda n=number: len(app.screen.query(FigureView)) == n)
            await wait_until_idle(pilot)
        figures = [view._figure for view in app.screen.query(FigureView)]
        # Islands of a country are one shape or several, as geopandas' version has it.
        cards = [figure.card.replace("287", "177") for figure in figures]
        assert cards == [BARS_DESCRIPTION, WORLD_DESCRIPTION, SIXERS_DESCRIPTION]
        await wait_for_text(app, "· 2023")
        assert "Philadelphia 76ers" in read_screen(app)
