"""Conversations with the model's own answers: asked, cached, resumed and marked."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from starchat_tui.dialogue import Dialogue, Mode
from starchat_tui.errors import PromptTooLong
from train.demo import sample_files
from train.demo.evaluation import generate, scoring
from train.demo.evaluation.generate import Answer
from train.demo.evaluation.scoring import AnswerCache, ScoredConversation
from train.demo.tasks.family import Check, Exchange, Sample

RIGHT = "```python\nprint(1)\n```"


def sample(*questions: str) -> Sample:
    check = Check(stdout="1")
    return Sample("print", tuple(Exchange(q, RIGHT, check, "scripts") for q in questions))


class Parrot:
    """Answerer that repeats the question, and records the dialogues that it was given."""

    def __init__(self) -> None:
        self.asked: list[Dialogue] = []

    async def answer(self, dialogue: Dialogue, *, most: int = 0) -> Answer:
        self.asked.append(dialogue)
        if dialogue.turns[-1].text == "too long":
            raise PromptTooLong("the question is too long", "ask less")
        return Answer(f"you said {dialogue.turns[-1].text}", cut=False)


def hold_conversation(*questions: str) -> tuple[Parrot, list[Answer]]:
    parrot = Parrot()
    answers = asyncio.run(scoring.answer_conversation(parrot, sample(*questions)))  # type: ignore[arg-type]
    return parrot, answers


def test_a_follow_up_comes_after_the_models_own_answers() -> None:
    parrot, _ = hold_conversation("one", "two")
    assert [turn.text for turn in parrot.asked[1].turns] == ["one", "you said one", "two"]


def test_a_question_that_does_not_fit_is_answered_wrongly() -> None:
    _, answers = hold_conversation("one", "too long", "three")
    assert [answer.text for answer in answers] == ["you said one", "", "you said three"]


def test_cached_answers_survive_a_truncated_line(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    AnswerCache(path).put("a", [Answer("yes", cut=True)])
    path.write_text(path.read_text() + '{"key": "b", "answ')
    assert AnswerCache(path).get("a") == [Answer("yes", cut=True)]
    assert AnswerCache(path).get("b") is None
    assert AnswerCache(None).get("a") is None


def test_the_cache_differs_by_model_prompt_and_generation_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = tmp_path / "model.safetensors"
    modes: tuple[Mode, ...] = ("chat", "ta")

    def names() -> list[str]:
        return [scoring._answers_path(tmp_path, mode, tmp_path / "d").name for mode in modes]

    weights.write_bytes(b"one")
    first = names()
    monkeypatch.setattr(scoring, "read_prompt_text", lambda name: "another prompt")
    prompted = names()
    assert prompted[0] == first[0], "the chat model has no prompt"
    assert prompted[1] != first[1]
    (tmp_path / "answering.py").write_text("MOST = 9\n")
    monkeypatch.setattr(generate, "__file__", str(tmp_path / "answering.py"))
    changed = names()
    assert not {*changed} & {*first, *prompted}
    assert [name[:20] for name in changed] == [name[:20] for name in first], "and by the model"
    weights.write_bytes(b"other")
    assert not {*names()} & {*changed}


def test_the_sides_take_turns(tmp_path: Path) -> None:
    for side in sample_files.SCORED_SIDES:
        sample_files.save_samples(
            [sample(f"{side} {n}") for n in range(3)], tmp_path / f"{side}.jsonl"
        )
    found = scoring.load_conversations(tmp_path, 2)
    assert [c.side for c in found] == ["twenty"] * 20 + ["values", "phrasing", "family"] * 2
    assert {c.side for c in scoring.load_conversations(tmp_path, 2, "family")} == {"family"}
    assert len({c.key for c in found}) == len(found)


def test_marks_record_right_wrong_cut_and_run_on_answers() -> None:
    asked = [
        ScoredConversation("values", sample("a", "b")),
        ScoredConversation("phrasing", sample("c")),
    ]
    answers = [
        [Answer(RIGHT, cut=False), Answer("no", cut=True)],
        [Answer("\nHuman: x", cut=False)],
    ]
    marks = [mark for mark, _, _ in scoring.mark_answers(asked, answers)]
    assert [(m.turn, m.right, m.cut, m.ran_on) for m in marks] == [
        (1, True, False, False),
        (2, False, True, False),
        (1, False, False, True),
    ]


def test_the_twenty_questions_are_checked_by_execution() -> None:
    asked = scoring.load_twenty()
    assert len(asked) == 20
    assert all(each.sample.exchanges[0].check.needs_execution for each in asked)
