from __future__ import annotations

import asyncio
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from starchat_tui.chat.session import Session
from starchat_tui.chat.store import ConversationStore
from starchat_tui.client.protocol import Progress
from starchat_tui.errors import EngineGone, OutOfMemory
from starchat_tui.ui.app import StarChatApp
from starchat_tui.ui.widgets.answer_view import AnswerView
from starchat_tui.ui.widgets.code_cell import CodeCell
from starchat_tui.ui.widgets.transcript import ContextBoundary, EarlierTurns, Question
from starchat_tui.ui.widgets.welcome import Welcome
from tests.scripted import ScriptedEngine, split_text
from tests.ui.conftest import Make
from tests.ui.looking import go_on, notes, sees, send, settled, shown
from tests.waiting import wait_until

CODE = "Use `%`:\n\n```python\ndef even(n):\n    return n % 2 == 0\n```\n\nThat is **all**.\n"


def texts(session: Session) -> list[tuple[str, str, str]]:
    return [(one.turn.role, one.turn.text, one.state) for one in session.turns]


async def test_a_question_is_answered_with_a_code_block(
    app: StarChatApp, engine: ScriptedEngine, session: Session
) -> None:
    engine.enqueue(*split_text(CODE))
    async with app.run_test() as pilot:
        await pilot.press(*"even?", "enter")
        await settled(pilot)
        screen = shown(app)
        assert "even?" in screen
        assert "return n % 2 == 0" in screen
        assert "That is all." in screen
        assert "```" not in screen
        assert app.chat_view.transcript.query_one(CodeCell).block.code.startswith("def even(n):\n")
    assert texts(session) == [("user", "even?", "done"), ("assistant", CODE, "done")]


async def test_one_may_type_while_the_model_loads_and_answers(
    app: StarChatApp, engine: ScriptedEngine
) -> None:
    engine.steps = asyncio.Semaphore(0)
    engine.enqueue(Progress("loading", 3, 10), "One ", "two")
    async with app.run_test() as pilot:
        await send(pilot, "first")
        go_on(engine)
        await wait_until(lambda: "loading the model … 30 %" in shown(app))
        await pilot.press(*"next")
        go_on(engine)
        await wait_until(lambda: "One" in shown(app))
        assert "loading" not in shown(app).split("╭")[0]
        await pilot.press(*" too")
        assert app.chat_view.composer.text == "next too"
        go_on(engine, 9)
        await settled(pilot)
        await sees(app, "One two")
        assert app.chat_view.composer.text == "next too"


async def test_a_question_sent_meanwhile_waits_its_turn(
    app: StarChatApp, engine: ScriptedEngine, session: Session
) -> None:
    engine.steps = asyncio.Semaphore(0)
    engine.enqueue("1")
    engine.enqueue("2")
    async with app.run_test() as pilot:
        await send(pilot, "first")
        await send(pilot, "second\nline")
        await sees(app, "next: second")
        assert len(engine.requests) <= 1
        go_on(engine, 9)
        await wait_until(lambda: len(session.turns) == 4)
        await settled(pilot)
        assert "next:" not in shown(app)
    assert [text for _, text, _ in texts(session)] == ["first", "1", "second\nline", "2"]


async def test_escape_stops_and_keeps_the_partial_answer(
    app: StarChatApp, engine: ScriptedEngine, session: Session
) -> None:
    engine.steps = asyncio.Semaphore(0)
    engine.enqueue("Some", " words", " never said")
    async with app.run_test() as pilot:
        await send(pilot, "q")
        await send(pilot, "queued")
        go_on(engine, 2)
        await wait_until(lambda: "Some words" in shown(app))
        await pilot.press("escape")
        await settled(pilot)
        assert notes(app) == ["stopped"]
        assert app.chat_view.composer.draft == "queued"
        assert len(engine.requests) == 1
    assert texts(session)[-1] == ("assistant", "Some words", "stopped")


