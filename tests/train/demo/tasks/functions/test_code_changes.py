"""Changes to given code, and tests that must notice a broken function."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from train.demo.evaluation.check import check_answers
from train.demo.tasks.family import Exchange, TaskSampler, fence_code
from train.demo.tasks.functions import code_changes
from train.demo.tasks.functions.specs import load_functions


def draw_exchanges(name: str, seed: int = 1) -> tuple[Exchange, ...]:
    (family,) = (f for f in code_changes.families(load_functions()) if f.name == name)
    return family.sample(TaskSampler(Random(seed))).exchanges


@pytest.mark.parametrize("seed", range(5))
def test_a_test_that_tests_nothing_is_wrong(seed: int) -> None:
    first = draw_exchanges("given_test", seed)[0]
    name = first.check.name
    vacuous = fence_code(f"def test_{name}():\n    assert {name} is not None")
    assert check_answers([(first.answer, first.check), (vacuous, first.check)]) == [
        "",
        "does not notice a broken function",
    ]


CHANGES: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("given_hints", lambda code: code.replace("->", "#")),
    ("given_docs", lambda code: code.replace('"""', "#")),
    ("given_rename", lambda code: code.replace("def ", "def old_")),
    ("given_param", lambda code: code.replace("(", "(old_", 1)),
    (
        "extend_uneven",
        lambda code: code.replace("zip_longest(", "zip(").replace(", fillvalue=0", ""),
    ),
    ("extend_zero_division", lambda code: code.replace("== 0", "== None")),
)


@pytest.mark.parametrize(("name", "spoilt"), CHANGES)
def test_a_change_that_was_not_made_is_wrong(name: str, spoilt: Callable[[str], str]) -> None:
    found = [
        e
        for seed in range(4)
        for e in draw_exchanges(name, seed)
        if e.group in ("changes", "follow-up")
    ]
    first = next(e for e in found if spoilt(e.answer) != e.answer)
    right, wrong = check_answers([(first.answer, first.check), (spoilt(first.answer), first.check)])
    assert right == ""
    assert wrong != ""
