"""Lines of box characters, marks and legends of figures that are drawn for cells."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

plt: Any = pytest.importorskip("matplotlib.pyplot")

from starchat_tui.sandbox.guest.grid_labels import Label  # noqa: E402
from starchat_tui.sandbox.guest.grid_layout import draw_grid  # noqa: E402


@pytest.fixture(autouse=True)
def _fresh_figures() -> Iterator[None]:
    with plt.rc_context({"backend": "Agg"}):
        yield
    plt.close("all")


def draw() -> list[Label]:
    """Draw the current figure for cells."""
    return draw_grid(plt.gcf(), 80, 24, 2)[1]


def find(labels: list[Label], text: str) -> Label:
    (found,) = (one for one in labels if one.text == text)
    return found


def test_ticks_stand_beside_their_labels() -> None:
    plt.bar(["Python", "JavaScript", "C++"], [67.3, 61.2, 58.8])
    labels = draw()
    marks = {one.row for one in labels if one.text == "┤"}
    numbers = {one.row for one in labels if one.text.isdecimal() and one.text != "0"}
    assert marks >= numbers > set()
    (line,) = (one for one in labels if "┬" in one.text)
    assert line.text.startswith("└")
    for name in ("Python", "JavaScript", "C++"):
        label = find(labels, name)
        assert label.row == line.row + 1
        assert "┬" in line.text[label.column - line.column : label.end - line.column]


def test_lines_are_where_the_spines_are() -> None:
    plt.plot([1, 2])
    plt.gca().spines["left"].set_visible(False)
    plt.gca().xaxis.tick_top()
    labels = draw()
    assert not {"│", "┤", "├"} & {one.text for one in labels}
    (line,) = (one for one in labels if "─" in one.text)
    assert "┴" in line.text
    assert line.row == find(labels, "0.0").row + 1


@pytest.mark.parametrize("plot", ["pie", "axis off", "polar"])
def test_axes_without_spines_have_no_lines(plot: str) -> None:
    if plot == "polar":
        plt.subplot(projection="polar")
    elif plot == "pie":
        plt.pie([1, 2], labels=["a", "b"])
    else:
        plt.plot([1, 2])
        plt.axis("off")
    assert not [one for one in draw() if set(one.text) & set("│─┤┬└")]


def test_a_line_has_the_color_of_its_spine() -> None:
    plt.plot([1, 2])
    plt.gca().spines["left"].set_edgecolor("red")
    assert {one.color for one in draw() if one.text in "│┤"} == {"ff0000"}


def test_a_legend_has_a_character_in_the_color_of_each_entry() -> None:
    plt.plot([1, 2], color="#010203", label="line")
    plt.plot([2, 1], "o", color="#040506", label="marker")
    plt.scatter([1], [1], color="#070809", label="points")
    plt.bar([1], [1], color="#0a0b0c", label="bar")
    plt.bar([0], [1], fill=False, edgecolor="#0d0e0f", label="outline")
    plt.errorbar([0], [1], yerr=[1], fmt="none", ecolor="#111111", label="error")
    plt.legend(title="kinds", loc="upper center")
    labels = draw()
    expected = {
        "line": ("━━", "010203"),
        "marker": ("●", "040506"),
        "points": ("●", "070809"),
        "bar": ("■", "0a0b0c"),
        "outline": ("■", "0d0e0f"),
    }
    rows = [find(labels, name).row for name in ("kinds", *expected)]
    assert rows == list(range(rows[0], rows[0] + len(rows))), "one row an entry"
    for name, sign in expected.items():
        entry = find(labels, name)
        signs = [one for one in labels if one.row == entry.row and one.column == entry.column - 3]
        assert [(one.text, one.color) for one in signs] == [sign]
    assert find(labels, "error")


def test_titles_come_before_what_stands_in_their_way() -> None:
    plt.plot([1, 2])
    plt.title("the title of it all")
    plt.text(0.5, 1.03, "in the way", transform=plt.gca().transAxes, ha="center")
    labels = draw()
    title = find(labels, "the title of it all")
    assert find(labels, "in the way").row != title.row