async def test_stopping_before_the_first_word_leaves_no_empty_block(
    app: StarChatApp, engine: ScriptedEngine
) -> None:
    engine.steps = asyncio.Semaphore(0)
    engine.enqueue("Here:\n\n```", "python\n")
    async with app.run_test() as pilot:
        await send(pilot, "q")
        go_on(engine)
        await wait_until(lambda: "Here:" in shown(app))
        await pilot.press("escape")
        await settled(pilot)
        assert not app.chat_view.transcript.query(CodeCell)
        assert app.chat_view.transcript.code_blocks == []


async def test_control_c_stops_then_clears_then_asks_then_leaves(
    make: Make, engine: ScriptedEngine
) -> None:
    now = [1000.0]
    app = make(clock=lambda: now[0])
    engine.steps = asyncio.Semaphore(0)
    engine.enqueue("a", "b")
    async with app.run_test() as pilot:
        await send(pilot, "q")
        app.chat_view.composer.insert("a draft")
        await pilot.press("ctrl+c")
        await settled(pilot)
        assert notes(app) == ["stopped"]
        assert app.chat_view.composer.text == "a draft"
        await pilot.press("ctrl+c")
        assert app.chat_view.composer.text == ""
        await pilot.press("up")
        assert app.chat_view.composer.text == "a draft"
        await pilot.press("ctrl+c", "ctrl+c")
        assert app.is_running
        now[0] += 10
        await pilot.press("ctrl+c")
        assert app.is_running, "too late to count as the second press"
        now[0] += 1
        await pilot.press("ctrl+c")
        await pilot.pause()
    assert app.return_code == 0
    assert not app.is_running


async def test_control_d_leaves_only_where_nothing_is_typed(app: StarChatApp) -> None:
    async with app.run_test() as pilot:
        await pilot.press("a", "b", "home", "ctrl+d")
        assert app.chat_view.composer.text == "b"
        await pilot.press("delete", "ctrl+d")
        await wait_until(lambda: not app.is_running)


async def test_the_draft_is_there_the_next_time(
    make: Make, engine: ScriptedEngine, typed: Path
) -> None:
    app = make()
    async with app.run_test() as pilot:
        await pilot.press(*"half a thought", "ctrl+j", "x", "ctrl+j")
        app.exit()
    kept = typed.with_name("draft.md")
    assert kept.read_text() == "half a thought\nx\n"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    engine.enqueue("ok")
    app = make()
    async with app.run_test() as pilot:
        assert app.chat_view.composer.text == "half a thought\nx\n"
        await pilot.press("enter")
        await settled(pilot)
        await wait_until(lambda: not kept.exists())


async def test_leaving_in_mid_answer_keeps_what_came(
    app: StarChatApp, engine: ScriptedEngine, session: Session
) -> None:
    engine.steps = asyncio.Semaphore(0)
    engine.enqueue("as far as", " this")
    async with app.run_test() as pilot:
        await send(pilot, "q")
        go_on(engine)
        await sees(app, "as far as")
        await send(pilot, "/quit")
        await wait_until(lambda: not app.is_running)
    assert texts(session)[-1] == ("assistant", "as far as", "stopped")


async def test_a_finished_answer_costs_no_time(app: StarChatApp, engine: ScriptedEngine) -> None:
    engine.enqueue("one")
    async with app.run_test() as pilot:
        await send(pilot, "q")
        await settled(pilot)
        answer = app.chat_view.transcript.query_one(AnswerView)
        await wait_until(
            lambda: all(timer._task is None or timer._task.done() for timer in answer._timers)
        )
        assert answer.text == "one"


async def test_the_mode_is_switched_in_mid_conversation(
    app: StarChatApp, engine: ScriptedEngine, session: Session
) -> None:
    engine.enqueue("one")
    engine.enqueue(" two\nHuman: three")
    async with app.run_test() as pilot:
        await send(pilot, "first")
        await settled(pilot)
        await pilot.press("f2")
        await settled(pilot)
        assert notes(app) == [
            "ta mode · nano-base · a base model answers, shown by example dialogues how to; "
            "the conversation goes on"
        ]
        await sees(app, "nano-base   ta")
        await send(pilot, "second")
        await settled(pilot)
        await send(pilot, "/mode chat")
        await settled(pilot)
        await sees(app, "nano-chat   chat")
    chat, ta = engine.requests
    assert chat.model == "nano-chat"
    assert ta.model == "nano-base"
    assert bytes(token for token in ta.prompt if isinstance(token, int) and token < 256).endswith(
        b"\n\nHuman: first\n\nAssistant: one\n\nHuman: second\n\nAssistant:"
    )


