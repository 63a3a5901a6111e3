"""Box plots in words: they leave nothing behind but lines, which are read back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from starchat_tui.sandbox.guest.describe.phrases import number, place

_NEAR = 1e-9


@dataclass(frozen=True, slots=True)
class Box:
    """The statistics of one box."""

    at: float
    """Its position on the axis of the categories."""
    low: float
    quartile: float
    median: float
    third: float
    high: float
    outliers: int
    lying: bool


def told(axes: Any, box: Box) -> str:
    """The statistics in words."""
    where = place(axes.yaxis if box.lying else axes.xaxis, box.at)
    numbers = [box.low, box.quartile, box.median, box.third, box.high]
    low, first, median, third, high = map(number, numbers)
    more = f", outliers: {box.outliers}" if box.outliers else ""
    return f"box {where}: {low} to {high}, quartiles {first} and {third}, median {median}{more}"


def found(axes: Any) -> tuple[list[Box], set[int]]:
    """The boxes of the axes, and the ids of the lines that draw them."""
    frames = [corners for one in (*axes.lines, *axes.patches) if (corners := _frame(one))]
    boxes: list[Box] = []
    drawn: set[int] = set()
    for left, right, bottom, top in frames:
        for lying in (False, True):
            sides = (bottom, top, left, right) if lying else (left, right, bottom, top)
            if box := _box(axes, sides, lying, drawn):
                boxes.append(box)
                break
    if boxes:
        drawn.update(id(line) for line in axes.lines if _frame(line))
    return boxes, drawn


def _frame(artist: Any) -> tuple[float, float, float, float] | None:
    """The sides of a closed rectangle: left, right, bottom, top."""
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
        return None
    straight = len(set(xs)) == 2 and len(set(ys)) == 2
    return (min(xs), max(xs), min(ys), max(ys)) if straight else None


def _box(axes: Any, sides: Sequence[float], lying: bool, drawn: set[int]) -> Box | None:
    """The box with these sides (its place, its quartiles); None where it has no median."""
    start, end, quartile, third = sides
    at = (start + end) / 2
    median: float | None = None
    low, high, outliers = quartile, third, 0
    mine: set[int] = set()
    for line in axes.lines:
        places, values = (
            (line.get_ydata(), line.get_xdata()) if lying else (line.get_xdata(), line.get_ydata())
        )
        if len(places) == 0 or not all(
            start - _NEAR <= float(one) <= end + _NEAR for one in places
        ):
            continue
        flat = all(abs(float(one) - float(values[0])) < _NEAR for one in values)
        # A cap may lie at a quartile, but is narrower than the box.
        whole = abs(max(map(float, places)) - end) + abs(min(map(float, places)) - start) < 1e-6
        if line.get_linestyle() == "None":
            outliers += len(values) if len(places) and abs(float(places[0]) - at) < _NEAR else 0
        elif len(values) == 2 and flat and whole and median is None:
            median = float(values[0])
        elif len(values) == 2 and abs(float(places[0]) - float(places[1])) < _NEAR:
            low, high = min(low, *map(float, values)), max(high, *map(float, values))
        elif not (len(values) == 2 and flat):
            continue
        mine.add(id(line))
    if median is None:
        return None
    drawn |= mine
    return Box(at, low, quartile, median, third, high, outliers, lying)
