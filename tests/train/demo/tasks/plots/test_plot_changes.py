"""Each follow-up changes a plot in one way, and repeats the rest."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields, replace
from random import Random

import pytest

from tests.train.demo.drawn_conversations import draw_conversations, find_accepted
from train.demo.evaluation.check import extract_code
from train.demo.tasks.family import Exchange, TaskSampler
from train.demo.tasks.plots import plot_families
from train.demo.tasks.plots.plot_changes import (
    CHANGES,
    GROUP,
    MAX_TURNS,
    UNSEEN_KINDS,
    draw_changes,
)
from train.demo.tasks.plots.plot_questions import build_exchange
from train.demo.tasks.plots.plot_spec import PlotData, PlotSpec

BARS = PlotSpec("bar", PlotData(("Tom", "Kim", "Ann"), ("5", "3", "12")), title="Points")
HISTOGRAM = PlotSpec("hist", PlotData(values=("5", "3", "12", "4", "4")))
PIE = replace(BARS, kind="pie")


def iterate_changes(
    chart: PlotSpec = BARS, seeds: int = 8
) -> Iterator[tuple[PlotSpec, Exchange, set[str]]]:
    """Yield each change that fits: the plot after it, its exchange and the changed fields."""
    for change in dict.fromkeys(CHANGES):
        for seed in range(seeds):
            found = change(TaskSampler(Random(f"{change.__name__} {seed}")), chart)
            if found is not None:
                after, exchange = found
                names = [field.name for field in fields(PlotSpec)]
                differing = {n for n in names if getattr(after, n) != getattr(chart, n)}
                yield after, exchange, differing


def test_a_change_leaves_the_other_fields_as_they_are() -> None:
    together = ({"xlabel", "ylabel"}, {"kind", "xlabel", "ylabel", "color", "grid"})
    seen: set[str] = set()
    for _, _, differing in iterate_changes(seeds=40):
        assert len(differing) <= 1 or any(differing <= names for names in together)
        seen |= differing
    assert seen >= {"title", "xlabel", "ylabel", "color", "log", "grid", "kind", "order", "data"}


def test_texts_and_colours_of_a_change_are_those_of_the_question() -> None:
    for after, exchange, differing in iterate_changes():
        for name in differing & {"title", "xlabel", "ylabel", "color"}:
            if text := getattr(after, name):
                assert text in exchange.question
                assert f'"{text}"' in extract_code(exchange.answer)


def test_one_item_is_added_or_changed() -> None:
    for after, exchange, differing in iterate_changes(seeds=20):
        if "data" in differing:
            new = zip(after.data.names, after.data.values, strict=True)
            old = set(zip(BARS.data.names, BARS.data.values, strict=True))
            ((name, value),) = [pair for pair in new if pair not in old]
            assert name in exchange.question
            assert value in exchange.question
            assert after.data.names[: len(BARS.data.names)] == BARS.data.names


def test_changes_that_do_not_fit_are_not_drawn() -> None:
    assert not [d for _, _, d in iterate_changes(PIE) if d & {"xlabel", "ylabel", "color", "log"}]
    assert {name for _, _, d in iterate_changes(HISTOGRAM) for name in d} <= {
        "title",
        "xlabel",
        "ylabel",
        "color",
        "bins",
    }
    tied = replace(BARS, data=PlotData(("a", "b"), ("1", "1")))
    assert not [d for _, _, d in iterate_changes(tied) if "order" in d]
    below = replace(BARS, data=PlotData(("a", "b"), ("1", "-1")))
    assert not [d for _, _, d in iterate_changes(below) if "log" in d]


def test_no_plot_becomes_a_kind_that_is_held_out() -> None:
    kinds = {after.kind for after, _, _ in iterate_changes(seeds=60)}
    assert len(kinds) > 5
    assert not kinds & UNSEEN_KINDS


def test_the_check_expects_the_changed_plot() -> None:
    for after, exchange, _ in iterate_changes():
        (axes,) = json.loads(exchange.check.drawn)
        assert axes["title"] == after.title
        assert exchange.group == GROUP


@pytest.mark.slow
def test_a_plot_without_the_change_is_refused() -> None:
    unchanged = build_exchange(BARS, "", "Here it is:", GROUP).answer
    seen: set[str] = set()
    altered = []
    for _, exchange, differing in iterate_changes(seeds=2):
        # The checks of a figure do not look for a grid.
        if differing and differing != {"grid"}:
            seen |= differing
            altered.append((unchanged, exchange))
    assert len(seen) > 5
    assert find_accepted(altered) == []


def test_conversations_end_after_the_longest() -> None:
    first = build_exchange(BARS, "", "Here it is:", "plots")
    found = [draw_changes(TaskSampler(Random(seed)), BARS, first) for seed in range(100)]
    assert {len(exchanges) for exchanges in found} == {1, 2, 3, 4, MAX_TURNS}
    assert all(exchanges[0] is first for exchanges in found)


def test_a_follow_up_keeps_the_data_of_the_turn_before() -> None:
    (family,) = (family for family in plot_families.families() if family.name == "plot_scatter")
    for first, *others in draw_conversations(family, 30):
        definition = extract_code(first.answer).split("\n\n")[1]
        plots = [e for e in others if e.check.drawn]
        assert all(definition in e.answer for e in plots)
