"""Style changes say their values in the question and change nothing else."""

from __future__ import annotations

from dataclasses import fields, replace
from random import Random

import pytest

from tests.train.demo.drawn_conversations import find_accepted
from train.demo.evaluation.check import extract_code
from train.demo.tasks.family import TaskSampler
from train.demo.tasks.plots.plot_spec import PlotData
from train.demo.tasks.plots.style_changes import (
    MARKERS,
    StyleChange,
    ask_for_change,
    draw_joint_change,
    draw_single_change,
    enlarge_figure,
    list_style_changes,
)
from train.demo.tasks.plots.styled_plot import StyledPlot, build_styled_exchange

LINE = StyledPlot("line", PlotData(("a", "b", "c"), ("1", "3", "2")), title="Rain")
PIE = replace(LINE, kind="pie")
MATRIX = StyledPlot("matrix", PlotData(rows=(("1", "2"), ("3", "4"))))


def find_difference(before: StyledPlot, after: StyledPlot) -> set[str]:
    names = [field.name for field in fields(StyledPlot)]
    return {name for name in names if getattr(before, name) != getattr(after, name)}


def draw_every_change(chart: StyledPlot, seeds: int = 10) -> list[StyleChange]:
    found = [
        change(TaskSampler(Random(f"{change.__name__} {seed}")), chart)
        for change in dict.fromkeys(list_style_changes(chart))
        for seed in range(seeds)
    ]
    return [change for change in found if change is not None]


def test_a_change_is_of_one_subject() -> None:
    changes = draw_every_change(LINE)
    assert {change.name for change in changes} == set(
        "title untitle labels color grid dotted dotted_color thick width marks marks_named bigger "
        "size turn turn_by save".split()
    )
    for change in changes:
        differing = find_difference(LINE, change.after)
        assert differing in (
            {"xlabel", "ylabel"},
            {"style", "color"},
            *({field.name} for field in fields(StyledPlot)),
        )


def test_values_of_a_change_are_those_of_the_question_and_the_code() -> None:
    for seed, change in enumerate(draw_every_change(LINE)):
        _, exchange = ask_for_change(TaskSampler(Random(seed)), change)
        assert all(value in exchange.question for value in change.slots.values())
        assert "{" not in exchange.question
        if change.name != "marks_named":
            code = extract_code(exchange.answer)
            assert all(value in code for value in change.slots.values())


def test_words_for_a_marker_mean_that_marker() -> None:
    words = {word: marker for marker, words in MARKERS.items() for word in words}
    for change in draw_every_change(LINE, seeds=30):
        if change.name == "marks_named":
            assert words[change.slots["m"]] == change.after.marker


def test_changes_fit_the_kind_of_plot() -> None:
    fit = {
        kind: {c.name for c in draw_every_change(chart)}
        for kind, chart in (("pie", PIE), ("matrix", MATRIX))
    }
    assert fit["pie"] == {"title", "untitle", "bigger", "size", "save"}
    assert fit["matrix"] == {"title", "labels", "bigger", "size", "save"}
    assert enlarge_figure(TaskSampler(Random(1)), replace(LINE, size=("4", "3"))) is None


def test_a_change_that_was_made_is_not_drawn_again() -> None:
    made = replace(
        LINE, title="", style=":", width="3", marker="o", size=("10", "6"), turned="45",
        saved="a.png", grid=True,
    )  # fmt: skip
    names = {change.name for change in draw_every_change(made)}
    assert not names & {"untitle", "grid", "dotted", "thick", "marks", "bigger", "turn", "save"}


def test_joint_changes_have_different_subjects() -> None:
    joined = 0
    for seed in range(200):
        found = draw_joint_change(TaskSampler(Random(seed)), LINE)
        if found is not None:
            after, exchange = found
            assert len(find_difference(LINE, after)) >= 2
            assert exchange.answer.startswith("Here it is with ")
            assert not {"{a}", "{b}", "{d}"} & set(exchange.question.split())
            joined += 1
    assert joined > 50


@pytest.mark.slow
def test_the_changed_plot_passes_and_the_plot_before_is_refused() -> None:
    found = [
        found
        for seed in range(40)
        if (found := draw_single_change(TaskSampler(Random(seed)), LINE)) is not None
    ]
    assert find_accepted((exchange.answer, exchange) for _, exchange in found) == [
        exchange.answer for _, exchange in found
    ]
    before = build_styled_exchange(LINE, "", "Here it is:", "plots").answer
    # The checks of a figure do not look for a grid.
    visible = [(before, e) for after, e in found if find_difference(LINE, after) != {"grid"}]
    assert find_accepted(visible) == []
