"""Bars, pies, lines and points as text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from matplotlib.figure import Figure

from starchat_tui.sandbox.guest.describe.marks import describe_marks

MARKS: dict[str, tuple[Callable[[Any], object], list[str]]] = {
    "bars": (lambda axes: axes.bar(["a", "b"], [1, 2.5], label="n"), ['bars "n": a 1, b 2.5']),
    "horizontal bars": (lambda axes: axes.barh(["a", "b"], [1, 2]), ["bars: a 1, b 2"]),
    "a bar without a value": (lambda axes: axes.bar([1, 2], [float("nan"), 3]), ["bars: 2 3"]),
    "histogram": (
        lambda axes: axes.hist([1, 1, 2, 4], bins=3),
        ["histogram: 1 to 2: 2; 2 to 3: 1; 3 to 4: 1"],
    ),
    "pie": (lambda axes: axes.pie([1, 3], labels=["x", "y"]), ["pie: x 25 %, y 75 %"]),
    "line": (lambda axes: axes.plot([1, 2], [3, 4.5]), ["line: (1, 3), (2, 4.5)"]),
    "a line with gaps": (lambda axes: axes.plot([1, None, 2]), ["line: (0, 1), (2, 2)"]),
    "an invisible line": (lambda axes: axes.plot([1], visible=False), []),
    "a limit": (lambda axes: axes.axhline(3, label="max"), ['horizontal line "max" at 3']),
    "a moment": (lambda axes: axes.axvline(2), ["vertical line at 2"]),
    "points": (lambda axes: axes.scatter([1], [2], label="p"), ['points "p": (1, 2)']),
}


@pytest.mark.parametrize("name", MARKS)
def test_marks_are_described_by_their_values(name: str) -> None:
    draw, expected = MARKS[name]
    axes = Figure().subplots()
    draw(axes)
    assert list(describe_marks(axes, set())) == expected


def test_a_long_line_is_described_by_its_ends_and_extent() -> None:
    axes = Figure().subplots()
    axes.plot(range(1000))
    (line,) = describe_marks(axes, set())
    assert line.startswith("line: (0, 0), (1, 1), ")
    assert line.endswith(", (999, 999) (1000 points, x 0 to 999, y 0 to 999)")


def test_many_bars_are_cut() -> None:
    axes = Figure().subplots()
    axes.bar(range(0, 124, 2), [1] * 62)
    (line,) = describe_marks(axes, set())
    assert line.endswith("118 1, and 2 more")


def test_a_label_belongs_to_the_closest_point() -> None:
    axes = Figure().subplots()
    axes.scatter([0, 10, 20], [0, 10, 0])
    axes.annotate("b", (10, 10), xytext=(0, 0))
    axes.text(0.2, 0.1, "a")
    axes.text(20, 5, "note")
    used_texts: set[int] = set()
    assert list(describe_marks(axes, used_texts)) == ["points: a (0, 0), b (10, 10), (20, 0)"]
    assert used_texts == {id(axes.texts[0]), id(axes.texts[1])}


def test_numbers_on_bars_are_not_described_again() -> None:
    axes = Figure().subplots()
    axes.bar_label(axes.bar(["a", "b"], [1, 2.5]))
    axes.text(0, 0, "a note")
    used_texts: set[int] = set()
    list(describe_marks(axes, used_texts))
    assert [text.get_text() for text in axes.texts if id(text) not in used_texts] == ["a note"]


def test_groups_of_bars_take_their_names_from_the_legend() -> None:
    axes = Figure().subplots()
    groups = [axes.bar([0, 2], [1, 2]), axes.bar([1, 3], [3, 4])]
    axes.legend(groups, ["men", "women"])
    assert list(describe_marks(axes, set())) == ['bars "men": 0 1, 2 2', 'bars "women": 1 3, 3 4']


def test_points_in_three_dimensions_keep_all_coordinates() -> None:
    axes = Figure().add_subplot(projection="3d")
    axes.scatter([1], [2], [3])
    assert list(describe_marks(axes, set())) == ["points: (1, 2, 3)"]
