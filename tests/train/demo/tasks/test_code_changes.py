"""Changes to given code, tests that must notice a broken function, code explained line by line."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from train.demo.evaluation.check import check_all
from train.demo.tasks.family import Draw, Exchange, fenced
from train.demo.tasks.functions import code_changes
from train.demo.tasks.functions.followups import followed
from train.demo.tasks.functions.line_comments import explained
from train.demo.tasks.functions.mutants import mutants
from train.demo.tasks.functions.specs import functions
from train.demo.tasks.registry import draw_samples, families

LOOP = "def total(xs):\n    s = 0\n    for x in xs:\n        s += x\n    return s"


def drawn(name: str, seed: int = 1) -> tuple[Exchange, ...]:
    (family,) = (f for f in code_changes.families(functions()) if f.name == name)
    return family.sample(Draw(Random(seed))).exchanges


@pytest.mark.parametrize("seed", range(5))
def test_a_test_that_tests_nothing_is_wrong(seed: int) -> None:
    first = drawn("given_test", seed)[0]
    name = first.check.name
    vacuous = fenced(f"def test_{name}():\n    assert {name} is not None")
    assert check_all([(first.answer, first.check), (vacuous, first.check)]) == [
        "",
        "does not notice a broken function",
    ]


def test_a_broken_version_gives_other_results() -> None:
    calls = (("[1, 2]", "3"),)
    broken = mutants("def f(xs):\n    return sum(xs)", "f", calls)
    assert broken == ("def f(*args):\n    return None", "def f(xs):\n    return len(xs)")
    assert mutants("def f():\n    while True: pass", "f", (("", "None"),)) == ()


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
        e for seed in range(4) for e in drawn(name, seed) if e.group in ("changes", "follow-up")
    ]
    first = next(e for e in found if spoilt(e.answer) != e.answer)
    right, wrong = check_all([(first.answer, first.check), (spoilt(first.answer), first.check)])
    assert right == ""
    assert wrong != ""


def test_each_line_is_told_in_the_words_of_the_line() -> None:
    assert explained(LOOP) == [
        "1. Defines the function `total` with the parameter `xs`.",
        "2. Sets `s` to `0`.",
        "3. Goes through `xs`; each element is called `x`.",
        "4. Adds `x` to `s`.",
        "5. Returns `s`.",
    ]
    assert explained("def f(*args):\n    yield 1") is None


def test_conversations_of_several_turns_are_common() -> None:
    samples = list(draw_samples(2, 2000, held_out_phrasing=False, held_out_families=False))
    longer = [sample for sample in samples if len(sample.exchanges) > 1]
    assert len(longer) >= 0.28 * len(samples)
    assert max(len(sample.exchanges) for sample in samples) == 5


def test_follow_ups_on_any_code_are_right() -> None:
    scripts = [family for family in families() if family.group in ("scripts", "classes", "bugs")]
    found: list[Exchange] = []
    for family in scripts:
        for seed in range(3):
            dice = Draw(Random(f"{family.name} {seed}"))
            first = family.sample(dice).exchanges[0]
            found += followed(dice, first, share=1.0)[1:]
    verdicts = check_all((exchange.answer, exchange.check) for exchange in found)
    assert {e.question: v for e, v in zip(found, verdicts, strict=True) if v} == {}
    groups: dict[str, Any] = {exchange.group: exchange for exchange in found}
    assert {"follow-up", "tests", "explain", "talk"} <= set(groups)
