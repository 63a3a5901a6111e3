"""Programs about numbers and words of the question print what Python computes."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from random import Random

import pytest

from tests.train.demo.drawn_conversations import find_accepted, find_wrong_answers
from train.demo.evaluation.check import extract_code
from train.demo.tasks.family import Exchange, TaskSampler
from train.demo.tasks.programs import given_values

MAKERS: dict[str, Callable[[TaskSampler], Exchange]] = {
    "print_list": given_values.draw_print_list,
    "sort_these": given_values.draw_sort_these,
    "squares": given_values.draw_squares,
    "print_evens": given_values.draw_print_evens,
    **{name: given_values.make_reduction(name) for name in given_values.REDUCTIONS},
}


def draw_exchanges(name: str, count: int = 20) -> list[Exchange]:
    return [MAKERS[name](TaskSampler(Random(f"{name} {seed}"))) for seed in range(count)]


def test_reference_answers_pass_their_checks() -> None:
    assert find_wrong_answers(e for name in MAKERS for e in draw_exchanges(name)) == {}


@pytest.mark.parametrize("name", MAKERS)
def test_the_values_are_those_of_the_question(name: str) -> None:
    for exchange in draw_exchanges(name):
        listed = re.search(r" = (\[.*\d\]|\[\".*\])", extract_code(exchange.answer))
        values = ast.literal_eval(listed[1]) if listed and " for " not in listed[1] else []
        if name not in ("squares", "print_evens"):
            assert values
        assert all(str(value) in exchange.question for value in values)


@pytest.mark.parametrize("name", MAKERS)
def test_a_program_about_one_value_more_is_refused(name: str) -> None:
    altered = []
    for exchange in draw_exchanges(name, 8):
        longer = re.sub(r"(\d|\")\]\n", r"\1, 1000]\n", exchange.answer, count=1)
        if longer == exchange.answer:
            longer = re.sub(r"range\((\d+), (\d+)", r"range(\1, 2 + \2", exchange.answer)
        assert longer != exchange.answer
        altered.append((longer, exchange))
    assert find_accepted(altered) == []


def test_descending_order_is_asked_for_in_words() -> None:
    found = draw_exchanges("sort_these", 60)
    reversed_ = [e for e in found if "reverse=True" in e.answer]
    assert 0 < len(reversed_) < len(found)
    for exchange in reversed_:
        assert re.search("desc|high|rever|order|low", exchange.question, re.IGNORECASE)


def test_the_number_of_drawn_integers_is_limited() -> None:
    lengths = {len(given_values.draw_integers(Random(seed), 2, 5)) for seed in range(200)}
    assert lengths == {2, 3, 4, 5}
