from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest

from starchat_tui.chat.events import (
    AnswerFailed,
    AnswerFinished,
    AnswerStarted,
    AnswerText,
    ChatEvent,
    EngineProgress,
)
from starchat_tui.chat.session import Session
from starchat_tui.chat.store import ConversationStore
from starchat_tui.chat.titles import make_title
from starchat_tui.client.protocol import Delta, Progress, Sampling, Usage
from starchat_tui.config.settings import Settings
from starchat_tui.dialogue import Turn
from starchat_tui.errors import EngineGone, OutOfMemory, UsageError
from starchat_tui.models.resolver import ModelResolver
from starchat_tui.templates.tokenizer import Tokenizer
from tests.fakes import byte_tokenizer
from tests.scripted import Piece, ScriptedEngine
from tests.waiting import wait_until

WINDOW = 30_000
Make = Callable[..., Session]


@pytest.fixture
def tokenizer_file(tmp_path: Path) -> Path:
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(byte_tokenizer()))
    return path


@pytest.fixture
def engine() -> ScriptedEngine:
    return ScriptedEngine()


@pytest.fixture
def store(tmp_path: Path) -> ConversationStore:
    return ConversationStore.open(tmp_path / "chats.db")


@pytest.fixture
def make(tokenizer_file: Path, engine: ScriptedEngine, store: ConversationStore) -> Make:
    def create(*, window: int = WINDOW, max_tokens: int = 100, system: str = "") -> Session:
        settings = Settings(url="http://x", tokenizer=str(tokenizer_file), window=window)
        resolver = ModelResolver(settings, engine)
        return Session(
            store, engine, resolver, sampling=Sampling(max_tokens=max_tokens), system=system
        )

    return create


async def collect(events: AsyncGenerator[ChatEvent, None]) -> list[ChatEvent]:
    async with aclosing(events) as coming:
        return [event async for event in coming]


async def ask(session: Session, text: str) -> AnswerFinished:
    finished = (await collect(session.ask(text)))[-1]
    assert isinstance(finished, AnswerFinished), finished
    return finished


async def test_answer_streams_and_is_stored(
    make: Make, engine: ScriptedEngine, store: ConversationStore
) -> None:
    engine.enqueue(Progress("loading", 1, 2), "Hel", "lo")
    session = make()
    events = await collect(session.ask("Say hello\nplease"))
    assert isinstance(events[0], AnswerStarted)
    assert events[1:4] == [
        EngineProgress(Progress("loading", 1, 2)),
        AnswerText("Hel"),
        AnswerText("lo"),
    ]
    finished = events[-1]
    assert isinstance(finished, AnswerFinished)
    assert (finished.text, finished.state, finished.stats.finish_reason) == (
        "Hello",
        "done",
        "stop",
    )
    stored = store.load_path(session.conversation)
    assert [(one.turn.role, one.turn.text, one.state) for one in stored] == [
        ("user", "Say hello\nplease", "done"),
        ("assistant", "Hello", "done"),
    ]
    assert store.find_conversation("last").title == "Say hello"
    assert stored[-1].stats["window"] == WINDOW


async def test_question_is_stored_before_the_request(
    make: Make, engine: ScriptedEngine, tmp_path: Path
) -> None:
    gate = asyncio.Event()
    engine.enqueue(gate, "late")
    session = make()
    reading = asyncio.ensure_future(collect(session.ask("where is it?")))
    await wait_until(lambda: engine.requests)
    other = ConversationStore.open(tmp_path / "chats.db")
    assert other.load_path(session.conversation)[0].turn.text == "where is it?"
    gate.set()
    await reading


async def test_growing_answer_is_stored_at_intervals(
    make: Make, engine: ScriptedEngine, tmp_path: Path
) -> None:
    gate = asyncio.Event()
    engine.enqueue("first words", gate, "the rest")
    session = make()
    reading = asyncio.ensure_future(collect(session.ask("q")))
    other = ConversationStore.open(tmp_path / "chats.db")

    def load_answer() -> str:
        return other.load_path(session.conversation)[-1].turn.text if session.conversation else ""

    await wait_until(lambda: load_answer() == "first words")
    assert other.load_path(session.conversation)[-1].state == "partial"
    gate.set()
    await reading
    assert load_answer() == "first wordsthe rest"


async def test_second_prompt_extends_the_first_id_for_id(
    make: Make, engine: ScriptedEngine, tokenizer_file: Path
) -> None:
    tokenizer = Tokenizer.load(tokenizer_file)
    # Ids that an encoder would never produce: "ab" as the model's own two tokens.
    ids = (*tokenizer.encode("a"), *tokenizer.encode("b"))
    engine.enqueue(Delta("ab", ids), Delta(finish_reason="stop", usage=Usage(3, 2, 1)))
    engine.enqueue("c")
    session = make()
    await ask(session, "one")
    await ask(session, "two")
    first, second = engine.requests
    assert isinstance(first.prompt, tuple)
    assert isinstance(second.prompt, tuple)
    assert second.prompt[: len(first.prompt) + 2] == (*first.prompt, *ids)
    assert second.stop_ids == (tokenizer.end_id, tokenizer.end_of_text_id)


