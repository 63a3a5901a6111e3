"""Statistics of box plots, read back from the lines that draw them.

Neither matplotlib nor seaborn keeps the statistics of a box in its artists.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from starchat_tui.sandbox.guest.describe.phrases import format_number, format_position

_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class BoxStatistics:
    """Statistics of one box."""

    position: float
    """Position on the axis of the categories."""
    low_whisker: float
    first_quartile: float
    median: float
    third_quartile: float
    high_whisker: float
    outliers: int
    """Number of outliers."""
    horizontal: bool
    """True if the values lie on the x axis."""


def describe_box(axes: Any, box: BoxStatistics) -> str:
    """Return the statistics of a box as text."""
    where = format_position(axes.yaxis if box.horizontal else axes.xaxis, box.position)
    numbers = [
        box.low_whisker,
        box.first_quartile,
        box.median,
        box.third_quartile,
        box.high_whisker,
    ]
    low, first, median, third, high = map(format_number, numbers)
    more = f", outliers: {box.outliers}" if box.outliers else ""
    return f"box {where}: {low} to {high}, quartiles {first} and {third}, median {median}{more}"


def find_boxes(axes: Any) -> tuple[list[BoxStatistics], set[int]]:
    """Return the boxes of the axes, and the ids of the lines that draw them."""
    rectangles = [
        sides for artist in (*axes.lines, *axes.patches) if (sides := _rectangle_sides(artist))
    ]
    boxes: list[BoxStatistics] = []
    box_lines: set[int] = set()
    for left, right, bottom, top in rectangles:
        for horizontal in (False, True):
            sides = (bottom, top, left, right) if horizontal else (left, right, bottom, top)
            if box := _read_box(axes, sides, horizontal, box_lines):
                boxes.append(box)
                break
    if boxes:
        box_lines.update(id(line) for line in axes.lines if _rectangle_sides(line))
    return boxes, box_lines


def _rectangle_sides(artist: Any) -> tuple[float, float, float, float] | None:
    """Return left, right, bottom and top of a closed rectangle; None for another shape."""
    # matplotlib draws a box as a line, or as a path with `patch_artist=True`, as seaborn does.
    kind = type(artist).__name__
    if kind == "Line2D":
        points = list(zip(artist.get_xdata(), artist.get_ydata(), strict=False))
    elif kind == "PathPatch":
        points = [tuple(vertex) for vertex in artist.get_path().vertices]
    else:
        return None
    if len(points) < 5 or tuple(points[0]) != tuple(points[4]):
        return None
    try:
        xs, ys = [float(x) for x, _ in points[:5]], [float(y) for _, y in points[:5]]
    except (TypeError, ValueError):
        # Categories or dates: no box plot has them for values.
        return None
    is_rectangle = len(set(xs)) == 2 and len(set(ys)) == 2
    return (min(xs), max(xs), min(ys), max(ys)) if is_rectangle else None


def _read_box(
    axes: Any, sides: Sequence[float], horizontal: bool, box_lines: set[int]
) -> BoxStatistics | None:
    """Return the statistics of a box; None if it has no median, and so is another rectangle.

    Args:
        axes: Axes whose lines are searched.
        sides: Start and end of the box on the axis of the categories, first and third quartile.
        horizontal: Whether the values lie on the x axis.
        box_lines: Ids of lines that draw a box; those of this one are added.
    """
    start, end, first_quartile, third_quartile = sides
    position = (start + end) / 2
    median: float | None = None
    low, high, outliers = first_quartile, third_quartile, 0
    own_lines: set[int] = set()
    for line in axes.lines:
        places, values = (
            (line.get_ydata(), line.get_xdata())
            if horizontal
            else (line.get_xdata(), line.get_ydata())
        )
        if len(places) == 0 or not all(
            start - _TOLERANCE <= float(place) <= end + _TOLERANCE for place in places
        ):
            continue
        is_flat = all(abs(float(value) - float(values[0])) < _TOLERANCE for value in values)
        # A cap can lie at a quartile, where it looks like a median, but is narrower than the box.
        spans_box = abs(max(map(float, places)) - end) + abs(min(map(float, places)) - start) < 1e-6
        if line.get_linestyle() == "None":
            is_centred = abs(float(places[0]) - position) < _TOLERANCE
            outliers += len(values) if is_centred else 0
        elif len(values) == 2 and is_flat and spans_box and median is None:
            median = float(values[0])
        elif len(values) == 2 and abs(float(places[0]) - float(places[1])) < _TOLERANCE:
            # A whisker, from the box to the last value that is no outlier.
            low, high = min(low, *map(float, values)), max(high, *map(float, values))
        elif not (len(values) == 2 and is_flat):
            # Neither a cap: a line of another plot that passes over the box.
            continue
        own_lines.add(id(line))
    if median is None:
        return None
    box_lines |= own_lines
    return BoxStatistics(
        position=position,
        low_whisker=low,
        first_quartile=first_quartile,
        median=median,
        third_quartile=third_quartile,
        high_whisker=high,
        outliers=outliers,
        horizontal=horizontal,
    )
