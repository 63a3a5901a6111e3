"""Answers to the same question: reached by keys and clicks, kept, and continued."""

from __future__ import annotations

from starchat_tui.chat.session import Session
from starchat_tui.ui.app import StarChatApp
from starchat_tui.ui.widgets.sibling_bar import SiblingArrow, SiblingBar
from tests.scripted import ScriptedEngine
from tests.ui.screen_helpers import read_screen, send_line, wait_for_text, wait_until_idle
from tests.waiting import wait_until


async def test_earlier_answers_are_shown_by_keys_and_clicks(
    app: StarChatApp, engine: ScriptedEngine, session: Session
) -> None:
    async with app.run_test(size=(80, 40)) as pilot:
        engine.enqueue("first answer")
        await send_line(pilot, "q")
        await wait_until_idle(pilot)
        assert not app.query(SiblingBar)
        for text in ("second answer", "third answer"):
            engine.enqueue(text)
            await pilot.press("ctrl+r")
            await wait_for_text(app, text)
            await wait_until_idle(pilot)
        await wait_for_text(app, "3/3")
        await pilot.press("alt+left")
        await wait_for_text(app, "2/3")
        await wait_until(lambda: "third answer" not in read_screen(app))
        assert "second answer" in read_screen(app)
        await pilot.click(app.query(SiblingArrow).first())
        await wait_for_text(app, "1/3")
        assert session.turns[-1].turn.text == "first answer"
        await pilot.press("alt+left")
        await wait_for_text(app, "name one from 1 to 3")
        await pilot.press("escape")
        engine.enqueue("go on from the first")
        await send_line(pilot, "and then?")
        await wait_until_idle(pilot)
        await pilot.press("alt+right")
        await wait_for_text(app, "2/3")
        await wait_until(lambda: "go on from the first" not in read_screen(app))
        await send_line(pilot, "/answer 1")
        await wait_for_text(app, "go on from the first")


async def test_a_conversation_without_siblings_says_so(
    app: StarChatApp, engine: ScriptedEngine
) -> None:
    async with app.run_test(size=(80, 40)) as pilot:
        engine.enqueue("only")
        await send_line(pilot, "q")
        await wait_until_idle(pilot)
        await pilot.press("alt+right")
        await wait_for_text(app, "There is no other answer")