async def test_stop_keeps_the_text_and_closes_the_stream(
    make: Make, engine: ScriptedEngine, store: ConversationStore
) -> None:
    engine.enqueue("some words", asyncio.Event(), "never")
    session = make()
    events: list[ChatEvent] = []
    async with aclosing(session.ask("q")) as coming:
        async for event in coming:
            events.append(event)
            if isinstance(event, AnswerText):
                session.stop()
    finished = events[-1]
    assert isinstance(finished, AnswerFinished)
    assert (finished.text, finished.state) == ("some words", "stopped")
    assert engine.closed == 1
    assert store.load_path(session.conversation)[-1].state == "stopped"
    assert session.dialogue.turns[-1].text == "some words"


async def test_closing_the_events_stops_the_answer(
    make: Make, engine: ScriptedEngine, store: ConversationStore
) -> None:
    engine.enqueue("some words", asyncio.Event())
    session = make()
    async with aclosing(session.ask("q")) as coming:
        async for event in coming:
            if isinstance(event, AnswerText):
                break
    assert engine.closed == 1
    last = store.load_path(session.conversation)[-1]
    assert (last.turn.text, last.state) == ("some words", "stopped")


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        (["half", EngineGone("The engine stopped", "see its log")], "The engine stopped"),
        ([OutOfMemory("No memory", "smaller model")], "No memory"),
    ],
)
async def test_failure_keeps_question_and_partial_answer(
    make: Make,
    engine: ScriptedEngine,
    store: ConversationStore,
    script: list[Piece],
    problem: str,
) -> None:
    engine.enqueue(*script)
    engine.enqueue("well")
    session = make()
    failed = (await collect(session.ask("q")))[-1]
    assert isinstance(failed, AnswerFailed)
    assert failed.error.message == problem
    assert failed.error.hint
    stored = store.load_path(session.conversation)
    assert [one.turn.text for one in stored] == ["q", failed.text]
    assert stored[-1].state == "failed"
    assert (await ask(session, "again")).text == "well"


async def test_stream_without_finish_reason_is_a_failure(
    make: Make, engine: ScriptedEngine
) -> None:
    class Cut(ScriptedEngine):
        async def stream(self, request: object) -> AsyncGenerator[Delta | Progress, None]:
            yield Delta("half")

    session = make()
    session._engine = Cut()
    failed = (await collect(session.ask("q")))[-1]
    assert isinstance(failed, AnswerFailed)
    assert isinstance(failed.error, EngineGone)
    assert failed.text == "half"


async def test_question_that_does_not_fit_is_not_sent(
    make: Make, engine: ScriptedEngine, store: ConversationStore
) -> None:
    session = make(window=200)
    (failed,) = await collect(session.ask("x" * 500))
    assert isinstance(failed, AnswerFailed)
    assert "window of 200" in failed.error.message
    assert engine.requests == []
    assert store.list_summaries() == []
    assert await session.measure_context("x" * 500) == (200, 200)


async def test_dropped_turns_are_reported(make: Make, engine: ScriptedEngine) -> None:
    session = make(window=400, max_tokens=50)
    dropped = []
    for number in range(12):
        engine.enqueue(f"answer {number} " + "." * 40)
        asked = (await collect(session.ask(f"question {number}")))[0]
        assert isinstance(asked, AnswerStarted)
        assert asked.prompt_tokens + 50 <= asked.window == 400
        dropped.append(asked.dropped_turns)
    assert dropped[0] == 0
    assert dropped[-1] > 0
    assert dropped == sorted(dropped)
    assert len(set(dropped)) < len(dropped) // 2, "the cut moves in big steps"


async def test_mode_switches_within_a_conversation(make: Make, engine: ScriptedEngine) -> None:
    engine.enqueue("chat answer")
    engine.enqueue(" ", " ta", " answer\n")
    session = make()
    await ask(session, "one")
    session.switch_mode("ta")
    events = await collect(session.ask("two\nHuman: three"))
    assert isinstance(events[0], AnswerStarted)
    assert events[0].quoted_lines == 1
    assert [event.text for event in events if isinstance(event, AnswerText)] == ["ta", " answer\n"]
    finished = events[-1]
    assert isinstance(finished, AnswerFinished)
    assert finished.text == "ta answer"
    request = engine.requests[-1]
    assert request.stop == ("\nHuman:", "\n-----")
    shown = bytes(token for token in request.prompt if isinstance(token, int)).decode()
    assert "Human: one\n\nAssistant: chat answer\n\nHuman: two\n> Human: three" in shown


