"""Matrices and series have the numbers of the question in their rows and columns."""

from __future__ import annotations

import ast
import json
import re

import pytest

from tests.train.demo.drawn_conversations import (
    draw_conversations,
    find_accepted,
    find_wrong_answers,
    iterate_exchanges,
)
from train.demo.evaluation.check import extract_code
from train.demo.tasks.plots.number_tables import families

MATRIX, SERIES = families()


def find_numbers(text: str) -> list[str]:
    return re.findall(r"(?<![\w.])\d+(?:\.\d+)?(?![\w.]*\w)", text)


@pytest.mark.slow
def test_reference_answers_pass_their_checks() -> None:
    assert find_wrong_answers(iterate_exchanges(families(), 12)) == {}


@pytest.mark.slow
def test_swapped_rows_are_refused() -> None:
    altered = []
    for first, *_ in draw_conversations(MATRIX, 10):
        line = next(line for line in first.answer.splitlines() if line.startswith("grid = "))
        rows = ast.literal_eval(line.removeprefix("grid = "))
        if rows != rows[::-1]:
            altered.append((first.answer.replace(line, f"grid = {rows[::-1]}"), first))
    assert len(altered) > 5
    assert find_accepted(altered) == []


def test_a_matrix_has_the_numbers_of_the_question_in_their_order() -> None:
    for first, *_ in draw_conversations(MATRIX, 80):
        (axes,) = json.loads(first.check.drawn)
        line = next(line for line in first.answer.splitlines() if line.startswith("grid = "))
        assert ast.literal_eval(line.removeprefix("grid = ")) == axes["grid"]
        shown = " ".join(find_numbers(line))
        assert shown in " ".join(find_numbers(first.question))


def test_labels_keys_and_numbers_of_series_are_those_of_the_question() -> None:
    for first, *_ in draw_conversations(SERIES, 80):
        (axes,) = json.loads(first.check.drawn)
        assert all(text in first.question for text in (*axes["labels"], *axes["legend"]))
        line = next(line for line in first.answer.splitlines() if line.startswith("data = "))
        found = ast.literal_eval(line.removeprefix("data = "))
        assert list(found.values()) == axes["series"]
        assert list(found) == axes["legend"]
        numbers = find_numbers("".join(line.split('"')[::2]))
        assert all(number in first.question for number in numbers)


def test_each_number_stands_beside_its_key() -> None:
    found = 0
    for first, *_ in draw_conversations(SERIES, 120):
        (axes,) = json.loads(first.check.drawn)
        label = axes["labels"][0]
        written = re.search(
            rf"(?<!\w){re.escape(label)}: {re.escape(axes['legend'][0])}( = |=| )", first.question
        )
        if written:
            line = next(line for line in first.answer.splitlines() if line.startswith("data = "))
            pairs = re.findall(r'"([^"]*)": \[([^,\]]*)', line)
            listed = ", ".join(f"{key}{written[1]}{value}" for key, value in pairs)
            assert f"{label}: {listed}" in first.question
            found += 1
    assert found > 10


def test_titles_are_those_of_the_question() -> None:
    titled = 0
    for exchange in iterate_exchanges(families(), 60):
        for title in re.findall(r'plt\.title\("(.*)"\)', exchange.answer)[-1:]:
            if exchange.group == "plots" or exchange.answer.startswith(
                "Here it is with that title"
            ):
                assert title in exchange.question
                titled += 1
    assert titled > 20


def test_follow_ups_repeat_the_numbers() -> None:
    for first, *others in draw_conversations(MATRIX, 40):
        line = next(line for line in first.answer.splitlines() if line.startswith("grid = "))
        assert all(line in extract_code(e.answer) for e in others if e.check.drawn)


def test_numbers_are_written_into_the_cells_once() -> None:
    written = [e for e in iterate_exchanges((MATRIX,), 100) if "numbers in the cells" in e.answer]
    assert written
    assert all(e.answer.count("plt.text(") == 1 for e in written)
    assert all(json.loads(e.check.drawn)[0]["written"] for e in written)
