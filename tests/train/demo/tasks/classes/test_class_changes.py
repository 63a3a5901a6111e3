"""Each turn changes a class by exactly the change that its question asks for."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import pairwise

import pytest

from tests.train.demo.drawn_conversations import (
    draw_conversations,
    find_accepted,
    find_wrong_answers,
    iterate_exchanges,
)
from train.demo.evaluation.check import extract_code
from train.demo.tasks.classes.class_changes import families
from train.demo.tasks.family import Exchange

FAMILIES = {family.name: family for family in families()}


def iterate_changes(count: int = 60) -> Iterator[tuple[str, Exchange]]:
    """Yield the class before each change of it, and the exchange that changes it."""
    for family in families():
        for conversation in draw_conversations(family, count):
            classes = [e for e in conversation if "```python\nclass " in e.answer]
            for before, after in pairwise(classes):
                yield extract_code(before.answer), after


def select_changes(beginning: str) -> list[tuple[str, str, Exchange]]:
    """Return the class before and after, and the exchange, of answers with this beginning."""
    found = [
        (before, extract_code(e.answer), e)
        for before, e in iterate_changes()
        if e.answer.startswith(beginning)
    ]
    assert found
    return found


def list_methods(code: str) -> list[str]:
    return [node.name for node in ast.walk(ast.parse(code)) if isinstance(node, ast.FunctionDef)]


def find_name(exchange: Exchange) -> str:
    """Return the name in backticks before the code."""
    return exchange.answer.partition("```")[0].split("`")[1]


def test_reference_answers_pass_their_checks() -> None:
    assert find_wrong_answers(iterate_exchanges(families(), 8)) == {}


@pytest.mark.parametrize("beginning", ["Here it is with the method", "Here it is without the"])
def test_one_method_comes_or_goes(beginning: str) -> None:
    for before, after, exchange in select_changes(beginning):
        changed = set(list_methods(before)) ^ set(list_methods(after))
        assert changed == {find_name(exchange)}
        assert (len(after) > len(before)) == ("without" not in beginning)


def test_a_removed_method_is_named_in_the_question() -> None:
    for _, _, exchange in select_changes("Here it is without the"):
        assert find_name(exchange) in exchange.question


def test_an_attribute_is_added_as_the_last_parameter() -> None:
    for before, after, exchange in select_changes("Here it is with the attribute"):
        heads = [re.findall(r"__init__\(self(.*?)\)", code)[0] for code in (before, after)]
        assert heads[1].startswith(f"{heads[0]}, {find_name(exchange)}")
        assert list_methods(before) == list_methods(after)
        assert find_name(exchange) in exchange.question


def test_a_renamed_class_changes_its_name_everywhere() -> None:
    for before, after, exchange in select_changes("Now it is called"):
        name = find_name(exchange)
        assert name in exchange.question
        assert re.match(r"class (\w+):", after)[1] == name  # type: ignore[index]
        assert len(before.splitlines()) == len(after.splitlines())


def test_hints_and_docstring_leave_the_code_as_it_is() -> None:
    for beginning in ("Here it is with type hints", "Here it is with a docstring"):
        for before, after, _ in select_changes(beginning):
            bare, other = (_drop_annotations(code) for code in (before, after))
            assert bare == other
            assert before != after


def _drop_annotations(code: str) -> str:
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        if isinstance(node, ast.arg):
            node.annotation = None
        if isinstance(node, ast.ClassDef) and ast.get_docstring(node):
            node.body = node.body[1:]
    return re.sub(r": list\b(\[\w+\])?", "", ast.unparse(tree))


def test_a_class_without_the_change_is_refused() -> None:
    unchanged = [
        (f"```python\n{before}\n```", exchange)
        for before, exchange in iterate_changes(12)
        if exchange.group.startswith("follow-up")
    ]
    assert len(unchanged) > 30
    assert find_accepted(unchanged) == []


def test_a_class_keeps_the_methods_of_earlier_turns() -> None:
    extended = 0
    for conversation in draw_conversations(FAMILIES["later_class_stack"], 60):
        codes = [extract_code(e.answer) for e in conversation]
        for before, after in pairwise([code for code in codes if code.startswith("class ")]):
            assert len(list_methods(after)) >= len(list_methods(before)) - 1
            assert {"push", "pop"} <= set(list_methods(after))
            extended += len(list_methods(after)) > len(list_methods(before))
    assert extended > 20


def test_a_test_that_tests_nothing_is_refused() -> None:
    tests = [e for e in iterate_exchanges(families(), 30) if e.answer.startswith("Here is a test")]
    empty = [(re.sub(r"assert .*", "assert True", e.answer), e) for e in tests]
    assert len(tests) > 10
    assert find_accepted(empty) == []