async def test_retry_adds_a_sibling(
    make: Make, engine: ScriptedEngine, store: ConversationStore
) -> None:
    engine.enqueue("first")
    engine.enqueue("second")
    session = make()
    await ask(session, "q")
    first = session.turns[-1].id
    finished = (await collect(session.retry()))[-1]
    assert isinstance(finished, AnswerFinished)
    assert [turn.text for turn in session.dialogue.turns] == ["q", "second"]
    kept = store.load_path(session.conversation, first)
    assert [stored.turn.text for stored in kept] == ["q", "first"]
    assert kept[-1].parent == session.turns[-1].parent
    assert engine.requests[0].prompt == engine.requests[1].prompt


@pytest.mark.parametrize("failing", [True, False])
async def test_retry_without_text_keeps_the_old_answer(
    make: Make, engine: ScriptedEngine, store: ConversationStore, failing: bool
) -> None:
    engine.enqueue("good")
    engine.enqueue(EngineGone("The engine stopped", "") if failing else asyncio.Event())
    session = make()
    await ask(session, "q")
    came: list[ChatEvent] = []
    async with aclosing(session.retry()) as events:
        async for event in events:
            came.append(event)
            assert [one.turn.text for one in store.load_path(session.conversation)] == [
                "q",
                "good",
            ]
            if not failing:
                session.stop()
    assert [type(event) for event in came] == [
        AnswerStarted,
        AnswerFailed if failing else AnswerFinished,
    ]
    assert [turn.text for turn in session.dialogue.turns] == ["q", "good"]
    again = make()
    again.resume("last")
    assert again.dialogue == session.dialogue


async def test_retry_becomes_current_with_its_first_word(
    make: Make, engine: ScriptedEngine, store: ConversationStore
) -> None:
    engine.enqueue("good")
    engine.enqueue("\n", "better", EngineGone("The engine stopped", ""))
    session = make()
    await ask(session, "q")
    first = session.turns[-1].id
    heads: list[bool] = []
    async with aclosing(session.retry()) as events:
        async for event in events:
            if isinstance(event, AnswerText):
                heads.append(store.load_path(session.conversation)[-1].id == first)
    assert heads == [True, False]
    assert [turn.text for turn in session.dialogue.turns] == ["q", "\nbetter"]
    assert store.load_path(session.conversation)[-1].turn.text == "\nbetter"


async def test_two_sessions_keep_their_branches(make: Make, engine: ScriptedEngine) -> None:
    gate = asyncio.Event()
    engine.enqueue("one")
    engine.enqueue("two ", gate, "here")
    engine.enqueue("three")
    first, second = make(), make()
    await ask(first, "q")
    second.resume("last")
    reading = asyncio.ensure_future(collect(first.ask("here?")))
    await wait_until(lambda: len(engine.requests) == 2)
    await ask(second, "there?")
    gate.set()
    await reading
    assert [turn.text for turn in first.dialogue.turns] == ["q", "one", "here?", "two here"]
    assert [turn.text for turn in second.dialogue.turns] == ["q", "one", "there?", "three"]


async def test_conversation_deleted_elsewhere_is_an_error(
    make: Make, engine: ScriptedEngine, store: ConversationStore
) -> None:
    engine.enqueue("one")
    engine.enqueue("two")
    session = make()
    await ask(session, "q")
    store.delete_conversation(session.conversation)
    for events in (session.ask("again"), session.retry()):
        (failed,) = await collect(events)
        assert isinstance(failed, AnswerFailed)
        assert "deleted" in failed.error.message
        assert "`/new`" in failed.error.hint
    session.start_conversation()
    assert (await ask(session, "again")).text == "two"


