"""Scores and facts of two invented models: one is always right, the other never."""

from __future__ import annotations

from typing import Any

from starchat_tui.dialogue import Mode
from train.demo import demo_card, synthesize
from train.demo.evaluation import scoring
from train.demo.evaluation.generate import Answer
from train.demo.evaluation.scoring import ScoredConversation
from train.demo.evaluation.statistics import build_table
from train.demo.tasks.family import Check, Exchange, Sample

RIGHT = "```python\nprint(1)\n```"


def sample(*questions: str) -> Sample:
    check = Check(stdout="1")
    return Sample("print", tuple(Exchange(q, RIGHT, check, "scripts") for q in questions))


def scores(*, right: bool) -> dict[str, Any]:
    asked = [
        ScoredConversation(side, sample("a", "b"))
        for side in ("twenty", "values", "phrasing", "family")
    ]
    answers = [[Answer(RIGHT if right else "", cut=False)] * 2 for _ in asked]
    return build_table([mark for mark, _, _ in scoring.mark_answers(asked, answers)])


def facts() -> demo_card.CardFacts:
    progress = {"seconds": 60.0, "tokens": 1e6, "steps": 10}
    modes: tuple[Mode, ...] = ("chat", "ta")
    corpus = synthesize.DialogueCorpus(
        {"pretrain": [sample("a")], "finetune": []}, 10, 1, {"values": 3}, {"node": 2}
    )
    return demo_card.CardFacts(
        corpus={"files": {"MIT": 1}, "characters": {"MIT": 10}, "origins": {"click": 1}},
        made=synthesize.summarize_corpus(corpus) | {"families": 1},
        scores={"chat": scores(right=True), "ta": scores(right=False)},
        pretrained=progress,
        progress=dict.fromkeys(modes, progress),
        hashes={"dialogues": "c0ffee", "tokenizer": "decaf"},
        parameters=3_520_000,
        window=2048,
    )
