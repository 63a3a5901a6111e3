"""Conversations behind the model's own answers, kept and taken up again; the card and its table."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from starchat_tui.dialogue import Dialogue, Mode
from starchat_tui.errors import PromptTooLong
from train.demo import demo_card, reproducibility, synthesize
from train.demo.evaluation import __main__
from train.demo.evaluation.__main__ import Conversation, Kept
from train.demo.evaluation.generate import Answer
from train.demo.evaluation.statistics import table
from train.demo.tasks.family import Check, Exchange, Sample

RIGHT = "```python\nprint(1)\n```"


def sample(*questions: str) -> Sample:
    check = Check(stdout="1")
    return Sample("print", tuple(Exchange(q, RIGHT, check, "scripts") for q in questions))


class Parrot:
    """Answers with the question, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Dialogue] = []

    async def answer(self, dialogue: Dialogue, *, most: int = 0) -> Answer:
        self.asked.append(dialogue)
        if dialogue.turns[-1].text == "too long":
            raise PromptTooLong("the question is too long", "ask less")
        return Answer(f"you said {dialogue.turns[-1].text}", cut=False)


def held(*questions: str) -> tuple[Parrot, list[Answer]]:
    parrot = Parrot()
    answers = asyncio.run(__main__.held(parrot, sample(*questions)))  # type: ignore[arg-type]
    return parrot, answers


def test_a_later_turn_stands_behind_the_models_own_answers() -> None:
    parrot, _ = held("one", "two")
    assert [turn.text for turn in parrot.asked[1].turns] == ["one", "you said one", "two"]


def test_a_question_that_does_not_fit_is_answered_wrongly() -> None:
    _, answers = held("one", "too long", "three")
    assert [answer.text for answer in answers] == ["you said one", "", "you said three"]


