"""Figures are read from their artists: values, labels, colors and texts."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib as mpl
import pytest
from matplotlib import pyplot as plt

from train.demo.evaluation import figure_reader


@pytest.fixture(autouse=True)
def no_screen() -> Iterator[None]:
    mpl.use("Agg")
    yield
    plt.close("all")


def read() -> figure_reader.AxesState:
    (state,) = figure_reader.read_figures()
    return state


def test_bars_have_their_names_lengths_and_colors() -> None:
    plt.bar(["a", "b"], [3, 5], color="red")
    plt.title("T")
    state = read()
    assert state["title"] == "T"
    (bars,) = state["bars"]
    assert [(bar["name"], bar["length"], bar["flat"]) for bar in bars] == [
        ("a", 3.0, False),
        ("b", 5.0, False),
    ]
    assert {bar["color"] for bar in bars} == {"#ff0000"}


def test_horizontal_bars_are_named_on_the_other_axis() -> None:
    plt.barh(["a", "b"], [3, 5])
    (bars,) = read()["bars"]
    assert [(bar["name"], bar["length"], bar["flat"]) for bar in bars] == [
        ("a", 3.0, True),
        ("b", 5.0, True),
    ]


def test_a_line_keeps_its_points_and_its_style() -> None:
    plt.plot([1, 2, 4], [5, 6, 7], linestyle=":", linewidth=3, marker="o")
    (line,) = read()["lines"]
    assert (line["x"], line["y"]) == ([1.0, 2.0, 4.0], [5.0, 6.0, 7.0])
    assert (line["style"], line["width"], line["marker"], line["step"]) == (":", 3.0, "o", False)


def test_a_pie_has_shares_and_a_hole_if_it_is_a_donut() -> None:
    plt.pie([1, 3], labels=["a", "b"], wedgeprops={"width": 0.4})
    wedges = read()["wedges"]
    assert [(wedge["name"], wedge["hole"]) for wedge in wedges] == [("a", True), ("b", True)]
    assert [wedge["share"] for wedge in wedges] == pytest.approx([0.25, 0.75])


def test_a_scatter_plot_has_points_and_annotations() -> None:
    plt.scatter([1, 2], [3, 4])
    plt.annotate("Tom", (1, 3))
    state = read()
    assert state["points"][0]["xy"] == [[1.0, 3.0], [2.0, 4.0]]
    assert state["texts"] == [{"text": "Tom", "xy": [1.0, 3.0]}]


def test_unused_axes_and_color_bars_are_left_out() -> None:
    _, (left, _right) = plt.subplots(1, 2)
    image = left.imshow([[1, 2], [3, 4]])
    plt.colorbar(image, ax=left)
    assert read()["grids"] == [[[1.0, 2.0], [3.0, 4.0]]]


def test_axes_come_in_the_order_in_which_they_were_made() -> None:
    _, axes = plt.subplots(1, 2)
    axes[1].bar(["x"], [2])
    axes[0].bar(["x"], [1])
    lengths = [state["bars"][0][0]["length"] for state in figure_reader.read_figures()]
    assert lengths == [1.0, 2.0]
