"""Casually requested plots have the data of the sentence, and follow-ups that fit."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest

from tests.train.demo.drawn_conversations import (
    draw_conversations,
    find_accepted,
    find_wrong_answers,
    iterate_exchanges,
)
from train.demo.evaluation.check import extract_code
from train.demo.tasks.family import TaskSampler
from train.demo.tasks.plots.casual_plots import (
    CANNOT,
    CLARIFICATIONS,
    change_kind,
    decline_change,
    draw_plain_change,
    families,
)
from train.demo.tasks.plots.plot_changes import MAX_TURNS
from train.demo.tasks.plots.plot_kinds import PLOT_KINDS
from train.demo.tasks.plots.plot_spec import PlotData
from train.demo.tasks.plots.styled_plot import StyledPlot

FAMILIES = {family.name: family for family in families()}
BARS = StyledPlot("bar", PlotData(("a", "b", "c"), ("1", "3", "2")), xlabel="x", color="red")
GROUPED = StyledPlot(
    "grouped", PlotData(("a", "b"), keys=("k", "l"), rows=(("1", "2"), ("3", "4")))
)


@pytest.mark.slow
def test_reference_answers_pass_their_checks() -> None:
    assert find_wrong_answers(iterate_exchanges(families(), 10)) == {}


@pytest.mark.slow
def test_a_plot_of_an_earlier_turn_is_refused() -> None:
    altered = []
    for conversation in draw_conversations(FAMILIES["later_plot_kinds"], 20):
        plots = [e for e in conversation if e.check.drawn]
        for before, after in pairwise(plots):
            if json.loads(before.check.drawn) != json.loads(after.check.drawn):
                altered.append((before.answer, after))
    assert len(altered) > 10
    # A plain kind accepts what only adds to it: markers or percentages.
    assert len(find_accepted(altered)) <= len(altered) // 5


def test_labels_and_numbers_are_those_of_the_sentence() -> None:
    for first, *_ in draw_conversations(FAMILIES["later_plot_casual"], 120):
        (axes,) = json.loads(first.check.drawn)
        assert all(label in first.question for label in axes["labels"])
        definition = extract_code(first.answer).split("\n\n")[1]
        outside_quotes = "".join(definition.split('"')[::2])
        numbers = re.findall(r"-?\d[\d.]*", outside_quotes)
        assert len(numbers) == len(axes["labels"])
        assert all(number in first.question for number in numbers)


def test_a_plot_without_a_named_kind_has_bars() -> None:
    kinds = {
        json.loads(first.check.drawn)[0]["kind"]
        for first, *_ in draw_conversations(FAMILIES["later_plot_casual"], 120)
    }
    assert kinds == {"bar", "line", "pie"}


@pytest.mark.parametrize("name", FAMILIES)
def test_conversations_are_not_too_long(name: str) -> None:
    turns = {len(conversation) for conversation in draw_conversations(FAMILIES[name], 80)}
    assert len(turns) >= 3
    assert max(turns) <= MAX_TURNS


@pytest.mark.parametrize("chart", [BARS, GROUPED], ids=lambda chart: chart.kind)
def test_another_kind_shows_the_same_data(chart: StyledPlot) -> None:
    kinds = set()
    for seed in range(60):
        found = change_kind(TaskSampler(Random(seed)), chart)
        if found is not None:
            after, exchange = found
            assert after.kind != chart.kind
            assert after.data == chart.data
            assert PLOT_KINDS[after.kind].names[0] in exchange.answer
            if after.kind in ("pie", "percent"):
                assert (after.xlabel, after.color) == ("", "")
            kinds.add(after.kind)
    assert len(kinds) > 1


def test_kinds_that_cannot_show_the_data_are_left_out() -> None:
    below = replace(BARS, data=PlotData(("a", "b"), ("1", "-3")))
    found = [change_kind(TaskSampler(Random(seed)), below) for seed in range(80)]
    kinds = {after.kind for turn in found if turn is not None for after in turn[:1]}
    assert kinds
    assert not kinds & {"pie", "percent", "area"}
    assert change_kind(TaskSampler(Random(1)), replace(BARS, log=True)) is None


def test_a_plain_change_keeps_the_style() -> None:
    styled = replace(BARS, kind="line", style=":", size=("10", "6"))
    for seed in range(40):
        found = draw_plain_change(TaskSampler(Random(seed)), styled)
        if found is not None:
            after, exchange = found
            assert after.size == styled.size
            assert "figsize=(10, 6)" in exchange.answer
            assert (after.style == ":") == ('linestyle=":"' in exchange.answer)


def test_an_unknown_change_is_declined_and_a_missing_detail_is_asked_for() -> None:
    answers = set()
    for seed in range(60):
        after, exchange = decline_change(TaskSampler(Random(seed)), BARS)
        assert after is BARS
        assert find_accepted([("I do it.", exchange)]) == []
        answers.add(exchange.answer)
    assert answers == {CANNOT, *CLARIFICATIONS.values()}
