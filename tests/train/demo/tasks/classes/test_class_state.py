"""A class in every state is Python that passes its own check."""

from __future__ import annotations

import ast
from dataclasses import replace

import pytest

from train.demo.evaluation.check import check_answers
from train.demo.tasks.classes.class_state import (
    ClassState,
    Method,
    split_words,
    with_article_unless_plural,
)
from train.demo.tasks.family import fence_code

DOG = ClassState("record", "GuideDog", ("name", "age"))


def test_attributes_are_set_in_their_order() -> None:
    assert DOG.code == (
        "class GuideDog:\n    def __init__(self, name, age):\n"
        "        self.name = name\n        self.age = age"
    )


def test_hints_and_docstring_follow_the_attributes() -> None:
    hinted = replace(DOG, hinted=True, documented=True).code
    assert '"""A guide dog."""' in hinted
    assert "def __init__(self, name: str, age: int) -> None:" in hinted
    ast.parse(hinted)


def test_the_check_tells_the_state_from_another() -> None:
    other = replace(DOG, attributes=("name",))
    pairs = [(fence_code(state.code), DOG.check) for state in (DOG, other)]
    right, wrong = check_answers(pairs)
    assert right == ""
    assert wrong != ""


def test_only_methods_of_follow_ups_count_as_added() -> None:
    stack = ClassState("stack", "Stack", (), (Method("push", "push"), Method("pop", "pop")))
    assert stack.added_methods == ()


@pytest.mark.parametrize(
    ("name", "words"), [("GuideDog", "guide dog"), ("User", "user"), ("HTTPServer", "httpserver")]
)
def test_camel_case_is_split_at_capital_letters(name: str, words: str) -> None:
    assert split_words(name) == words


@pytest.mark.parametrize(
    ("noun", "phrase"),
    [("user", "a user"), ("age", "an age"), ("points", "points"), ("class", "a class")],
)
def test_plurals_take_no_article(noun: str, phrase: str) -> None:
    assert with_article_unless_plural(noun) == phrase
