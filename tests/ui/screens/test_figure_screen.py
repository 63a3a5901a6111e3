from __future__ import annotations

import stat
from pathlib import Path

from starchat_tui.ui.app import StarChatApp
from starchat_tui.ui.screens.figure_screen import FigureScreen
from starchat_tui.ui.widgets.figure import FigureView
from tests.scripted import DRAWN, ScriptedEngine, ScriptedKernelFactory
from tests.ui.run_steps import ask_for_code, wait_for_dialog
from tests.ui.screen_helpers import wait_until_idle
from tests.waiting import wait_until


def read_notice(app: StarChatApp) -> str:
    """The notice on the screen."""
    return "".join(one.message for one in app._notifications)


async def test_a_plot_is_enlarged_and_saved(
    app: StarChatApp,
    engine: ScriptedEngine,
    kernel_factory: ScriptedKernelFactory,
    history_file: Path,
) -> None:
    async with app.run_test(size=(110, 44)) as pilot:
        await ask_for_code(pilot, engine)
        kernel_factory.enqueue(DRAWN)
        await pilot.press("alt+r")
        await wait_for_dialog(app)
        await pilot.press("enter")
        await wait_until_idle(pilot)
        view = app.query_one(FigureView)
        view.focus()
        await pilot.press("enter")
        assert isinstance(app.screen, FigureScreen)
        await pilot.press("escape")
        await pilot.pause()
        await pilot.press("s")
        folder = history_file.with_name("plots") / app._session.conversation
        await wait_until(lambda: folder.exists() and list(folder.iterdir()))
        (saved,) = folder.iterdir()
        assert saved.name == "1-go.png"
        assert saved.read_bytes() == DRAWN.png
        assert stat.S_IMODE(saved.stat().st_mode) == 0o600
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert read_notice(app) == f"Saved {saved}"
        await pilot.press("o")
        await wait_until(lambda: "no desktop" in read_notice(app))
        assert app.chat_view.composer.text == "", "what a plot takes is not typed"
        assert {path.name for path in folder.iterdir()} == {"1-go.png", "2-go.png"}
