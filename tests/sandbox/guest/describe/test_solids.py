"""Lines and surfaces in space: described by their own coordinates, not by their projection."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from starchat_tui.sandbox.guest.describe.figure_description import describe_figure

GRID = np.meshgrid([0.0, 1.0, 2.0], [0.0, 1.0, 2.0])


def describe(draw: str, *args: Any, **options: Any) -> str:
    """Return the description of a drawn 3D plot, without its first line."""
    figure = Figure()
    FigureCanvasAgg(figure)
    axes: Any = figure.add_subplot(projection="3d")
    getattr(axes, draw)(*args, **options)
    figure.canvas.draw()
    return describe_figure(figure).removeprefix("axes:\n").strip()


@pytest.mark.parametrize(
    ("draw", "expected"),
    [
        ("plot_surface", "surface of 4 faces, x 0 to 2, y 0 to 2, z 0 to 4"),
        ("plot_wireframe", "surface of 6 lines, x 0 to 2, y 0 to 2, z 0 to 4"),
    ],
)
def test_a_surface_is_described_by_its_extent(draw: str, expected: str) -> None:
    x, y = GRID
    assert describe(draw, x, y, x * y) == expected


def test_bars_are_faces() -> None:
    bars = describe("bar3d", [0], [0], [0], 1, 1, 5)
    assert bars == "surface of 6 faces, x 0 to 1, y 0 to 1, z 0 to 5"


def test_a_line_is_described_by_its_points() -> None:
    assert describe("plot", [0, 1], [2, 3], [4, 5], label="path") == (
        'line "path": (0, 2, 4), (1, 3, 5)'
    )


def test_of_a_long_line_the_extent_is_described() -> None:
    values = list(range(100))
    words = describe("plot", values, values, [2 * value for value in values])
    assert words.startswith("line: (0, 0, 0), (1, 1, 2), ")
    assert words.endswith("… (100 points, x 0 to 99, y 0 to 99, z 0 to 198)")


def test_a_flat_line_is_none_in_space() -> None:
    figure = Figure()
    figure.add_subplot().plot([0, 1], [2, 3])
    assert describe_figure(figure) == "axes:\n  line: (0, 2), (1, 3)"
