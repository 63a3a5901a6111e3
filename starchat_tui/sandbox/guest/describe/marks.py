"""Bars, lines and points of a plot in words, by their values."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from starchat_tui.sandbox.guest.describe import box_plots
from starchat_tui.sandbox.guest.describe.phrases import number, place, quoted, short

MOST_BARS = 60
MOST_POINTS = 40
"""Points that are told one by one."""
FEW, LAST = 8, 3
"""Points of a longer line that are told, from its start and its end."""
_TOUCHING = 0.02
"""The gap between two bars of a histogram, as a share of their width."""


def told(axes: Any, used: set[int]) -> Iterator[str]:
    """What bars, lines and points of the axes say; `used` collects the ids of their texts."""
    stats, drawn = box_plots.found(axes)
    yield from (box_plots.told(axes, one) for one in stats)
    bars = [one for one in axes.containers if type(one).__name__ == "BarContainer"]
    for container, name in zip(bars, _legend_names(axes, bars), strict=True):
        yield _bars(axes, container, name, used)
    yield from _pie(axes, used)
    for line in axes.lines:
        if id(line) not in drawn and (words := _line(axes, line)):
            yield words
    for points in axes.collections:
        if type(points).__name__ in ("PathCollection", "Path3DCollection"):
            yield _points(axes, points, used)


def _legend_names(axes: Any, bars: Sequence[Any]) -> list[str]:
    """What each group of bars is called: by itself, or by a legend with one entry for each."""
    names = [_name(one) for one in bars]
    legends = [axes.get_legend(), *axes.figure.legends]
    for legend in legends:
        if legend is not None and len(legend.get_texts()) == len(bars) > 1 and not any(names):
            return [f" {quoted(text.get_text())}" for text in legend.get_texts()]
    return names


def _bars(axes: Any, container: Any, name: str, used: set[int]) -> str:
    lying = getattr(container, "orientation", "vertical") == "horizontal"
    patches = [one for one in container.patches if math.isfinite(_value(one, lying))]
    if _is_histogram(patches, lying):
        spans = [
            f"{number(start)} to {number(end)}: {number(_value(one, lying))}"
            for one in patches
            for start, end in [_span(one, lying)]
        ]
        return f"histogram{name}: {'; '.join(_some(spans, MOST_BARS))}"
    axis = axes.yaxis if lying else axes.xaxis
    values = [
        f"{place(axis, sum(_span(one, lying)) / 2)} {number(_value(one, lying))}" for one in patches
    ]
    _use_labels(axes, patches, used)
    return f"bars{name}: {', '.join(_some(values, MOST_BARS))}"


def _use_labels(axes: Any, patches: Sequence[Any], used: set[int]) -> None:
    """A number written on its bar was told with the bar."""
    tops = {number(patch.get_height()) for patch in patches}
    tops |= {number(patch.get_width()) for patch in patches}
    used.update(id(text) for text in axes.texts if _written(text) in tops)


def _written(text: Any) -> str:
    """The number a text says, the way `number` says it."""
    try:
        return number(float(text.get_text().rstrip("%")))
    except ValueError:
        return ""


def _value(patch: Any, lying: bool) -> float:
    return float(patch.get_width() if lying else patch.get_height())


def _span(patch: Any, lying: bool) -> tuple[float, float]:
    start, size = (
        (patch.get_y(), patch.get_height()) if lying else (patch.get_x(), patch.get_width())
    )
    return float(start), float(start + size)


def _is_histogram(patches: Sequence[Any], lying: bool) -> bool:
    """Whether the bars touch: each begins where the one before it ends."""
    spans = [_span(one, lying) for one in patches]
    pairs = list(pairwise(spans))
    return len(spans) > 2 and all(
        abs(right[0] - left[1]) <= _TOUCHING * abs(left[1] - left[0]) for left, right in pairs
    )


def _pie(axes: Any, used: set[int]) -> Iterator[str]:
    wedges = [patch for patch in axes.patches if type(patch).__name__ == "Wedge"]
    if not wedges:
        return
    shares = []
    labels = []
    for wedge in wedges:
        label = wedge.get_label()
        labels.append(label)
        share = 100 * (wedge.theta2 - wedge.theta1) / 360
        shares.append(
            f"{'' if label.startswith('_') else short(label) + ' '}{number(round(share, 1))} %"
        )
    # The labels, and the percentages that `autopct` wrote.
    for text in axes.texts:
        if text.get_text() in labels or text.get_text().strip().endswith("%"):
            used.add(id(text))
    yield f"pie: {', '.join(_some(shares, MOST_BARS))}"


def _line(axes: Any, line: Any) -> str:
    xs, ys = line.get_xdata(orig=False), line.get_ydata(orig=False)
    pairs = [
        (float(x), float(y))
        for x, y in zip(xs, ys, strict=False)
        if _is_number(x) and _is_number(y)
    ]
    if not pairs or not line.get_visible():
        return ""
    name = _name(line)
    if line.get_transform() == axes.get_yaxis_transform(which="grid"):
        return f"horizontal line{name} at {number(pairs[0][1])}"
    if line.get_transform() == axes.get_xaxis_transform(which="grid"):
        return f"vertical line{name} at {place(axes.xaxis, pairs[0][0])}"
    bars = any(type(one).__name__ == "BarContainer" for one in axes.containers)
    if bars and line.get_label().startswith("_") and len(pairs) <= 3:
        return f"error bar: {number(pairs[0][1])} to {number(pairs[-1][1])}"
    return f"line{name}: {_pairs(axes, pairs, [''] * len(pairs))}"


def _points(axes: Any, points: Any, used: set[int]) -> str:
    if (deep := getattr(points, "_offsets3d", None)) is not None:
        said = [f"({', '.join(map(number, one))})" for one in zip(*deep, strict=False)]
        return f"points{_name(points)}: {', '.join(_some(said, MOST_POINTS))}"
    offsets = [(float(x), float(y)) for x, y in points.get_offsets() if _both_numbers(x, y)]
    return f"points{_name(points)}: {_pairs(axes, offsets, _names(axes, offsets, used))}"


def _names(axes: Any, offsets: Sequence[tuple[float, float]], used: set[int]) -> list[str]:
    """The text that stands at, or nearest to, each point; each text names one point."""
    names = [""] * len(offsets)
    if not offsets:
        return names
    wide = (max(x for x, _ in offsets) - min(x for x, _ in offsets)) or 1.0
    high = (max(y for _, y in offsets) - min(y for _, y in offsets)) or 1.0
    for text in axes.texts:
        at = text.xy if hasattr(text, "xy") else text.get_position()
        if not all(map(_is_number, at)) or id(text) in used:
            continue
        apart = [math.hypot((x - at[0]) / wide, (y - at[1]) / high) for x, y in offsets]
        nearest = min(range(len(offsets)), key=apart.__getitem__)
        if apart[nearest] < 0.1 and not names[nearest]:
            names[nearest] = short(text.get_text())
            used.add(id(text))
    return names


def _pairs(axes: Any, pairs: Sequence[tuple[float, float]], names: Sequence[str]) -> str:
    said = [
        f"{name + ' ' if name else ''}({place(axes.xaxis, x)}, {place(axes.yaxis, y)})"
        for (x, y), name in zip(pairs, names, strict=True)
    ]
    if len(said) <= MOST_POINTS:
        return ", ".join(said)
    xs, ys = [x for x, _ in pairs], [y for _, y in pairs]
    reach = f"x {place(axes.xaxis, min(xs))} to {place(axes.xaxis, max(xs))}, "
    reach += f"y {number(min(ys))} to {number(max(ys))}"
    return f"{', '.join(said[:FEW])}, …, {', '.join(said[-LAST:])} ({len(said)} points, {reach})"


def _name(artist: Any) -> str:
    label = str(artist.get_label() or "")
    return "" if label.startswith("_") or not label else f" {quoted(label)}"


def _some(words: Sequence[str], most: int) -> Sequence[str]:
    return words if len(words) <= most else [*words[:most], f"and {len(words) - most} more"]


def _both_numbers(x: Any, y: Any) -> bool:
    return _is_number(x) and _is_number(y)


def _is_number(value: Any) -> bool:
    try:
        return math.isfinite(float(value))
    except (TypeError, ValueError):
        return False
