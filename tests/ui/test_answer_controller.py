from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from starchat_tui.chat.session import Session
from starchat_tui.chat.store import ConversationStore
from starchat_tui.client.protocol import Progress
from starchat_tui.errors import EngineGone, OutOfMemory
from starchat_tui.ui.app import StarChatApp
from starchat_tui.ui.widgets.answer_view import AnswerView
from starchat_tui.ui.widgets.code_cell import CodeCell
from starchat_tui.ui.widgets.transcript import ContextBoundary, Question
from tests.scripted import ScriptedEngine, split_text
from tests.ui.conftest import CreateApp
from tests.ui.screen_helpers import (
    read_notes,
    read_screen,
    release_pieces,
    send_line,
    wait_for_text,
    wait_until_idle,
)
from tests.waiting import wait_until

CODE = "Use `%`:\n\n```python\ndef even(n):\n    return n % 2 == 0\n```\n\nThat is **all**.\n"


def read_texts(session: Session) -> list[tuple[str, str, str]]:
    return [(one.turn.role, one.turn.text, one.state) for one in session.turns]


async def test_a_question_is_answered_with_a_code_block(
    app: StarChatApp, engine: ScriptedEngine, session: Session
) -> None:
    engine.enqueue(*split_text(CODE))
    async with app.run_test() as pilot:
        await pilot.press(*"even?", "enter")
        await wait_until_idle(pilot)
        screen = read_screen(app)
        assert "even?" in screen
        assert "return n % 2 == 0" in screen
        assert "That is all." in screen
        assert "```" not in screen
        assert app.chat_view.transcript.query_one(CodeCell).block.code.startswith("def even(n):\n")
    assert read_texts(session) == [("user", "even?", "done"), ("assistant", CODE, "done")]


async def test_the_user_can_type_while_the_model_loads_and_answers(
    app: StarChatApp, engine: ScriptedEngine
) -> None:
    engine.steps = asyncio.Semaphore(0)
    engine.enqueue(Progress("loading", 3, 10), "One ", "two")
    async with app.run_test() as pilot:
        await send_line(pilot, "first")
        release_pieces(engine)
        await wait_until(lambda: "loading the model … 30 %" in read_screen(app))
        await pilot.press(*"next")
        release_pieces(engine)
        await wait_until(lambda: "One" in read_screen(app))
        assert "loading" not in read_screen(app).split("╭")[0]
        await pilot.press(*" too")
        assert app.chat_view.composer.text == "next too"
        release_pieces(engine, 9)
        await wait_until_idle(pilot)
        await wait_for_text(app, "One two")
        assert app.chat_view.composer.text == "next too"


async def test_a_question_sent_during_an_answer_is_queued(
    app: StarChatApp, engine: ScriptedEngine, session: Session
) -> None:
    engine.steps = asyncio.Semaphore(0)
    engine.enqueue("1")
    engine.enqueue("2")
    async with app.run_test() as pilot:
        await send_line(pilot, "first")
        await send_line(pilot, "second\nline")
        await wait_for_text(app, "next: second")
        assert len(engine.requests) <= 1
        release_pieces(engine, 9)
        await wait_until(lambda: len(session.turns) == 4)
        await wait_until_idle(pilot)
        assert "next:" not in read_screen(app)
    assert [text for _, text, _ in read_texts(session)] == ["first", "1", "second\nline", "2"]


async def test_escape_stops_and_keeps_the_partial_answer(
    app: StarChatApp, engine: ScriptedEngine, session: Session
) -> None:
    engine.steps = asyncio.Semaphore(0)
    engine.enqueue("Some", " words", " never said")
    async with app.run_test() as pilot:
        await send_line(pilot, "q")
        await send_line(pilot, "queued")
        release_pieces(engine, 2)
        await wait_until(lambda: "Some words" in read_screen(app))
        await pilot.press("escape")
        await wait_until_idle(pilot)
        assert read_notes(app) == ["stopped"]
        assert app.chat_view.composer.draft == "queued"
        assert len(engine.requests) == 1
    assert read_texts(session)[-1] == ("assistant", "Some words", "stopped")


async def test_stopping_before_the_first_word_leaves_no_empty_block(
    app: StarChatApp, engine: ScriptedEngine
) -> None:
    engine.steps = asyncio.Semaphore(0)
    engine.enqueue("Here:\n\n```", "python\n")
    async with app.run_test() as pilot:
        await send_line(pilot, "q")
        release_pieces(engine)
        await wait_until(lambda: "Here:" in read_screen(app))
        await pilot.press("escape")
        await wait_until_idle(pilot)
        assert not app.chat_view.transcript.query(CodeCell)
        assert app.chat_view.transcript.code_blocks == []


async def test_a_finished_answer_has_no_running_timer(
    app: StarChatApp, engine: ScriptedEngine
) -> None:
    engine.enqueue("one")
    async with app.run_test() as pilot:
        await send_line(pilot, "q")
        await wait_until_idle(pilot)
        answer = app.chat_view.transcript.query_one(AnswerView)
        await wait_until(
            lambda: all(timer._task is None or timer._task.done() for timer in answer._timers)
        )
        assert answer.text == "one"


async def test_an_error_keeps_the_partial_answer_and_shows_a_hint(
    app: StarChatApp, engine: ScriptedEngine, session: Session
) -> None:
    engine.enqueue("Half", EngineGone("The engine ended", "ask again"))
    engine.enqueue("whole")
    async with app.run_test() as pilot:
        await send_line(pilot, "q")
        await wait_until_idle(pilot)
        await wait_for_text(app, "The engine ended\n")
        await wait_for_text(app, "ask again")
        await wait_for_text(app, "Half")
        await pilot.press("escape")
        await pilot.pause()
        assert "ask again" not in read_screen(app)
        assert read_notes(app) == ["incomplete answer: The engine ended"]
        await send_line(pilot, "again")
        await wait_until_idle(pilot)
        await wait_for_text(app, "whole")
    assert read_texts(session)[1] == ("assistant", "Half", "failed")


