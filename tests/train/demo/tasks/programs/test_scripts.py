"""Short programs take names and numbers from the question; others in their place are wrong."""

from __future__ import annotations

import re
from random import Random

import pytest

from tests.train.demo.drawn_conversations import (
    draw_conversations,
    find_accepted,
    find_wrong_answers,
    iterate_exchanges,
)
from train.demo.evaluation.check import extract_code
from train.demo.tasks.family import Exchange, TaskSampler
from train.demo.tasks.programs.scripts import families, make_drawer

FAMILIES = {family.name: family for family in families()}
ALTERATIONS: dict[str, tuple[str, str]] = {
    "print_range": (r"range\((\d+), ", r"range(1 + \1, "),
    "print_text": (r'print\("', 'print("not '),
    "make_pairs": (r": (\d+)}", r": \1 + 1}"),
    "greet": (r"!", "?"),
    "while_loop": ("<=", "<"),
    "times_table": ("range\\(1, 11\\)", "range(1, 10)"),
    "variables": (r" = (\d+)\n", r" = 1 + \1\n"),
    "arithmetic": (r"\)\n```", " + 1)\n```"),
    "random_number": (r"randint\((\d+), ", r"randint(1 + \1, "),
    "if_else": (">=", ">"),
    "append_item": (r"append\(", "extend([5] * "),
    "lambda": (r"(\d+)\n```", r"\1 + 1\n```"),
    "try_except": (r"return (\S+)\n```", "return [\\1]\n```"),
    "input_name": (", ", ", 1, "),
    "constant": (r"return (\d+)\n```", r"return 1 + \1\n```"),
}
"""A pattern in the code of each family, and a replacement that makes it wrong."""


def test_reference_answers_pass_their_checks() -> None:
    assert find_wrong_answers(iterate_exchanges(families(), 8)) == {}


@pytest.mark.parametrize("name", ALTERATIONS)
def test_an_altered_program_is_refused(name: str) -> None:
    pattern, replacement = ALTERATIONS[name]
    altered: list[tuple[str, Exchange]] = []
    for first, *_ in draw_conversations(FAMILIES[name], 10):
        code = first.answer[first.answer.index("```python") :]
        changed = re.sub(pattern, replacement, code, count=1)
        assert changed != code
        altered.append((changed, first))
    assert find_accepted(altered) == []


@pytest.mark.parametrize(
    "name", [name for name, family in FAMILIES.items() if name not in ("times_table", "squares")]
)
def test_texts_of_the_program_are_those_of_the_question(name: str) -> None:
    for first, *_ in draw_conversations(FAMILIES[name], 30):
        if first.check.named:
            assert first.check.name in first.question
        if name in ("make_pairs", "print_list", "print_text", "if_else"):
            texts = re.findall(r'"([^"]*)"', extract_code(first.answer))
            assert texts
            assert all(text in first.question for text in texts)


@pytest.mark.parametrize(
    "name", ["while_loop", "times_table", "variables", "arithmetic", "if_else"]
)
def test_numbers_of_the_program_are_those_of_the_question(name: str) -> None:
    own = {"while_loop": {"1"}, "times_table": {"1", "11"}}.get(name, set())
    for first, *_ in draw_conversations(FAMILIES[name], 30):
        numbers = set(re.findall(r"\b\d+\b", extract_code(first.answer))) - own
        assert all(number in first.question for number in numbers)


def test_a_drawer_begins_with_the_exchange_of_its_maker() -> None:
    first = draw_conversations(FAMILIES["greet"], 1)[0][0]
    drawer = make_drawer(lambda sampler: first)
    lengths = set()
    for conversation in (drawer(TaskSampler(Random(n))) for n in range(40)):
        assert conversation[0] is first
        lengths.add(len(conversation))
    assert {1, 2} <= lengths <= {1, 2, 3, 4}
