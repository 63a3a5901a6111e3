"""Style changes fit the kind of plot, and joined ones do not contradict each other."""

from __future__ import annotations

from random import Random

import pytest

from train.demo.tasks.family import TaskSampler
from train.demo.tasks.plots import style_changes
from train.demo.tasks.plots.plot_spec import PlotData
from train.demo.tasks.plots.styled_plot import StyledPlot

DATA = PlotData(("a", "b", "c"), ("1", "3", "2"))


@pytest.mark.parametrize("kind", ["bar", "line", "pie", "hist"])
def test_only_lines_get_line_styles(kind: str) -> None:
    plot = StyledPlot(kind, DATA)
    changed = [
        change.after
        for seed in range(60)
        for changer in style_changes.list_style_changes(plot)
        if (change := changer(TaskSampler(Random(seed)), plot))
    ]
    assert changed
    styled = any(after.style or after.width or after.marker for after in changed)
    assert styled == (kind == "line")


def test_a_joint_change_touches_each_subject_once() -> None:
    plot = StyledPlot("line", DATA)
    joined = 0
    for seed in range(200):
        found = style_changes.draw_joint_change(TaskSampler(Random(seed)), plot)
        if found is None:
            continue
        after, exchange = found
        joined += 1
        assert after != plot
        assert "changes" in exchange.answer
    assert joined > 50


def test_changes_of_the_same_subject_conflict() -> None:
    plot = StyledPlot("line", DATA, title="T")
    sampler = TaskSampler(Random(1))
    title = style_changes.change_title(sampler, plot)
    removal = style_changes._remove_title(sampler, plot)
    larger = style_changes.enlarge_figure(sampler, plot)
    assert removal is not None
    assert larger is not None
    assert style_changes._conflicts(title, removal)
    assert not style_changes._conflicts(title, larger)
