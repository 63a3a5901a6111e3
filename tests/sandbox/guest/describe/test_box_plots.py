"""Statistics that are read back from the lines of box plots."""

from __future__ import annotations

from typing import Literal

import pytest
from matplotlib.figure import Figure

from starchat_tui.sandbox.guest.describe.box_plots import BoxStatistics, describe_box, find_boxes

VALUES = [1, 2, 3, 4, 20]


@pytest.mark.parametrize("orientation", ["vertical", "horizontal"])
@pytest.mark.parametrize("filled", [False, True])
def test_the_statistics_of_a_box(
    orientation: Literal["vertical", "horizontal"], filled: bool
) -> None:
    axes = Figure().subplots()
    axes.boxplot([VALUES], orientation=orientation, patch_artist=filled)
    boxes, box_lines = find_boxes(axes)
    assert boxes == [
        BoxStatistics(
            position=1,
            low_whisker=1,
            first_quartile=2,
            median=3,
            third_quartile=4,
            high_whisker=4,
            outliers=1,
            horizontal=orientation == "horizontal",
        )
    ]
    assert box_lines == {id(line) for line in axes.lines}


def test_each_box_has_its_own_statistics() -> None:
    axes = Figure().subplots()
    axes.boxplot([[1, 2, 3], [10, 20, 30]], tick_labels=["a", "b"])
    assert [describe_box(axes, box) for box in find_boxes(axes)[0]] == [
        "box a: 1 to 3, quartiles 1.5 and 2.5, median 2",
        "box b: 10 to 30, quartiles 15 and 25, median 20",
    ]


def test_outliers_are_counted_in_the_description() -> None:
    axes = Figure().subplots()
    axes.boxplot([VALUES])
    (box,) = find_boxes(axes)[0]
    expected = "box 1: 1 to 4, quartiles 2 and 4, median 3, outliers: 1"
    assert describe_box(axes, box) == expected


def test_a_rectangle_without_a_median_is_no_box() -> None:
    axes = Figure().subplots()
    axes.plot([0, 1, 1, 0, 0], [0, 0, 1, 1, 0])
    assert find_boxes(axes) == ([], set())


def test_other_lines_stay_lines() -> None:
    axes = Figure().subplots()
    axes.boxplot([VALUES])
    (line,) = axes.plot([0, 1, 2, 3], [0, 1, 2, 3])
    assert id(line) not in find_boxes(axes)[1]