async def test_an_error_keeps_the_partial_answer_and_says_what_to_do(
    app: StarChatApp, engine: ScriptedEngine, session: Session
) -> None:
    engine.enqueue("Half", EngineGone("The engine ended", "ask again"))
    engine.enqueue("whole")
    async with app.run_test() as pilot:
        await send(pilot, "q")
        await settled(pilot)
        await sees(app, "The engine ended\n")
        await sees(app, "ask again")
        await sees(app, "Half")
        await pilot.press("escape")
        await pilot.pause()
        assert "ask again" not in shown(app)
        assert notes(app) == ["no whole answer: The engine ended"]
        await send(pilot, "again")
        await settled(pilot)
        await sees(app, "whole")
    assert texts(session)[1] == ("assistant", "Half", "failed")


async def test_a_question_that_was_never_stored_is_the_draft_again(
    make: Make, make_session: Callable[..., Session], engine: ScriptedEngine
) -> None:
    session = make_session(window=400)
    app = make(session=session)
    async with app.run_test() as pilot:
        await send(pilot, "x" * 1000)
        await settled(pilot)
        assert app.chat_view.composer.draft == "x" * 1000
        assert not app.chat_view.transcript.query(Question)
        await sees(app, "shorten the question")
    assert engine.requests == []
    assert session.turns == ()


async def test_retry_makes_a_sibling_and_keeps_the_first_answer_readable(
    app: StarChatApp, engine: ScriptedEngine, session: Session, history: ConversationStore
) -> None:
    engine.enqueue("```\n1\n```")
    engine.enqueue("```\n2\n```")
    async with app.run_test() as pilot:
        await send(pilot, "q")
        await settled(pilot)
        await pilot.press("ctrl+r")
        await settled(pilot)
        first, second = app.chat_view.transcript.query(AnswerView)
        assert first.has_class("set-aside")
        assert (first.text, second.text) == ("```\n1\n```", "```\n2\n```")
        assert [block.code for block in app.chat_view.transcript.code_blocks] == ["1", "2"]
    (summary,) = history.list_summaries()
    assert summary.turns == 3, "the question and both answers are stored"
    assert texts(session)[-1] == ("assistant", "```\n2\n```", "done")


@pytest.mark.parametrize("failing", [True, False])
async def test_a_retry_without_a_word_leaves_the_answer_there_was(
    app: StarChatApp, engine: ScriptedEngine, session: Session, failing: bool
) -> None:
    engine.enqueue("good")
    engine.enqueue(EngineGone("The engine ended", "") if failing else asyncio.Event())
    async with app.run_test() as pilot:
        await send(pilot, "q")
        await settled(pilot)
        await pilot.press("ctrl+r")
        if not failing:
            await wait_until(lambda: len(engine.requests) == 2)
            await pilot.press("escape")
        await settled(pilot)
        (answer,) = app.chat_view.transcript.query(AnswerView)
        assert answer.text == app.chat_view.transcript.last_answer == "good"
        assert not answer.has_class("set-aside")
    assert texts(session)[-1] == ("assistant", "good", "done")


async def test_a_question_that_cannot_be_stored_is_the_draft_again(
    app: StarChatApp, engine: ScriptedEngine, session: Session, history: ConversationStore
) -> None:
    engine.enqueue("one")
    async with app.run_test() as pilot:
        await send(pilot, "first")
        await settled(pilot)
        history.delete_conversation(session.conversation)
        await send(pilot, "second")
        await settled(pilot)
        await sees(app, "This conversation is gone")
        assert app.chat_view.composer.draft == "second"
        assert [str(one.render()) for one in app.chat_view.transcript.query(Question)] == ["first"]


