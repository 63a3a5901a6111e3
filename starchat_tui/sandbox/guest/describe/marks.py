"""Bars, pies, lines and points of a plot as text, by their values."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from starchat_tui.sandbox.guest.describe import box_plots, solids
from starchat_tui.sandbox.guest.describe.phrases import (
    format_number,
    format_position,
    quote_text,
    shorten_text,
)

POINT_COLLECTIONS = ("PathCollection", "Path3DCollection")
"""Names of matplotlib's classes of points."""
MAX_BARS = 60
MAX_POINTS = 40
"""Points that are all listed; of more, only the first and the last."""
FIRST_POINTS, LAST_POINTS = 8, 3
"""Points listed from the start and the end of a longer line."""
_MAX_BIN_GAP = 0.02
"""Gap between two bars of a histogram, as a share of their width."""
_MAX_LABEL_DISTANCE = 0.1
"""Distance of a label from its point, as a share of the extent of all points."""


def describe_marks(axes: Any, used_texts: set[int]) -> Iterator[str]:
    """Describe the bars, lines and points of the axes.

    The ids of the texts that belong to them are added to `used_texts`.
    """
    boxes, box_lines = box_plots.find_boxes(axes)
    yield from (box_plots.describe_box(axes, box) for box in boxes)
    bars = [group for group in axes.containers if type(group).__name__ == "BarContainer"]
    for container, name in zip(bars, _name_bar_groups(axes, bars), strict=True):
        if any(patch.get_visible() for patch in container.patches):
            yield _describe_bars(axes, container, name, used_texts)
    yield from _describe_pie(axes, used_texts)
    for line in axes.lines:
        if id(line) not in box_lines and (words := _describe_line(axes, line)):
            yield words
    for points in axes.collections:
        if type(points).__name__ in POINT_COLLECTIONS and points.get_visible():
            yield _describe_points(axes, points, used_texts)


def _name_bar_groups(axes: Any, bars: Sequence[Any]) -> list[str]:
    """Return the name of each group of bars: its label, or its entry in a legend."""
    names = [_format_label(group) for group in bars]
    legends = [axes.get_legend(), *axes.figure.legends]
    # seaborn labels the entries of the legend, not the bars.
    for legend in legends:
        if legend is not None and len(legend.get_texts()) == len(bars) > 1 and not any(names):
            return [f" {quote_text(text.get_text())}" for text in legend.get_texts()]
    return names


def _describe_bars(axes: Any, container: Any, name: str, used_texts: set[int]) -> str:
    """Describe a group of bars, or a histogram if they touch.

    Args:
        axes: Axes of the bars.
        container: matplotlib's `BarContainer`.
        name: Name of the group, after a space; may be empty.
        used_texts: Ids of texts that need no description; the labels of the bars are added.
    """
    horizontal = getattr(container, "orientation", "vertical") == "horizontal"
    patches = [
        patch
        for patch in container.patches
        if patch.get_visible() and math.isfinite(_bar_value(patch, horizontal))
    ]
    if _is_histogram(patches, horizontal):
        bins = [
            f"{format_number(start)} to {format_number(end)}: "
            f"{format_number(_bar_value(patch, horizontal))}"
            for patch in patches
            for start, end in [_bar_span(patch, horizontal)]
        ]
        return f"histogram{name}: {'; '.join(_limit_items(bins, MAX_BARS))}"
    axis = axes.yaxis if horizontal else axes.xaxis
    values = [
        f"{format_position(axis, sum(_bar_span(patch, horizontal)) / 2)} "
        f"{format_number(_bar_value(patch, horizontal))}"
        for patch in patches
    ]
    _claim_bar_labels(axes, patches, used_texts)
    return f"bars{name}: {', '.join(_limit_items(values, MAX_BARS))}"


def _claim_bar_labels(axes: Any, patches: Sequence[Any], used_texts: set[int]) -> None:
    """Add the texts that repeat the value of a bar to `used_texts`."""
    sizes = {format_number(patch.get_height()) for patch in patches}
    sizes |= {format_number(patch.get_width()) for patch in patches}
    used_texts.update(id(text) for text in axes.texts if _normalize_number(text) in sizes)


def _normalize_number(text: Any) -> str:
    """Return the number in a text as `format_number` writes it; empty if there is none."""
    try:
        return format_number(float(text.get_text().rstrip("%")))
    except ValueError:
        return ""


def _bar_value(patch: Any, horizontal: bool) -> float:
    return float(patch.get_width() if horizontal else patch.get_height())


def _bar_span(patch: Any, horizontal: bool) -> tuple[float, float]:
    """Return start and end of a bar on the axis of the categories."""
    start, size = (
        (patch.get_y(), patch.get_height()) if horizontal else (patch.get_x(), patch.get_width())
    )
    return float(start), float(start + size)


def _is_histogram(patches: Sequence[Any], horizontal: bool) -> bool:
    """Return whether the bars touch, each beginning where the one before it ends."""
    spans = [_bar_span(patch, horizontal) for patch in patches]
    # `plt.hist` leaves nothing else by which to tell its bars from those of `plt.bar`.
    return len(spans) > 2 and all(
        abs(right[0] - left[1]) <= _MAX_BIN_GAP * abs(left[1] - left[0])
        for left, right in pairwise(spans)
    )


