"""Tables hold the data of the question, and each operation gives the rows that it asks for."""

from __future__ import annotations

import json
import re

import pytest

from tests.train.demo.drawn_conversations import (
    draw_conversations,
    find_accepted,
    find_quoted,
    find_wrong_answers,
    iterate_exchanges,
)
from train.demo.evaluation.check import extract_code
from train.demo.tasks.family import Exchange
from train.demo.tasks.frames.data_frames import FOLLOW_UPS, families

FAMILIES = {family.name: family for family in families()}
ALTERATIONS = (
    ("sort_values(", "drop_duplicates("),
    ("] > ", "] < "),
    ("idxmax", "idxmin"),
    (".mean()", ".sum()"),
    (".sum()", ".mean()"),
    ("] * ", "] + "),
    ("value_counts()", "drop_duplicates()"),
    ('kind="', 'kind="pie'),
)
"""Operations of the answers, and others in their place."""


def find_definition(exchange: Exchange) -> str:
    """Return the lines that define the data, between the imports and the operation."""
    lines = extract_code(exchange.answer).split("\n\n")[1].splitlines()
    return "\n".join(line for line in lines if not line.startswith(("df", "print")))


@pytest.mark.slow
def test_reference_answers_pass_their_checks() -> None:
    assert find_wrong_answers(iterate_exchanges(families(), 6)) == {}


@pytest.mark.slow
def test_another_operation_is_refused() -> None:
    altered = [
        (e.answer.replace(old, new), e)
        for e in iterate_exchanges(families(), 1)
        for old, new in ALTERATIONS
        if old in e.answer
    ]
    assert len(altered) > 8
    # The mean and the sum of groups with one row each are equal.
    accepted = find_accepted(altered)
    assert [answer for answer in accepted if "groupby" not in answer] == []


@pytest.mark.parametrize("name", FAMILIES)
def test_labels_and_numbers_are_those_of_the_question(name: str) -> None:
    for first, *_ in draw_conversations(FAMILIES[name], 25):
        definition = find_definition(first)
        for label in find_quoted(definition.partition("columns=")[0]):
            assert label in first.question
        for number in re.findall(r"[ (\[]([\d.]+)(?=[,\])}])", definition):
            assert number in first.question


def test_follow_ups_work_on_the_same_table() -> None:
    longer = 0
    for family in families():
        for first, *others in draw_conversations(family, 30):
            assert all(find_definition(e) == find_definition(first) for e in others)
            longer += bool(others)
    assert longer > 20


def test_a_filter_keeps_some_rows_and_drops_some() -> None:
    for first, *_ in draw_conversations(FAMILIES["frame_filter"], 40):
        (_, kept), _ = first.check.probes
        data = first.question
        assert 0 < len(json.loads(kept)) < len(find_quoted(find_definition(first)))
        assert all(label in data for label in json.loads(kept))


def test_sums_are_held_out_from_follow_ups() -> None:
    assert not {"frame_sum", "frame_group_sum", "frame_count"} & set(FOLLOW_UPS)
