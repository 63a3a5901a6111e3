from __future__ import annotations

from starchat_tui.ui.app import StarChatApp
from starchat_tui.ui.screens.consent_dialog import ConsentDialog
from starchat_tui.ui.widgets.figure import CellImage
from tests.scripted import DRAWN, ScriptedEngine, ScriptedKernelFactory
from tests.ui.run_steps import SIZE, ask_for_code, wait_for_dialog
from tests.ui.screen_helpers import read_screen, wait_for_text, wait_until_idle
from tests.waiting import wait_until


async def test_the_first_run_asks_and_shows_the_code(
    app: StarChatApp, engine: ScriptedEngine, kernel_factory: ScriptedKernelFactory
) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await ask_for_code(pilot, engine)
        await pilot.press("alt+r")
        await wait_for_dialog(app)
        await wait_for_text(app, "Run this code?")
        assert "plot()" in read_screen(app)
        assert "bubblewrap" in read_screen(app)
        assert not kernel_factory.kernels or not kernel_factory.kernel.codes, (
            "nothing ran before the yes"
        )
        kernel_factory.enqueue("42\n", DRAWN)
        await pilot.press("enter")
        await wait_until_idle(pilot)
        await wait_for_text(app, "42")
        await wait_for_text(app, "ran · 0.4 s · isolated")
        await wait_for_text(app, "axes 1: 'Bars'")
        assert kernel_factory.kernel.codes == ["plot()"]
        assert app.query_one(CellImage).size.height >= 1
        await pilot.press("alt+r")
        await wait_for_dialog(app)
        await pilot.press("escape")
        await wait_until_idle(pilot)
        assert kernel_factory.kernel.codes == ["plot()"]


async def test_invisible_characters_are_shown_before_each_run(
    app: StarChatApp, engine: ScriptedEngine, kernel_factory: ScriptedKernelFactory
) -> None:
    answer = "```python\nok = 'a\u202eb'\n```"
    async with app.run_test(size=SIZE) as pilot:
        await ask_for_code(pilot, engine, answer)
        assert app._session.kernel_manager is not None
        await app._session.kernel_manager.probe_sandbox()
        app._session.permission = "always"
        for _ in range(2):
            kernel_factory.enqueue("ran")
            await pilot.press("alt+r")
            await wait_for_dialog(app)
            await wait_for_text(app, "invisible characters")
            assert "<U+202E>" in read_screen(app)
            await pilot.press("enter")
            await wait_until_idle(pilot)
        assert kernel_factory.kernel.codes == ["ok = 'a\u202eb'"] * 2


async def test_the_end_of_a_long_line_is_shown_before_the_yes(
    app: StarChatApp, engine: ScriptedEngine, kernel_factory: ScriptedKernelFactory
) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await ask_for_code(pilot, engine, f"```python\nx = 1{' ' * 300}; steal()\n```")
        await pilot.press("alt+r")
        await wait_for_dialog(app)
        await wait_for_text(app, "steal()")
        assert isinstance(app.screen, ConsentDialog)
        await pilot.press("escape")
        await wait_until(lambda: not isinstance(app.screen, ConsentDialog))
        assert not kernel_factory.kernels


async def test_addresses_are_fetched_only_with_consent(
    app: StarChatApp, engine: ScriptedEngine, kernel_factory: ScriptedKernelFactory
) -> None:
    url = "https://data.example/a.csv"
    kernel_factory.urls = (url,)
    async with app.run_test(size=SIZE) as pilot:
        await ask_for_code(pilot, engine, f"```python\nread('{url}')\n```")
        for pressed, expected in ((["enter"], 0), (["d", "enter"], 1)):
            kernel_factory.enqueue("ran")
            await pilot.press("alt+r")
            await wait_for_dialog(app)
            await wait_for_text(app, "download from data.example for this run")
            await pilot.press(*pressed)
            await wait_until_idle(pilot)
            downloads = kernel_factory.kernel.downloads[-1]
            assert [one.url for one in downloads] == [url] * expected
