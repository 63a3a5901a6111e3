from __future__ import annotations

import pytest
from textual.widgets import Input

from starchat_tui.chat.session import Session
from starchat_tui.ui.app import StarChatApp
from starchat_tui.ui.screens.library import format_age
from tests.scripted import ScriptedEngine
from tests.ui.screen_helpers import read_screen, send_line, wait_for_text, wait_until_idle


async def test_the_library_searches_the_text_of_conversations(
    app: StarChatApp, engine: ScriptedEngine, session: Session
) -> None:
    async with app.run_test(size=(100, 30)) as pilot:
        for question, answer in (("sorting", "use sorted()"), ("files \x1b[2J", "use open()")):
            engine.enqueue(answer)
            session.start_conversation()
            await send_line(pilot, question)
            await wait_until_idle(pilot)
        await pilot.press("ctrl+n")
        await wait_until_idle(pilot)
        await send_line(pilot, "/resume sorted")
        await pilot.pause()
        assert app.screen.query_one(Input).value == "sorted"
        await wait_for_text(app, "sorting")
        assert "files" not in read_screen(app)
        await pilot.press("ctrl+u", "down", "down", "up")
        await wait_for_text(app, "files ␛[2J")
        await pilot.press("enter")
        await wait_until_idle(pilot)
    assert session.title.startswith(("sorting", "files"))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(5, "just now"), (60, "1 minute ago"), (7300, "2 hours ago"), (86400 * 3, "3 days ago")],
)
def test_an_age_is_given_in_its_largest_unit(seconds: float, words: str) -> None:
    assert format_age(seconds) == words
