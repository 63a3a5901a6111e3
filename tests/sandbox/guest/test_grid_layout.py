"""Figures of many kinds, laid out for a grid of cells: every text readable, none over another."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from PIL import Image

plt: Any = pytest.importorskip("matplotlib.pyplot")
np: Any = pytest.importorskip("numpy")

from starchat_tui.sandbox.guest.frame_protocol import GRID_CELL  # noqa: E402
from starchat_tui.sandbox.guest.grid_labels import Label, measure_text  # noqa: E402
from starchat_tui.sandbox.guest.grid_layout import choose_size, draw_grid  # noqa: E402


@pytest.fixture(autouse=True)
def _fresh_figures() -> Iterator[None]:
    with plt.rc_context({"backend": "Agg"}):
        yield
    plt.close("all")


def draw_line() -> list[str]:
    plt.plot([0, 1, 2], [5, 9, 7], label="one")
    plt.plot([0, 1, 2], [9, 6, 7], "--", label="two")
    plt.legend(loc="upper left")
    plt.grid(True)
    plt.title("Two lines")
    plt.xlabel("time (s)")
    plt.ylabel("amplitude")
    return ["Two lines", "time (s)", "amplitude", "one", "two", "━━"]


def draw_scatter() -> list[str]:
    for name in ("setosa", "virginica"):
        plt.scatter([1, 2, 3], [len(name) * 1e6, 4e6, 3e6], label=name)
    plt.legend(title="species")
    plt.ylabel("width")
    return ["species", "setosa", "virginica", "●", "width (1e6)"]


def draw_bars() -> list[str]:
    plt.bar(["Python", "JavaScript", "C++"], [67.3, 61.2, 58.8], color=["C0", "C1", "C2"])
    plt.xticks(rotation=45, ha="right")
    return ["Python", "JavaScript", "C++", "0", "60"]


def draw_heat_map() -> list[str]:
    fig, ax = plt.subplots()
    image = ax.imshow([[0.12, 0.5], [0.75, 1]])
    fig.colorbar(image, label="value")
    ax.set_yticks([0, 1], ["upper", "lower"])
    ax.text(0, 0, "0.12", ha="center", color="w")
    return ["value", "upper", "lower", "0.12"]


def draw_subplots() -> list[str]:
    fig, grid = plt.subplots(2, 2)
    for at, ax in enumerate(grid.flat):
        ax.plot([1, 2, at])
        ax.set_title(f"part {at}")
    fig.suptitle("Four parts")
    return ["Four parts", "part 0", "part 1", "part 2", "part 3"]


def draw_pie() -> list[str]:
    plt.pie([35, 25, 40], labels=["frogs", "hogs", "dogs"], autopct="%1.0f%%")
    return ["frogs", "hogs", "dogs", "35%", "25%", "40%"]


def draw_surface() -> list[str]:
    ax = plt.figure().add_subplot(projection="3d")
    x, y = np.meshgrid(np.arange(9), np.arange(9))
    ax.plot_surface(x, y, x * y)
    ax.set_xlabel("x axis")
    return ["x axis"]


def draw_polar() -> list[str]:
    plt.subplot(projection="polar").plot([0, 1, 2], [1, 2, 3])
    return ["0°", "180°"]


def draw_twins() -> list[str]:
    ax = plt.subplots()[1]
    ax.plot([1, 2], [10, 20])
    ax.set_ylabel("rain")
    ax.twinx().plot([1, 2], [30, 25])
    plt.ylabel("heat")
    return ["rain", "heat", "10", "30"]


def draw_dates() -> list[str]:
    plt.plot(np.arange("2023-01", "2024-01", dtype="datetime64[M]"), range(12))
    plt.gcf().autofmt_xdate()
    return ["2023-03"]


def draw_logarithms() -> list[str]:
    plt.loglog([1, 1e5], [1, 1e-3])
    plt.xlabel(r"$\lambda$ [nm]")
    return ["λ [nm]", "10⁰", "10⁻¹"]


def draw_constrained() -> list[str]:
    fig = plt.figure(layout="constrained")
    fig.add_subplot().plot([1, 2])
    fig.supxlabel("below")
    return ["below"]


def draw_words() -> list[str]:
    plt.figure().text(0.5, 0.5, "only\nwords", ha="center")
    return ["only", "words"]


def draw_wide_words() -> list[str]:
    plt.barh(["苹果", "apple"], [1, 2])
    return ["苹果", "apple"]


KINDS: list[Callable[[], list[str]]] = [
    *(draw_line, draw_scatter, draw_bars, draw_heat_map, draw_subplots, draw_pie, draw_surface),
    *(draw_polar, draw_twins, draw_dates, draw_logarithms, draw_constrained, draw_words),
    draw_wide_words,
]


def find_overlaps(labels: list[Label]) -> list[Label]:
    taken: set[tuple[int, int]] = set()
    found = []
    for label in labels:
        cells = {(label.row, label.column + at) for at in range(measure_text(label.text))}
        if cells & taken:
            found.append(label)
        taken |= cells
    return found


@pytest.mark.parametrize("columns", [60, 80, 120])
@pytest.mark.parametrize("draw", KINDS)
def test_the_texts_of_a_figure_can_be_read(draw: Callable[[], list[str]], columns: int) -> None:
    expected = draw()
    png, labels = draw_grid(plt.gcf(), columns, 24, 2)
    image = Image.open(io.BytesIO(png))
    width, height = image.width // GRID_CELL[0], image.height // GRID_CELL[1]
    assert 20 < width <= columns
    assert 9 < height <= 24
    assert not find_overlaps(labels)
    assert all(0 <= one.row < height and one.column >= 0 and one.end <= width for one in labels)
    texts = {one.text for one in labels}
    assert not {text for text in expected if text not in texts}, texts


@pytest.mark.filterwarnings("ignore")  # as in the process that draws for cells
@pytest.mark.parametrize("draw", KINDS)
@pytest.mark.parametrize("size", [(1, 1), (2, 1), (1, 30), (12, 4), (30, 1)])
def test_no_size_is_too_small(draw: Callable[[], list[str]], size: tuple[int, int]) -> None:
    draw()
    png, labels = draw_grid(plt.gcf(), *size, 2)
    width, height = Image.open(io.BytesIO(png)).size
    assert 0 < width <= size[0] * GRID_CELL[0]
    assert 0 < height <= size[1] * GRID_CELL[1]
    assert not find_overlaps(labels)


def test_the_picture_has_no_text_and_keeps_the_colors() -> None:
    draw_bars()
    png, labels = draw_grid(plt.gcf(), 80, 24, 2)
    image = Image.open(io.BytesIO(png)).convert("RGB")
    colors = {color for count, color in image.getcolors(10_000) or [] if count > 500}
    assert colors == {(255, 255, 255), (31, 119, 180), (255, 127, 14), (44, 160, 44)}
    (name,) = (one for one in labels if one.text == "Python")
    width, height = GRID_CELL
    box = (name.column * width, name.row * height, name.end * width, (name.row + 1) * height)
    assert image.crop(box).getextrema() == ((255, 255),) * 3


def test_a_figure_uses_the_width_without_being_distorted_much() -> None:
    assert choose_size(6.4, 4.8, 80, 24) == (80, 24)
    assert choose_size(6.4, 4.8, 200, 24) == (96, 24)
    assert choose_size(12, 4, 80, 24) == (80, 20)
    assert choose_size(4, 12, 80, 24) == (24, 24)
    assert choose_size(0, 0, 80, 24) == (14, 24)
    assert choose_size(100, 1, 80, 24) == (80, 10)