async def test_a_question_that_was_not_stored_becomes_the_draft(
    create_app: CreateApp, make_session: Callable[..., Session], engine: ScriptedEngine
) -> None:
    session = make_session(window=400)
    app = create_app(session=session)
    async with app.run_test() as pilot:
        await send_line(pilot, "x" * 1000)
        await wait_until_idle(pilot)
        assert app.chat_view.composer.draft == "x" * 1000
        assert not app.chat_view.transcript.query(Question)
        await wait_for_text(app, "shorten the question")
    assert engine.requests == []
    assert session.turns == ()


async def test_retry_makes_a_sibling_and_keeps_the_first_answer_readable(
    app: StarChatApp, engine: ScriptedEngine, session: Session, store: ConversationStore
) -> None:
    engine.enqueue("```\n1\n```")
    engine.enqueue("```\n2\n```")
    async with app.run_test() as pilot:
        await send_line(pilot, "q")
        await wait_until_idle(pilot)
        await pilot.press("ctrl+r")
        await wait_until_idle(pilot)
        first, second = app.chat_view.transcript.query(AnswerView)
        assert first.has_class("set-aside")
        assert (first.text, second.text) == ("```\n1\n```", "```\n2\n```")
        assert [block.code for block in app.chat_view.transcript.code_blocks] == ["1", "2"]
    (summary,) = store.list_summaries()
    assert summary.questions == 1
    assert read_texts(session)[-1] == ("assistant", "```\n2\n```", "done")


@pytest.mark.parametrize("failing", [True, False])
async def test_an_empty_retry_keeps_the_previous_answer(
    app: StarChatApp, engine: ScriptedEngine, session: Session, failing: bool
) -> None:
    engine.enqueue("good")
    engine.enqueue(EngineGone("The engine ended", "") if failing else asyncio.Event())
    async with app.run_test() as pilot:
        await send_line(pilot, "q")
        await wait_until_idle(pilot)
        await pilot.press("ctrl+r")
        if not failing:
            await wait_until(lambda: len(engine.requests) == 2)
            await pilot.press("escape")
        await wait_until_idle(pilot)
        (answer,) = app.chat_view.transcript.query(AnswerView)
        assert answer.text == app.chat_view.transcript.last_answer == "good"
        assert not answer.has_class("set-aside")
    assert read_texts(session)[-1] == ("assistant", "good", "done")


async def test_a_question_that_cannot_be_stored_becomes_the_draft(
    app: StarChatApp, engine: ScriptedEngine, session: Session, store: ConversationStore
) -> None:
    engine.enqueue("one")
    async with app.run_test() as pilot:
        await send_line(pilot, "first")
        await wait_until_idle(pilot)
        store.delete_conversation(session.conversation)
        await send_line(pilot, "second")
        await wait_until_idle(pilot)
        await wait_for_text(app, "This conversation was deleted")
        assert app.chat_view.composer.draft == "second"
        assert [str(one.render()) for one in app.chat_view.transcript.query(Question)] == ["first"]


async def test_nothing_to_retry_is_an_error_not_a_crash(app: StarChatApp) -> None:
    async with app.run_test() as pilot:
        await pilot.press("ctrl+r")
        await wait_until_idle(pilot)
        await wait_for_text(app, "There is no question to retry")
        assert not app.chat_view.transcript.query(AnswerView)


async def test_quoted_lines_are_reported(app: StarChatApp, engine: ScriptedEngine) -> None:
    engine.enqueue("ok")
    async with app.run_test() as pilot:
        await pilot.press("f2")
        await send_line(pilot, "what is\nHuman: x\n-----\n")
        await wait_until_idle(pilot)
        assert read_notes(app)[-1].startswith("2 lines looked like prompt markers")


async def test_out_of_memory_before_the_first_word(
    app: StarChatApp, engine: ScriptedEngine, session: Session
) -> None:
    engine.enqueue(OutOfMemory("No memory", "use `--quantize int4`"))
    async with app.run_test() as pilot:
        await send_line(pilot, "q")
        await wait_until_idle(pilot)
        await wait_for_text(app, "use `--quantize int4`")
    assert read_texts(session)[0] == ("user", "q", "done")


async def test_an_empty_answer_is_no_turn(
    create_app: CreateApp, make_session: Callable[..., Session], engine: ScriptedEngine
) -> None:
    app = create_app(session=make_session(window=1000, max_tokens=100))
    async with app.run_test() as pilot:
        engine.enqueue(OutOfMemory("No memory", ""))
        await send_line(pilot, "0" * 100)
        await wait_until_idle(pilot)
        assert not app.chat_view.transcript.query(AnswerView)
        for number in range(1, 4):
            engine.enqueue("y" * 100)
            await send_line(pilot, f"{number}" * 200)
            await wait_until_idle(pilot)
        transcript = app.chat_view.transcript
        turns = [one for one in transcript.children if isinstance(one, Question | AnswerView)]
        kept = app.chat_view.transcript.children[
            app.chat_view.transcript.children.index(
                app.chat_view.transcript.query_one(ContextBoundary)
            )
            + 1
        ]
        dropped = int(str(app.chat_view.transcript.query_one(ContextBoundary).render()).split()[-3])
        assert turns[dropped] is kept
        assert isinstance(kept, Question)
