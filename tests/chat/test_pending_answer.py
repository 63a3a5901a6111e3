"""An answer that is being received: text, intervals of saving, states, statistics."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from starchat_tui.chat import pending_answer
from starchat_tui.chat.events import AnswerText, EngineProgress
from starchat_tui.chat.pending_answer import PendingAnswer
from starchat_tui.chat.store import ConversationStore, StoredTurn
from starchat_tui.client.protocol import Delta, Progress, Timings, Usage
from starchat_tui.config.settings import Settings
from starchat_tui.dialogue import Mode, Turn
from starchat_tui.errors import EngineGone
from starchat_tui.models.resolver import ModelResolver
from tests.fakes import byte_tokenizer
from tests.scripted import ScriptedEngine


class Clock:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(pending_answer, "time", clock)
    return clock


@pytest.fixture
def store() -> ConversationStore:
    return ConversationStore.in_memory()


async def create_answer(tmp_path: Path, store: ConversationStore, mode: Mode) -> PendingAnswer:
    file = tmp_path / "tokenizer.json"
    file.write_text(json.dumps(byte_tokenizer()))
    settings = Settings(url="http://x", tokenizer=str(file), window=4000)
    model = await ModelResolver(settings, ScriptedEngine()).resolve(mode)
    name = store.create_conversation("t", mode=mode, model="m", system="")
    turn = store.add_turn(name, Turn("assistant", ""), parent=None, state="partial", model="m")
    return PendingAnswer(store, turn, model)


@pytest.fixture
async def answer(tmp_path: Path, store: ConversationStore, clock: Clock) -> PendingAnswer:
    return await create_answer(tmp_path, store, "chat")


def read_turn(store: ConversationStore) -> StoredTurn:
    (summary,) = store.list_summaries()
    return store.load_path(summary.id)[-1]


async def test_few_shot_answer_is_stripped_at_both_ends(
    tmp_path: Path, store: ConversationStore
) -> None:
    answer = await create_answer(tmp_path, store, "ta")
    pieces = [Delta("\n "), Delta(" Hel"), Delta("lo "), Delta("you")]
    events = [answer.add_piece(piece) for piece in pieces]
    assert events == [None, AnswerText("Hel"), AnswerText("lo "), AnswerText("you")]
    answer.add_piece(Delta(" \n"))
    assert answer.text == "Hello you"


async def test_progress_is_an_event_and_no_text(answer: PendingAnswer) -> None:
    assert answer.add_piece(Progress("loading", 1, 2)) == EngineProgress(Progress("loading", 1, 2))
    assert answer.seconds_until_save() is None


async def test_text_is_stored_at_intervals(
    answer: PendingAnswer, store: ConversationStore, clock: Clock
) -> None:
    answer.add_piece(Delta("a", (1,)))
    assert answer.seconds_until_save() == pytest.approx(pending_answer.SAVE_INTERVAL)
    answer.save_if_due()
    assert read_turn(store).turn.text == ""
    clock.now += pending_answer.SAVE_INTERVAL
    assert answer.seconds_until_save() == 0.0
    answer.save_if_due()
    stored = read_turn(store)
    assert (stored.turn.text, stored.turn.ids, stored.state) == ("a", (1,), "partial")
    assert answer.seconds_until_save() is None


@pytest.mark.parametrize(
    ("reason", "state"), [("stop", "done"), ("length", "cut"), ("cancelled", "stopped")]
)
async def test_state_follows_the_finish_reason(
    answer: PendingAnswer, store: ConversationStore, reason: str, state: str
) -> None:
    answer.add_piece(Delta("text", finish_reason=reason))
    event = answer.finish()
    assert (event.state, event.text) == (state, "text")
    assert read_turn(store).state == state


async def test_stop_of_the_user_is_a_state(answer: PendingAnswer) -> None:
    answer.add_piece(Delta("half"))
    answer.mark_stopped()
    assert answer.finish().state == "stopped"


async def test_stream_without_a_reason_is_an_error(answer: PendingAnswer) -> None:
    answer.add_piece(Delta("half"))
    with pytest.raises(EngineGone):
        answer.finish()


async def test_speed_counts_the_tokens_after_the_first(answer: PendingAnswer, clock: Clock) -> None:
    clock.now += 2.0
    answer.add_piece(Delta("a", (1,)))
    clock.now += 4.0
    answer.add_piece(Delta("b", (2,), "stop", Usage(10, 17, 5)))
    stats = answer.finish().stats
    assert (stats.seconds, stats.first_token) == (6.0, 2.0)
    assert stats.tokens_per_second == pytest.approx(16 / 4.0)
    assert (stats.prompt_tokens, stats.cached_tokens, stats.completion_tokens) == (10, 5, 17)


async def test_proposals_of_the_engine_are_counted(answer: PendingAnswer) -> None:
    timings = Timings(proposed_tokens=9, accepted_tokens=5)
    answer.add_piece(Delta("a", (1,), "stop", Usage(10, 17, 5), timings))
    stats = answer.finish().stats
    assert (stats.proposed_tokens, stats.accepted_tokens) == (9, 5)


async def test_single_token_has_no_speed(answer: PendingAnswer, clock: Clock) -> None:
    clock.now += 1.0
    answer.add_piece(Delta("a", (1,), "stop"))
    assert answer.finish().stats.tokens_per_second == 0.0


async def test_a_few_tokens_have_no_speed(answer: PendingAnswer, clock: Clock) -> None:
    answer.add_piece(Delta("a", (1,)))
    clock.now += 0.001
    answer.add_piece(Delta("b", (2,), "stop", Usage(10, 15, 5)))
    assert answer.finish().stats.tokens_per_second == 0.0


async def test_a_stopped_answer_counts_what_came(
    answer: PendingAnswer, store: ConversationStore
) -> None:
    stopped = PendingAnswer(store, answer._turn, answer._model, prompt_tokens=7)
    stopped.add_piece(Delta("a", (1,)))
    stopped.add_piece(Delta("b", (2,)))
    stopped.mark_stopped()
    stats = stopped.finish().stats
    assert (stats.prompt_tokens, stats.cached_tokens, stats.completion_tokens) == (7, None, 2)