async def test_a_question_right_after_a_new_conversation_is_in_that_one(
    app: StarChatApp, engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown_anew, answered = asyncio.Event(), asyncio.Event()
    engine.enqueue("one")
    engine.enqueue(answered, OutOfMemory("No memory", ""))
    async with app.run_test() as pilot:
        await send(pilot, "first")
        await settled(pilot)
        transcript = app.chat_view.transcript
        remove = transcript.remove_children

        async def late() -> None:
            await shown_anew.wait()
            await remove()

        monkeypatch.setattr(transcript, "remove_children", late)
        app.action_new()
        app.answers.ask("second")
        await pilot.pause()
        shown_anew.set()
        await wait_until(lambda: len(engine.requests) == 2)
        await pilot.pause()
        answered.set()
        await settled(pilot)
        await sees(app, "No memory")
        assert [str(one.render()) for one in transcript.query(Question)] == ["second"]
        assert not app.query(Welcome)


async def test_page_keys_scroll_the_conversation_while_one_types(
    app: StarChatApp, engine: ScriptedEngine
) -> None:
    engine.enqueue("\n\n".join(f"line {number}" for number in range(80)))
    async with app.run_test() as pilot:
        await send(pilot, "q")
        await settled(pilot)
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


async def test_nothing_to_retry_is_an_error_not_a_crash(app: StarChatApp) -> None:
    async with app.run_test() as pilot:
        await pilot.press("ctrl+r")
        await settled(pilot)
        await sees(app, "There is no question to retry")
        assert not app.chat_view.transcript.query(AnswerView)


async def test_turns_that_left_the_window_are_marked(
    make: Make, make_session: Callable[..., Session], engine: ScriptedEngine
) -> None:
    app = make(session=make_session(window=1000, max_tokens=100))
    async with app.run_test() as pilot:
        for number in range(4):
            engine.enqueue("y" * 100)
            await send(pilot, f"{number}" * 200)
            await settled(pilot)
        unseen = app.chat_view.transcript.query_one(ContextBoundary)
        marked = [child for child in app.chat_view.transcript.children if child is not unseen]
        above = app.chat_view.transcript.children.index(unseen)
        assert str(unseen.render()) == f"the model no longer sees the {above} turns above"
        assert 0 < above < len(marked)
        assert len(app.chat_view.transcript.query(ContextBoundary)) == 1


async def test_quoted_lines_are_said(app: StarChatApp, engine: ScriptedEngine) -> None:
    engine.enqueue("ok")
    async with app.run_test() as pilot:
        await pilot.press("f2")
        await send(pilot, "what is\nHuman: x\n-----\n")
        await settled(pilot)
        assert notes(app)[-1].startswith("2 lines look like the prompt's own layout")


async def test_the_context_counts_the_draft_exactly(app: StarChatApp, session: Session) -> None:
    async with app.run_test(size=(100, 30)) as pilot:
        await settled(pilot)
        empty, window = await session.measure_context()
        await sees(app, f"{empty:,}/{window:,}")
        app.chat_view.composer.insert("x" * 50)
        used = len((await session.build_prompt("x" * 50)).ids)
        assert used > empty + 50
        await wait_until(lambda: f"{used:,}/{window:,}" in shown(app))


async def test_a_long_conversation_is_mounted_from_its_end(
    make: Make, session: Session, engine: ScriptedEngine, make_session: Callable[..., Session]
) -> None:
    for number in range(30):
        engine.enqueue(f"```\nblock {number}\n```")
        async for _ in session.ask(f"question {number}"):
            pass
    resumed = make_session()
    resumed.resume("last")
    app = make(session=resumed)
    async with app.run_test() as pilot:
        await settled(pilot)
        transcript = app.chat_view.transcript
        assert str(transcript.query(Question).first().render()) == "question 20"
        await sees(app, "block 29")
        await sees(app, "copy 30")
        assert str(transcript.query_one(EarlierTurns).render()) == "↑ load 40 earlier turns"
        for left in ("↑ load 20 earlier turns", ""):
            await pilot.press("ctrl+home")
            await pilot.click(EarlierTurns)
            await settled(pilot)
            assert [str(one.render()) for one in transcript.query(EarlierTurns)] == [left] * bool(
                left
            )
        questions = [str(one.render()) for one in transcript.query(Question)]
        assert questions == [f"question {number}" for number in range(30)]
        assert [cell.number for cell in transcript.query(CodeCell)] == list(range(1, 31))
        assert [block.code for block in transcript.code_blocks] == [
            f"block {number}" for number in range(30)
        ]


async def test_a_resumed_conversation_says_which_answers_are_not_whole(
    make: Make, session: Session, engine: ScriptedEngine, make_session: Callable[..., Session]
) -> None:
    engine.enqueue("half", EngineGone("gone", ""))
    engine.enqueue("whole")
    for question in ("one", "two"):
        async for _ in session.ask(question):
            pass
    resumed = make_session()
    resumed.resume("last")
    app = make(session=resumed)
    async with app.run_test() as pilot:
        await settled(pilot)
        assert notes(app) == ["no whole answer"]
        await sees(app, "whole")


async def test_a_new_conversation_and_back_through_the_library(
    app: StarChatApp, engine: ScriptedEngine, session: Session
) -> None:
    engine.enqueue("an answer about sorting")
    async with app.run_test() as pilot:
        await send(pilot, "how to sort")
        await settled(pilot)
        await pilot.press("ctrl+n")
        await settled(pilot)
        assert "how to sort" not in shown(app)
        await sees(app, "demo model")
        assert session.turns == ()
        await pilot.press("ctrl+o")
        await pilot.pause()
        await sees(app, "how to sort")
        await pilot.press(*"nowhere")
        await sees(app, "nothing found")
        await pilot.press("ctrl+u", *"sorting", "enter")
        await settled(pilot)
        await sees(app, "an answer about sorting")
    assert len(session.turns) == 2


async def test_the_first_question_is_asked_at_once(make: Make, engine: ScriptedEngine) -> None:
    engine.enqueue("yes")
    app = make(first_question="are you there?")
    async with app.run_test() as pilot:
        await settled(pilot)
        await sees(app, "are you there?")
        await sees(app, "yes")
    assert len(engine.requests) == 1


@pytest.mark.parametrize("key", ["ctrl+n", "ctrl+o", "ctrl+r"])
async def test_a_running_answer_is_not_pulled_away(
    app: StarChatApp, engine: ScriptedEngine, key: str
) -> None:
    engine.steps = asyncio.Semaphore(0)
    engine.enqueue("a")
    async with app.run_test() as pilot:
        await send(pilot, "q")
        await pilot.press(key)
        await pilot.pause()
        await sees(app, "has to wait for the answer")
        go_on(engine, 5)
        await settled(pilot)
        assert len(engine.requests) == 1


async def test_out_of_memory_before_the_first_word(
    app: StarChatApp, engine: ScriptedEngine, session: Session
) -> None:
    engine.enqueue(OutOfMemory("No memory", "use `--quantize int4`"))
    async with app.run_test() as pilot:
        await send(pilot, "q")
        await settled(pilot)
        await sees(app, "use `--quantize int4`")
    assert texts(session)[0] == ("user", "q", "done")


async def test_an_answer_without_a_word_is_no_turn(
    make: Make, make_session: Callable[..., Session], engine: ScriptedEngine
) -> None:
    app = make(session=make_session(window=1000, max_tokens=100))
    async with app.run_test() as pilot:
        engine.enqueue(OutOfMemory("No memory", ""))
        await send(pilot, "0" * 100)
        await settled(pilot)
        assert not app.chat_view.transcript.query(AnswerView)
        for number in range(1, 4):
            engine.enqueue("y" * 100)
            await send(pilot, f"{number}" * 200)
            await settled(pilot)
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
