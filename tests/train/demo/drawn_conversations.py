"""Conversations of a family with fixed seeds, and the verdicts of their checks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from random import Random

from train.demo.evaluation.check import check_answers, find_missing_program
from train.demo.tasks.family import Exchange, Family, TaskSampler

Conversation = tuple[Exchange, ...]


def draw_conversations(family: Family, count: int, *, held_out: bool = False) -> list[Conversation]:
    """Draw `count` conversations, the same ones each time."""
    return [
        family.sample(TaskSampler(Random(f"{family.name} {seed}"), held_out)).exchanges
        for seed in range(count)
    ]


def iterate_exchanges(families: Iterable[Family], count: int) -> Iterator[Exchange]:
    """Yield the exchanges of `count` conversations of each family."""
    for family in families:
        for conversation in draw_conversations(family, count):
            yield from conversation


def find_wrong_answers(exchanges: Iterable[Exchange]) -> dict[str, str]:
    """Check reference answers; return the question and the verdict of each that is refused."""
    runnable = [e for e in exchanges if not find_missing_program(e.check)]
    verdicts = check_answers(((e.answer, e.check) for e in runnable), trusted=True)
    return {e.question: verdict for e, verdict in zip(runnable, verdicts, strict=True) if verdict}


def find_accepted(altered: Iterable[tuple[str, Exchange]]) -> list[str]:
    """Check altered answers; return those that are accepted nevertheless."""
    pairs = list(altered)
    verdicts = check_answers((answer, e.check) for answer, e in pairs)
    return [answer for (answer, _), verdict in zip(pairs, verdicts, strict=True) if not verdict]


def find_quoted(text: str) -> list[str]:
    """Return the texts in double quotes on one line."""
    return re.findall(r'"([^"\n]*)"', text)