def _describe_pie(axes: Any, used_texts: set[int]) -> Iterator[str]:
    wedges = [
        patch for patch in axes.patches if type(patch).__name__ == "Wedge" and patch.get_visible()
    ]
    if not wedges:
        return
    shares = []
    labels = []
    for wedge in wedges:
        label = wedge.get_label()
        labels.append(label)
        share = 100 * (wedge.theta2 - wedge.theta1) / 360
        name = "" if label.startswith("_") else f"{shorten_text(label)} "
        shares.append(f"{name}{format_number(round(share, 1))} %")
    # The labels, and the percentages that `autopct` wrote.
    for text in axes.texts:
        if text.get_text() in labels or text.get_text().strip().endswith("%"):
            used_texts.add(id(text))
    yield f"pie: {', '.join(_limit_items(shares, MAX_BARS))}"


def _describe_line(axes: Any, line: Any) -> str:
    """Describe a line; an empty text if it is invisible or has no points."""
    if solids.is_line(line):
        return solids.describe_line(line, _format_label(line)) if line.get_visible() else ""
    xs, ys = line.get_xdata(orig=False), line.get_ydata(orig=False)
    pairs = [
        (float(x), float(y))
        for x, y in zip(xs, ys, strict=False)
        if _is_number(x) and _is_number(y)
    ]
    if not pairs or not line.get_visible():
        return ""
    name = _format_label(line)
    # `axhline` and `axvline` give one coordinate as a share of the axes: these transforms.
    if line.get_transform() == axes.get_yaxis_transform(which="grid"):
        return f"horizontal line{name} at {format_number(pairs[0][1])}"
    if line.get_transform() == axes.get_xaxis_transform(which="grid"):
        return f"vertical line{name} at {format_position(axes.xaxis, pairs[0][0])}"
    has_bars = any(type(group).__name__ == "BarContainer" for group in axes.containers)
    # seaborn draws the error bars of a bar plot as lines without a label.
    if has_bars and line.get_label().startswith("_") and len(pairs) <= 3:
        return f"error bar: {format_number(pairs[0][1])} to {format_number(pairs[-1][1])}"
    return f"line{name}: {_format_points(axes, pairs, [''] * len(pairs))}"


def _describe_points(axes: Any, points: Any, used_texts: set[int]) -> str:
    name = _format_label(points)
    # Of points in 3D, `get_offsets` returns only their projection.
    if (coordinates := getattr(points, "_offsets3d", None)) is not None:
        listed = [
            f"({', '.join(map(format_number, point))})" for point in zip(*coordinates, strict=False)
        ]
        return f"points{name}: {', '.join(_limit_items(listed, MAX_POINTS))}"
    offsets = [
        (float(x), float(y)) for x, y in points.get_offsets() if _is_number(x) and _is_number(y)
    ]
    return (
        f"points{name}: {_format_points(axes, offsets, _match_labels(axes, offsets, used_texts))}"
    )


def _match_labels(
    axes: Any, offsets: Sequence[tuple[float, float]], used_texts: set[int]
) -> list[str]:
    """Return the text closest to each point, or an empty one; each text labels one point."""
    names = [""] * len(offsets)
    if not offsets:
        return names
    width = (max(x for x, _ in offsets) - min(x for x, _ in offsets)) or 1.0
    height = (max(y for _, y in offsets) - min(y for _, y in offsets)) or 1.0
    for text in axes.texts:
        # An annotation says which point it means; other texts only stand beside theirs.
        at = text.xy if hasattr(text, "xy") else text.get_position()
        if not all(map(_is_number, at)) or id(text) in used_texts:
            continue
        distances = [math.hypot((x - at[0]) / width, (y - at[1]) / height) for x, y in offsets]
        nearest = min(range(len(offsets)), key=distances.__getitem__)
        if distances[nearest] < _MAX_LABEL_DISTANCE and not names[nearest]:
            names[nearest] = shorten_text(text.get_text())
            used_texts.add(id(text))
    return names


def _format_points(axes: Any, pairs: Sequence[tuple[float, float]], names: Sequence[str]) -> str:
    listed = [
        f"{name + ' ' if name else ''}"
        f"({format_position(axes.xaxis, x)}, {format_position(axes.yaxis, y)})"
        for (x, y), name in zip(pairs, names, strict=True)
    ]
    if len(listed) <= MAX_POINTS:
        return ", ".join(listed)
    xs, ys = [x for x, _ in pairs], [y for _, y in pairs]
    low, high = format_position(axes.xaxis, min(xs)), format_position(axes.xaxis, max(xs))
    extent = f"x {low} to {high}, y {format_number(min(ys))} to {format_number(max(ys))}"
    first, last = ", ".join(listed[:FIRST_POINTS]), ", ".join(listed[-LAST_POINTS:])
    return f"{first}, …, {last} ({len(listed)} points, {extent})"


def _format_label(artist: Any) -> str:
    """Return the label of an artist in quotation marks after a space; empty if it has none."""
    label = str(artist.get_label() or "")
    # matplotlib's own labels begin with an underscore, as in `_child0`.
    return "" if label.startswith("_") or not label else f" {quote_text(label)}"


def _limit_items(items: Sequence[str], limit: int) -> Sequence[str]:
    return items if len(items) <= limit else [*items[:limit], f"and {len(items) - limit} more"]


def _is_number(value: Any) -> bool:
    try:
        return math.isfinite(float(value))
    except (TypeError, ValueError):
        return False
