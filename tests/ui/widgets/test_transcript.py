from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from textual import events

from starchat_tui.chat.session import Session
from starchat_tui.errors import EngineGone
from starchat_tui.ui.app import StarChatApp
from starchat_tui.ui.widgets.code_cell import CodeCell
from starchat_tui.ui.widgets.transcript import ContextBoundary, EarlierTurns, Question
from tests.scripted import ScriptedEngine
from tests.ui.conftest import CreateApp
from tests.ui.screen_helpers import read_notes, send_line, wait_for_text, wait_until_idle
from tests.waiting import wait_until


async def test_page_keys_scroll_the_conversation_while_typing(
    app: StarChatApp, engine: ScriptedEngine
) -> None:
    engine.enqueue("\n\n".join(f"line {number}" for number in range(80)))
    async with app.run_test() as pilot:
        await send_line(pilot, "q")
        await wait_until_idle(pilot)
        transcript = app.chat_view.transcript
        await wait_until(lambda: transcript.scroll_y > 0)
        bottom = transcript.scroll_y
        await pilot.press(*"draft")
        await pilot.press("pageup")
        await wait_until(lambda: transcript.scroll_y < bottom)
        above = transcript.scroll_y
        await pilot.press("pagedown")
        await wait_until(lambda: transcript.scroll_y > above)
        assert app.focused is app.chat_view.composer


async def test_turns_outside_the_window_are_marked(
    create_app: CreateApp, make_session: Callable[..., Session], engine: ScriptedEngine
) -> None:
    app = create_app(session=make_session(window=1000, max_tokens=100))
    async with app.run_test() as pilot:
        for number in range(4):
            engine.enqueue("y" * 100)
            await send_line(pilot, f"{number}" * 200)
            await wait_until_idle(pilot)
        unseen = app.chat_view.transcript.query_one(ContextBoundary)
        marked = [child for child in app.chat_view.transcript.children if child is not unseen]
        above = app.chat_view.transcript.children.index(unseen)
        assert str(unseen.render()) == f"the model no longer sees the {above} turns above"
        assert 0 < above < len(marked)
        assert len(app.chat_view.transcript.query(ContextBoundary)) == 1


async def test_a_long_conversation_is_mounted_from_its_end(
    create_app: CreateApp,
    session: Session,
    engine: ScriptedEngine,
    make_session: Callable[..., Session],
) -> None:
    for number in range(30):
        engine.enqueue(f"```\nblock {number}\n```")
        async for _ in session.ask(f"question {number}"):
            pass
    resumed = make_session()
    resumed.resume("last")
    app = create_app(session=resumed)
    async with app.run_test() as pilot:
        await wait_until_idle(pilot)
        transcript = app.chat_view.transcript
        assert str(transcript.query(Question).first().render()) == "question 20"
        await wait_for_text(app, "block 29")
        await wait_for_text(app, "copy 30")
        assert str(transcript.query_one(EarlierTurns).render()) == "↑ load 40 earlier turns"
        transcript.scroll_home(animate=False)
        await pilot.pause()
        # Two clicks: the second one comes while the page is being mounted.
        await pilot.click(EarlierTurns, times=2)
        await wait_until_idle(pilot)
        assert str(transcript.query_one(EarlierTurns).render()) == "↑ load 20 earlier turns"
        transcript.scroll_home(animate=False)
        await pilot.press("pageup")
        await wait_until_idle(pilot)
        assert not transcript.query(EarlierTurns)
        questions = [str(one.render()) for one in transcript.query(Question)]
        assert questions == [f"question {number}" for number in range(30)]
        assert [cell.number for cell in transcript.query(CodeCell)] == list(range(1, 31))
        assert [block.code for block in transcript.code_blocks] == [
            f"block {number}" for number in range(30)
        ]


async def test_a_resumed_conversation_marks_incomplete_answers(
    create_app: CreateApp,
    session: Session,
    engine: ScriptedEngine,
    make_session: Callable[..., Session],
) -> None:
    engine.enqueue("half", EngineGone("gone", ""))
    engine.enqueue("whole")
    for question in ("one", "two"):
        async for _ in session.ask(question):
            pass
    resumed = make_session()
    resumed.resume("last")
    app = create_app(session=resumed)
    async with app.run_test() as pilot:
        await wait_until_idle(pilot)
        assert read_notes(app) == ["incomplete answer"]
        await wait_for_text(app, "whole")


async def ask_many(session: Session, engine: ScriptedEngine, count: int) -> None:
    for number in range(count):
        engine.enqueue(f"answer {number}")
        async for _ in session.ask(f"question {number}"):
            pass


@pytest.mark.parametrize("ending", ["ctrl+end", "pagedown", "another conversation"])
async def test_the_loading_of_a_long_conversation_can_be_ended(
    ending: str,
    create_app: CreateApp,
    session: Session,
    engine: ScriptedEngine,
    make_session: Callable[..., Session],
) -> None:
    await ask_many(session, engine, 60)
    resumed = make_session()
    resumed.resume("last")
    app = create_app(session=resumed)
    async with app.run_test() as pilot:
        await wait_until_idle(pilot)
        transcript = app.chat_view.transcript
        app.action_end(-1)
        if ending == "another conversation":
            app.conversations.start_new()
        else:
            await pilot.press(ending)
        await wait_until_idle(pilot)
        assert not transcript.loads_all or not transcript.query(Question)
        assert len(transcript.query(Question)) < 60
        questions = [str(one.render()) for one in transcript.query(Question)]
        first = 60 - len(questions)
        assert questions == [f"question {number}" for number in range(first, 60)]


async def test_a_page_does_not_land_in_another_conversation(
    create_app: CreateApp,
    session: Session,
    engine: ScriptedEngine,
    make_session: Callable[..., Session],
) -> None:
    await ask_many(session, engine, 30)
    resumed = make_session()
    resumed.resume("last")
    app = create_app(session=resumed)
    async with app.run_test() as pilot:
        await wait_until_idle(pilot)
        transcript = app.chat_view.transcript
        async with transcript.lock:
            # Both wait for the lock, the new conversation first.
            app.conversations.start_new()
            await asyncio.sleep(0.05)
            loading = asyncio.create_task(transcript.show_earlier_turns())
            await asyncio.sleep(0.05)
        await loading
        await wait_until_idle(pilot)
        assert not transcript.query(Question)
        assert app._exception is None


@pytest.mark.parametrize("key", ["ctrl+home", "wheel"])
async def test_the_top_loads_what_lies_above(
    key: str,
    create_app: CreateApp,
    session: Session,
    engine: ScriptedEngine,
    make_session: Callable[..., Session],
) -> None:
    await ask_many(session, engine, 30)
    resumed = make_session()
    resumed.resume("last")
    app = create_app(session=resumed)
    async with app.run_test() as pilot:
        await wait_until_idle(pilot)
        transcript = app.chat_view.transcript
        if key == "ctrl+home":
            await pilot.press(key)
        for _ in range(0 if key == "ctrl+home" else 3):
            transcript.scroll_home(animate=False)
            await pilot.pause()
            event = events.MouseScrollUp(transcript, 5, 5, 0, 0, 0, False, False, False, 5, 5)
            transcript.post_message(event)
            await pilot.pause()
            await wait_until_idle(pilot)
        await wait_until(lambda: not transcript.has_earlier_turns)
        assert len(transcript.query(Question)) == 30
        await wait_until(lambda: key == "wheel" or transcript.scroll_y == 0)
