"""Drills copy the data of the question, all of them and nothing else."""

from __future__ import annotations

import ast
import re
from itertools import pairwise

import pytest

from tests.train.demo.drawn_conversations import (
    draw_conversations,
    find_accepted,
    find_quoted,
    find_wrong_answers,
    iterate_exchanges,
)
from train.demo.evaluation.check import extract_code
from train.demo.tasks.family import Family
from train.demo.tasks.programs.drills import families

FAMILIES = {family.name: family for family in families()}
PLAIN = tuple(family for family in families() if family.name != "drill_frame")
"""Families that need no pandas, and are checked in milliseconds."""


def test_reference_answers_pass_their_checks() -> None:
    assert find_wrong_answers(iterate_exchanges(PLAIN, 15)) == {}


@pytest.mark.slow
def test_reference_tables_pass_their_checks() -> None:
    assert find_wrong_answers(iterate_exchanges((FAMILIES["drill_frame"],), 30)) == {}


@pytest.mark.parametrize("name", FAMILIES)
def test_labels_and_numbers_are_those_of_the_question(name: str) -> None:
    for first, *_ in draw_conversations(FAMILIES[name], 40):
        line = re.findall(r"^\w+ = .*$", extract_code(first.answer), re.MULTILINE)[0]
        assert all(label in first.question for label in find_quoted(line))
        numbers = [n for part in line.split('"')[::2] for n in re.findall(r"-?\d[\d.]*", part)]
        assert all(number in first.question for number in numbers)
        assert find_quoted(line) or numbers


@pytest.mark.parametrize("family", PLAIN, ids=lambda family: family.name)
def test_a_missing_or_a_changed_item_is_refused(family: Family) -> None:
    altered = []
    for first, *_ in draw_conversations(family, 8):
        labels = find_quoted(extract_code(first.answer))
        if labels:
            altered.append((first.answer.replace(f'"{labels[-1]}"', f'"{labels[-1]}s"'), first))
        longer = re.sub(r"([\d\")])([\]}])", r"\1 * 2\2", first.answer, count=1)
        altered.append((longer, first))
        altered.append(("```python\ndata = {}\nnames = values = items = pairs = []\n```", first))
    assert find_accepted(altered) == []


def test_an_addition_appends_the_item_of_its_question() -> None:
    added = 0
    for conversation in draw_conversations(FAMILIES["drill_add"], 60):
        tables = [
            ast.literal_eval(extract_code(e.answer).removeprefix("data = ")) for e in conversation
        ]
        for (before, after), exchange in zip(pairwise(tables), conversation[1:], strict=True):
            *rest, (name, value) = after.items()
            assert rest == list(before.items())
            assert name in exchange.question
            assert str(value) in exchange.question
            added += 1
    assert added > 60
