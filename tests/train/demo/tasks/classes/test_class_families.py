"""Classes have the names of the question, and a class that behaves otherwise is refused."""

from __future__ import annotations

import re

import pytest

from tests.train.demo.drawn_conversations import (
    draw_conversations,
    find_accepted,
    find_wrong_answers,
    iterate_exchanges,
)
from train.demo.evaluation.check import extract_code
from train.demo.tasks.classes.class_families import families

FAMILIES = {family.name: family for family in families()}
ALTERATIONS = {
    "class": ("self.", "other."),
    "dataclass": ("@dataclass", ""),
    "class_method": ("return self.", "return not self."),
    "counter": ("+= 1", "+= 2"),
    "stack": ("pop()", "pop(0)"),
    "queue": ("pop(0)", "pop()"),
    "inherit": ("return ", "return not "),
    "account": ("-= amount", "+= amount"),
}
"""A text in the answers of each family, and another that makes them wrong."""


def test_reference_answers_pass_their_checks() -> None:
    assert find_wrong_answers(iterate_exchanges(families(), 12)) == {}


@pytest.mark.parametrize("name", FAMILIES)
def test_a_class_that_behaves_otherwise_is_refused(name: str) -> None:
    old, new = ALTERATIONS[name]
    firsts = [conversation[0] for conversation in draw_conversations(FAMILIES[name], 10)]
    assert all(old in first.answer for first in firsts)
    assert find_accepted((first.answer.replace(old, new), first) for first in firsts) == []


@pytest.mark.parametrize("name", ["class", "dataclass", "class_method", "inherit", "account"])
def test_class_and_attributes_are_named_in_the_question(name: str) -> None:
    for first, *_ in draw_conversations(FAMILIES[name], 40):
        code = extract_code(first.answer)
        classes = re.findall(r"class (\w+)", code)
        attributes = re.findall(r"self\.(\w+) = \1", code) + re.findall(r"^    (\w+):", code, re.M)
        assert classes
        assert all(text in first.question for text in (*classes, *attributes))


def test_some_classes_have_follow_ups() -> None:
    turns = [len(conversation) for conversation in draw_conversations(FAMILIES["class"], 60)]
    assert min(turns) == 1
    assert max(turns) > 1