def test_kept_answers_survive_a_line_that_was_cut(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    Kept(path).put("a", [Answer("yes", cut=True)])
    path.write_text(path.read_text() + '{"key": "b", "answ')
    assert Kept(path).get("a") == [Answer("yes", cut=True)]
    assert Kept(path).get("b") is None
    assert Kept(None).get("a") is None


def test_answers_are_kept_apart_by_model_and_by_the_way_of_asking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = tmp_path / "model.safetensors"
    modes: tuple[Mode, ...] = ("chat", "ta")

    def names() -> list[str]:
        return [__main__._answers_file(tmp_path, mode, tmp_path / "d").name for mode in modes]

    weights.write_bytes(b"one")
    first = names()
    monkeypatch.setattr(__main__, "text_of", lambda name: "another prompt")
    prompted = names()
    assert prompted[0] == first[0], "the chat model has no prompt"
    assert prompted[1] != first[1]
    (tmp_path / "answering.py").write_text("MOST = 9\n")
    monkeypatch.setattr("train.demo.evaluation.generate.__file__", str(tmp_path / "answering.py"))
    changed = names()
    assert not {*changed} & {*first, *prompted}
    assert [name[:20] for name in changed] == [name[:20] for name in first], "and by the model"
    weights.write_bytes(b"other")
    assert not {*names()} & {*changed}


def test_the_sides_are_asked_in_turns(tmp_path: Path) -> None:
    for side in synthesize.SCORED:
        synthesize.save([sample(f"{side} {n}") for n in range(3)], tmp_path / f"{side}.jsonl")
    found = __main__.conversations_of(tmp_path, 2)
    assert [c.side for c in found] == ["twenty"] * 20 + ["values", "phrasing", "family"] * 2
    assert {c.side for c in __main__.conversations_of(tmp_path, 2, "family")} == {"family"}
    assert len({c.key for c in found}) == len(found)


def test_marks_tell_right_from_wrong_and_an_answer_that_runs_on() -> None:
    asked = [Conversation("values", sample("a", "b")), Conversation("phrasing", sample("c"))]
    answers = [
        [Answer(RIGHT, cut=False), Answer("no", cut=True)],
        [Answer("\nHuman: x", cut=False)],
    ]
    marks = [mark for mark, _, _ in __main__.marked(asked, answers)]
    assert [(m.turn, m.right, m.cut, m.ran_on) for m in marks] == [
        (1, True, False, False),
        (2, False, True, False),
        (1, False, False, True),
    ]


@pytest.mark.parametrize("word", ["<|user|>", "user: more", "  Human: hi", "\nAssistant:"])
def test_a_roles_line_or_token_is_another_turn(word: str) -> None:
    assert Answer(f"Done.\n{word}", cut=False).ran_on
    assert not Answer(f"The {word.strip()} is here", cut=False).ran_on or "<|" in word


def scores(*, right: bool) -> dict[str, Any]:
    asked = [
        Conversation(side, sample("a", "b")) for side in ("twenty", "values", "phrasing", "family")
    ]
    answers = [[Answer(RIGHT if right else "", cut=False)] * 2 for _ in asked]
    return table([mark for mark, _, _ in __main__.marked(asked, answers)])


def facts() -> demo_card.Facts:
    progress = {"seconds": 60.0, "tokens": 1e6, "steps": 10}
    modes: tuple[Mode, ...] = ("chat", "ta")
    return demo_card.Facts(
        corpus={"files": {"MIT": 1}, "characters": {"MIT": 10}, "origins": {"click": 1}},
        made=synthesize.summary(
            synthesize.Made(
                {"train": [sample("a")], "later": []}, 10, 1, {"values": 3}, {"node": 2}
            )
        ),
        scores={"chat": scores(right=True), "ta": scores(right=False)},
        pretrained=progress,
        progress=dict.fromkeys(modes, progress),
        hashes={"dialogues": "c0ffee", "tokenizer": "decaf"},
        parameters=3_520_000,
        window=2048,
    )


def test_the_card_tells_the_scores_and_what_was_left_out() -> None:
    told = demo_card.text("chat", facts())
    assert "| kinds of task never trained | 2 | 2 | 100.0 % | 34.2 % to 100.0 % |" in told
    assert "| short programs | 4 | 4 | 100.0 %" in told
    assert "8 pairs are decided" in told
    assert "nano-chat won 8 of them, 100.0 %" in told
    assert "2 for want of node" in told
    assert "3 (values)" in told
    assert "- dialogues: `c0ffee`" in told


def test_the_readmes_table_has_both_models_and_the_pairs() -> None:
    told = demo_card.readme_table(scores(right=True), scores(right=False))
    assert "| known kinds of task, new names and numbers | 2 of 2 | 0 of 2 |" in told
    assert "| pairs that one alone got right | 8 of 8 | 0 of 8 |" in told


def made(folder: Path, chat: dict[str, Any], hashes: dict[str, str]) -> Path:
    for mode, name in __main__.MODES.items():
        (folder / name).mkdir(parents=True)
        told = chat if mode == "chat" else scores(right=False)
        (folder / name / "scores.json").write_text(json.dumps(told))
        (folder / name / "README.md").write_text(
            demo_card.text(mode, replace(facts(), hashes=hashes))
        )
    return folder


def test_two_makings_are_compared_by_hash_and_by_interval(tmp_path: Path) -> None:
    """The 95 % interval of 2 of 2 reaches down to 34 %: none of 2 lies without it."""
    data = {"dialogues": "c0" * 32, "tokenizer": "de" * 32}
    ours = made(tmp_path / "ours", scores(right=True), data)
    again = made(tmp_path / "again", scores(right=True), data)
    worse = made(tmp_path / "worse", scores(right=False), data | {"tokenizer": "ad" * 32})
    assert reproducibility.apart(ours, again) == []
    assert all(pair.within for pair in reproducibility.pairs(ours, again))
    assert reproducibility.apart(ours, worse) == ["tokenizer"]
    found = {pair.what: pair.within for pair in reproducibility.pairs(ours, worse)}
    assert found["nano-base: kinds of task never trained"]
    assert not found["nano-chat: kinds of task never trained"]
