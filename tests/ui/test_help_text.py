from __future__ import annotations

from starchat_tui.ui.app import StarChatApp
from tests.ui.screen_helpers import read_screen


async def test_help_lists_the_keys_and_the_commands(app: StarChatApp) -> None:
    async with app.run_test(size=(110, 90)) as pilot:
        await pilot.press("f1")
        screen = read_screen(app)
        for word in ("Ctrl+J", "F2", "Alt+Y", "/save n FILE", "/mode [chat|ta]", "//…"):
            assert word in screen
        await pilot.press("f1")
        assert len(app.screen_stack) == 1
