from __future__ import annotations

import pytest

from starchat_tui.sandbox.guest.grid_labels import (
    MAX_LABELS,
    Label,
    LabelGrid,
    measure_text,
    shorten_text,
    simplify_text,
)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("plain text", "plain text"),
        (r"$\mathdefault{10^{-3}}$", "10⁻³"),
        (r"$x^2 + y_1$", "x² + y₁"),
        (r"$\sigma^{2}$ of $\lambda$ [nm]", "σ² of λ [nm]"),
        (r"$\frac{1}{2}$", "1/2"),
        (r"$x^{-1.5}$", "x^-1.5"),
        (r"$2\times10^6$", "2×10⁶"),
        ("price in $", "price in $"),
        (r"from \$5 to \$9", "from $5 to $9"),
        ("two\nlines\tand\x1cmore", "two lines and more"),
        ("", ""),
    ],
)
def test_mathematical_text_becomes_plain(text: str, plain: str) -> None:
    assert simplify_text(text) == plain


def test_texts_are_measured_in_cells() -> None:
    assert measure_text("abc") == 3
    assert measure_text("果物") == 4
    assert measure_text("e\u0301") == 1
    assert measure_text("a\u200bb") == 2


@pytest.mark.parametrize(
    ("text", "width", "short"),
    [("apples", 6, "apples"), ("apples", 4, "app…"), ("果物果物", 4, "果…"), ("ab", 0, "")],
)
def test_long_texts_are_cut(text: str, width: int, short: str) -> None:
    assert shorten_text(text, width) == short
    assert measure_text(short) <= width


def label(row: int, column: int, text: str) -> Label:
    return Label(row, column, "000000", text)


def read(grid: LabelGrid) -> list[tuple[int, int, str]]:
    return [(one.row, one.column, one.text) for one in grid.labels]


def test_no_label_covers_another() -> None:
    grid = LabelGrid(20, 3)
    assert grid.place(label(1, 2, "first"))
    assert not grid.place(label(1, 4, "second"))
    assert grid.place(label(1, 4, "moved"), moves=(0, -1))
    assert not grid.place(label(1, 7, "near"), gap=1)
    assert grid.place(label(1, 7, "beside"))
    assert read(grid) == [(1, 2, "first"), (0, 4, "moved"), (1, 7, "beside")]


def test_labels_are_moved_into_the_grid_and_cut_to_it() -> None:
    grid = LabelGrid(6, 2)
    grid.place(label(0, 4, "abcd"))
    grid.place(label(1, -3, "a long one"))
    assert not grid.place(label(2, 0, "below"))
    assert not grid.place(label(0, 0, ""))
    assert read(grid) == [(0, 2, "abcd"), (1, 0, "a lon…")]


def test_numbers_that_do_not_fit_are_left_out_evenly() -> None:
    grid = LabelGrid(20, 1)
    grid.place_ticks([label(0, 4 * at, f"{at}000") for at in range(5)], cut=False)
    assert read(grid) == [(0, 0, "0000"), (0, 8, "2000"), (0, 16, "4000")]


def test_names_that_do_not_fit_are_cut() -> None:
    grid = LabelGrid(30, 1)
    names = [label(0, 0, "JavaScript"), label(0, 8, "TypeScript"), label(0, 20, "C++")]
    grid.place_ticks(names, cut=True)
    assert read(grid) == [(0, 2, "JavaSc…"), (0, 10, "TypeSc…"), (0, 20, "C++")]


def test_names_of_rows_are_not_cut() -> None:
    grid = LabelGrid(30, 4)
    names = [label(0, 0, "a very long name"), label(2, 12, "pear")]
    grid.place_ticks(names, cut=True)
    assert read(grid) == [(0, 0, "a very long name"), (2, 12, "pear")]


def test_labels_are_bounded() -> None:
    grid = LabelGrid(2000, 1)
    for at in range(1500):
        grid.place(label(0, at, "x"))
    assert len(grid.labels) == MAX_LABELS
