from __future__ import annotations

from starchat_tui.ui.app import StarChatApp
from tests.ui.screen_helpers import send_line, wait_for_text


async def test_themes_are_chosen_by_key_and_by_name(app: StarChatApp) -> None:
    async with app.run_test() as pilot:
        assert app.theme == "starchat-dark"
        await pilot.press("ctrl+t")
        assert app.theme == "starchat-light"
        await send_line(pilot, "/theme nord")
        assert app.theme == "nord"
        await send_line(pilot, "/theme")
        assert app.theme == "starchat-light"
        await send_line(pilot, "/theme no-such")
        await wait_for_text(app, "There is no theme `no-such`")
        assert app.theme == "starchat-light"