async def test_locked_database_fails_the_question_or_the_last_save(
    make: Make, engine: ScriptedEngine, store: ConversationStore, tmp_path: Path
) -> None:
    store._connection.execute("PRAGMA busy_timeout = 0")
    other = sqlite3.connect(tmp_path / "chats.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    session = make()
    (failed,) = await collect(session.ask("q"))
    assert isinstance(failed, AnswerFailed)
    assert "locked" in failed.error.message
    assert (session.conversation, session.turns) == ("", ())
    other.execute("ROLLBACK")
    gate = asyncio.Event()
    engine.enqueue("half", gate, "rest")
    async with aclosing(session.ask("q")) as events:
        async for event in events:
            if isinstance(event, AnswerText) and not gate.is_set():
                other.execute("BEGIN IMMEDIATE")
                gate.set()
    assert isinstance(event, AnswerFailed)
    assert "locked" in event.error.message
    assert event.text.startswith("half")
    other.execute("ROLLBACK")
    other.close()
    engine.enqueue("well")
    assert (await ask(session, "again")).text == "well"
    assert [one.turn.text for one in session.turns][::2] == ["q", "again"]


async def test_retry_without_a_question_is_an_error(make: Make) -> None:
    (failed,) = await collect(make().retry())
    assert isinstance(failed, AnswerFailed)
    assert "no question" in failed.error.message


async def test_resume_restores_the_conversation(make: Make, engine: ScriptedEngine) -> None:
    engine.enqueue("one")
    engine.enqueue("two")
    session = make(system="be brief")
    await ask(session, "first")
    session.switch_mode("ta")
    again = make()
    again.resume(session.conversation[:4])
    assert again.mode == "ta"
    assert again.dialogue == session.dialogue
    assert again.system == "be brief"
    await ask(again, "second")
    assert [turn.text for turn in again.dialogue.turns] == ["first", "one", "second", "two"]
    assert [one.questions for one in again.list_conversations("second")] == [2]


async def test_truncated_answer_has_state_cut(make: Make, engine: ScriptedEngine) -> None:
    engine.enqueue("ab", Delta(finish_reason="length", usage=Usage(5, 2, 0)))
    finished = await ask(make(), "q")
    assert (finished.state, finished.stats.completion_tokens) == ("cut", 2)


async def test_max_tokens_fits_the_window(make: Make, engine: ScriptedEngine) -> None:
    engine.enqueue("a")
    session = make(window=300, max_tokens=10_000)
    await ask(session, "x" * 150)
    request = engine.requests[0]
    assert len(request.prompt) + request.sampling.max_tokens == 300


async def test_new_conversation_is_stored_with_its_first_question(
    make: Make, engine: ScriptedEngine, store: ConversationStore
) -> None:
    engine.enqueue("a")
    session = make()
    await ask(session, "q")
    session.start_conversation()
    assert (session.conversation, session.dialogue.turns) == ("", ())
    assert len(store.list_summaries()) == 1


def test_title_is_the_shortened_first_line() -> None:
    assert make_title("  \n one line \n two") == "one line"
    assert len(make_title("x" * 500)) == 60


async def test_sampling_reaches_the_engine(make: Make, engine: ScriptedEngine) -> None:
    engine.enqueue("a")
    session = make()
    session._sampling = replace(session._sampling, seed=7, temperature=0.0)
    await ask(session, "q")
    assert engine.requests[0].sampling.seed == 7


async def test_only_the_few_shot_prompt_is_shared(make: Make, engine: ScriptedEngine) -> None:
    engine.enqueue("a")
    engine.enqueue("b")
    session = make()
    await ask(session, "one")
    session.switch_mode("ta")
    await ask(session, "two")
    chat, ta = engine.requests
    assert chat.shared == 0
    known = bytes(token for token in ta.prompt[: ta.shared] if isinstance(token, int)).decode()
    assert known.startswith("Below are conversations")
    assert known.endswith("\n\n-----")
    assert "one" not in known.split("\n\n-----")[-1]


@pytest.mark.parametrize(
    ("stored", "former"), [("starchat-beta", "starchat-beta"), ("nano-chat", "")]
)
def test_a_resumed_conversation_says_which_model_it_had(
    store: ConversationStore, stored: str, former: str
) -> None:
    name = store.create_conversation("t", mode="chat", model=stored, system="")
    store.add_turn(name, Turn("user", "q"), parent=None, state="done", model=stored)
    engine = ScriptedEngine()
    session = Session(store, engine, ModelResolver(Settings(), engine), sampling=Sampling())
    session.resume(name)
    assert session.former_model == former
    session.start_conversation()
    assert session.former_model == ""


async def test_a_sibling_brings_what_followed_it_and_is_the_one_resumed(
    make: Make, engine: ScriptedEngine
) -> None:
    engine.enqueue("one")
    engine.enqueue("more")
    engine.enqueue("two")
    session = make()
    await ask(session, "q")
    first = session.turns[-1].id
    await ask(session, "and?")
    # Back to the first question, whose answer is then replaced.
    session._set_branch(session.turns[:2])
    await collect(session.retry())
    assert session.siblings.locate(session.turns[-1].id) == (2, 2)
    session.show_sibling(None, -1)
    assert [one.turn.text for one in session.turns] == ["q", "one", "and?", "more"]
    assert session.turns[1].id == first
    resumed = make()
    resumed.resume("last")
    assert [one.turn.text for one in resumed.turns] == ["q", "one", "and?", "more"]
    with pytest.raises(UsageError, match="2 answers"):
        session.show_sibling(first, -1)
    with pytest.raises(UsageError, match="no other answer"):
        session.show_sibling(session.turns[-1].id, 1)
