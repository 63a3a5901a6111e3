"""Heat maps, images and filled shapes as text."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle

from starchat_tui.sandbox.guest.describe.areas import describe_areas, find_color_name

SQUARE = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], dtype=float)


def test_a_heat_map_lists_its_cells() -> None:
    axes = Figure().subplots()
    axes.pcolormesh([[1, 2], [3, 4]])
    axes.set_xticks([0.5, 1.5], ["a", "b"])
    axes.text(0.5, 1.5, "3")
    axes.text(0.1, 0.1, "note")
    used_texts: set[int] = set()
    assert list(describe_areas(axes, used_texts)) == [
        "heat map of 2 rows and 2 columns, 1 to 4:\n    0.5: a 1, b 2\n    1.5: a 3, b 4"
    ]
    assert used_texts == {id(axes.texts[0])}


def test_a_large_heat_map_is_described_by_its_range() -> None:
    axes = Figure().subplots()
    axes.imshow(np.arange(2000.0).reshape(40, 50))
    assert list(describe_areas(axes, set())) == ["image of 40 rows and 50 columns, 0 to 1999"]


def test_an_image_of_colors_is_described_by_its_size() -> None:
    axes = Figure().subplots()
    axes.imshow(np.zeros((4, 6, 3)))
    assert list(describe_areas(axes, set())) == ["image of 4 × 6 pixels"]


def test_shapes_are_counted_by_color_and_located() -> None:
    axes = Figure().subplots()
    shapes = PolyCollection([SQUARE, SQUARE + 2, SQUARE + 4], facecolors=["red", "tab:blue"])
    axes.add_collection(shapes)
    assert list(describe_areas(axes, set())) == [
        "3 shapes (2 red at (0.5, 0.5), (4.5, 4.5); 1 tab:blue at (2.5, 2.5)), x 0 to 5, y 0 to 5"
    ]


def test_shapes_with_values_are_described_by_their_range() -> None:
    axes = Figure().subplots()
    axes.add_collection(PolyCollection([SQUARE, SQUARE + 2], array=[5.0, 7.0], label="m"))
    assert list(describe_areas(axes, set())) == ['2 shapes "m", values 5 to 7, x 0 to 3, y 0 to 3']


def test_patches_are_counted_unless_they_belong_to_bars() -> None:
    axes = Figure().subplots()
    axes.bar([1], [2])
    for patch in (Circle((0, 0), 1), Circle((1, 1), 1), Rectangle((0, 0), 0, 0)):
        axes.add_patch(patch)
    assert list(describe_areas(axes, set())) == ["2 × Circle"]


def test_invisible_collections_are_left_out() -> None:
    axes = Figure().subplots()
    axes.pcolormesh([[1, 2], [3, 4]]).set_visible(False)
    assert list(describe_areas(axes, set())) == []


@pytest.mark.parametrize(
    ("rgba", "expected"),
    [
        ((1, 0, 0, 1), "red"),
        ((1, 0, 0, 0), "clear"),
        ((0x1F / 255, 0x77 / 255, 0xB4 / 255, 1), "tab:blue"),
        ((0.01, 0.02, 0.03), "#030508"),
    ],
)
def test_colors_have_names(rgba: tuple[float, ...], expected: str) -> None:
    assert find_color_name(rgba) == expected
