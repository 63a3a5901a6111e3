"""Comparison of a drawn figure with the expected one: values, labels and texts, never the code."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

AxesState = dict[str, Any]
ExpectedAxes = dict[str, Any]
DEFAULT_BINS = 10
"""Bins of a histogram if the question names no number: matplotlib's default."""


def compare_figures(wanted: Sequence[ExpectedAxes], seen: Sequence[AxesState]) -> str:
    """Return the first difference between the expected and the drawn axes, "" if none."""
    if not seen:
        return "draws nothing"
    if len(seen) != len(wanted):
        return f"draws {len(seen)} axes, not {len(wanted)}"
    for expected, actual in zip(wanted, seen, strict=True):
        kind = expected["kind"]
        difference = (
            _compare_texts(expected, actual)
            or COMPARERS[kind](expected, actual)
            or _find_extra(kind, actual)
        )
        if difference:
            return difference
    return ""


def is_same(left: object, right: object) -> bool:
    """Return whether two values agree: numbers approximately, a number with its text as a label."""
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(map(is_same, left, right))
    if isinstance(left, str) or isinstance(right, str):
        return format_label(left) == format_label(right)
    if isinstance(left, int | float) and isinstance(right, int | float):
        return math.isclose(left, right, rel_tol=1e-6, abs_tol=1e-9)
    return left == right


def format_label(label: object) -> str:
    """Format a label as a reader sees it: whole numbers without a decimal point."""
    return f"{label:.10g}" if isinstance(label, int | float) else str(label)


def _compare(what: str, actual: object, expected: object) -> str:
    return "" if is_same(actual, expected) else f"{what}: {actual!r}, not {expected!r}"[:300]


def _find_extra(kind: str, actual: AxesState) -> str:
    """Return what is drawn besides the expected kind of plot."""
    shown = {part for part in OWN_PARTS.values() if actual[part]}
    if actual["lines"] and all(math.isnan(y) for line in actual["lines"] for y in line["y"]):
        shown -= {"lines"}  # seaborn draws its bars of error even where there is no error
    others = shown - {OWN_PARTS[kind]} - ({"lines"} if kind == "box" else set())
    return f"draws {', '.join(sorted(others))} too" if others else ""


def _compare_texts(expected: ExpectedAxes, actual: AxesState) -> str:
    difference = _compare("title", actual["title"], expected.get("title", ""))
    for key in ("xlabel", "ylabel", "xscale", "yscale", "legend", "size", "xrotations"):
        if key in expected:
            difference = difference or _compare(key, actual[key], expected[key])
    # A scale that nobody asked for distorts the plot.
    if not difference and "xscale" not in expected and expected["kind"] != "map":
        scales = [actual["xscale"], actual["yscale"]]
        difference = _compare("scales", scales, ["linear", expected.get("yscale", "linear")])
    return difference


def _compare_bars(expected: ExpectedAxes, actual: AxesState) -> str:
    flat = expected.get("flat", False)
    series = [sorted(bars, key=lambda bar: bar["at"]) for bars in actual["bars"]]
    if len(expected["series"]) == 1:  # seaborn keeps each bar in a container of its own
        series = [sorted((bar for bars in series for bar in bars), key=lambda bar: bar["at"])]
    names = [[bar["name"] for bar in bars] for bars in series]
    lengths = [[bar["length"] for bar in bars] for bars in series]
    labels = [expected["labels"]] * len(expected["series"])
    difference = _compare("values", lengths, expected["series"]) or _compare(
        "labels", names, labels
    )
    if not difference and any(bar["flat"] != flat for bars in series for bar in bars):
        difference = f"the bars are {'upright' if flat else 'flat'}"
    if (
        not difference
        and not expected.get("stacked")
        and any(bar["start"] for bars in series for bar in bars)
    ):
        difference = "the bars do not stand on the axis"
    if not difference and expected.get("stacked"):
        below = [
            [sum(column[:at]) for column in _transpose_series(expected)]
            for at in range(len(series))
        ]
        starts = [[bar["start"] for bar in bars] for bars in series]
        return _compare("stacked on", starts, below)
    if not difference and len(series) > 1:
        difference = _find_overlap(series)
    return difference or _compare_colors(
        expected, [bar["color"] for bars in series for bar in bars]
    )


def _find_overlap(series: Sequence[Sequence[AxesState]]) -> str:
    """Return an error if bars share a position: the last would hide the others."""
    positions = [round(bar["at"], 3) for bars in series for bar in bars]
    return "" if len(set(positions)) == len(positions) else "bars hide each other"


def _transpose_series(expected: ExpectedAxes) -> list[tuple[float, ...]]:
    return list(zip(*expected["series"], strict=True))


def _compare_lines(expected: ExpectedAxes, actual: AxesState) -> str:
    lines = [line for line in actual["lines"] if line["x"]]
    difference = _compare("lines", len(lines), len(expected["series"]))
    for line, values in zip(lines, expected["series"], strict=False):
        difference = difference or _compare("values", line["y"], values)
        difference = difference or _compare("x", line["x"], expected["labels"])
        difference = difference or _compare("steps", line["step"], expected.get("step", False))
        if "marker" in expected:
            difference = difference or _compare("marker", line["marker"], expected["marker"])
        if "style" in expected:
            difference = difference or _compare("style", line["style"], expected["style"])
        if "width" in expected:
            difference = difference or _compare("width", line["width"], expected["width"])
    return difference or _compare_colors(expected, [line["color"] for line in lines])


def _compare_scatter(expected: ExpectedAxes, actual: AxesState) -> str:
    points = [point for cloud in actual["points"] for point in cloud["xy"]]
    pairs = [[x, y] for x, y in zip(expected["x"], expected["y"], strict=True)]
    difference = _compare("points", points, pairs)
    if expected.get("names"):
        texts = [text["text"] for text in actual["texts"]]
        positions = [text["xy"] for text in actual["texts"]]
        difference = difference or _compare("names", texts, expected["names"])
        difference = difference or (
            "" if _are_near(positions, pairs) else "names are not at their points"
        )
    return difference or _compare_colors(
        expected, [c for cloud in actual["points"] for c in cloud["colors"]]
    )


def _are_near(positions: Sequence[Sequence[float]], points: Sequence[Sequence[float]]) -> bool:
    """Return whether each text is within 8 % of the data's range from its own point."""
    for axis in (0, 1):
        reach = max(p[axis] for p in points) - min(p[axis] for p in points)
        tolerance = 0.08 * (reach or 1.0)
        if any(abs(a[axis] - b[axis]) > tolerance for a, b in zip(positions, points, strict=True)):
            return False
    return True


def _compare_pie(expected: ExpectedAxes, actual: AxesState) -> str:
    whole = sum(expected["values"])
    shares = [value / whole for value in expected["values"]]
    difference = _compare("pieces", len(actual["wedges"]), len(shares))
    for wedge, share in zip(actual["wedges"], shares, strict=False):
        if not math.isclose(wedge["share"], share, abs_tol=1e-5):
            difference = difference or f"share {wedge['share']:.4f}, not {share:.4f}"
    difference = difference or _compare(
        "labels", [w["name"] for w in actual["wedges"]], expected["labels"]
    )
    difference = difference or _compare(
        "hole", any(w["hole"] for w in actual["wedges"]), expected.get("hole", False)
    )
    if not difference and expected.get("percent"):
        parts = [text["text"] for text in actual["texts"] if text["text"].endswith("%")]
        difference = _compare("percentages", len(parts), len(shares))
    return difference


def _compare_histogram(expected: ExpectedAxes, actual: AxesState) -> str:
    bars = [bar for bars in actual["bars"] for bar in bars]
    counts, edges = compute_bins(expected["values"], expected.get("bins", DEFAULT_BINS))
    difference = (
        _compare("values", actual["counted"], sorted(expected["values"]))
        if actual["counted"]
        else ""
    )
    difference = difference or _compare("counts", [bar["length"] for bar in bars], counts)
    difference = difference or _compare("bins", [bar["edges"] for bar in bars], edges)
    return difference or _compare_colors(expected, [bar["color"] for bar in bars])


def compute_bins(values: Sequence[float], bins: int) -> tuple[list[int], list[list[float]]]:
    """Return counts and edges of equal bins, the last one closed, as `numpy.histogram` does."""
    low, high = min(values), max(values)
    if low == high:
        low, high = low - 0.5, high + 0.5
    marks = [low + (high - low) * at / bins for at in range(bins + 1)]
    marks[-1] = high
    counts = [0] * bins
    for value in values:
        at = min(int((value - low) / (high - low) * bins), bins - 1)
        if value < marks[at]:
            at -= 1
        elif at < bins - 1 and value >= marks[at + 1]:
            at += 1
        counts[at] += 1
    return counts, [[marks[at], marks[at + 1]] for at in range(bins)]


def _compare_boxes(expected: ExpectedAxes, actual: AxesState) -> str:
    names = [box["name"] for box in actual["boxes"]]
    difference = _compare("boxes", len(names), len(expected["groups"]))
    if expected.get("labels"):
        difference = difference or _compare("labels", names, expected["labels"])
    for box, values in zip(actual["boxes"], expected["groups"], strict=False):
        quarters = [compute_quantile(values, share) for share in (0.25, 0.5, 0.75)]
        difference = difference or _compare("box", [box["q1"], box["med"], box["q3"]], quarters)
        reach = 1.5 * (quarters[2] - quarters[0])
        inside = [v for v in values if quarters[0] - reach <= v <= quarters[2] + reach]
        ends = [min(*inside, quarters[0]), max(*inside, quarters[2])]
        difference = difference or _compare("whiskers", [box["whislo"], box["whishi"]], ends)
    return difference


def compute_quantile(values: Sequence[float], share: float) -> float:
    """Return a quantile by linear interpolation, numpy's default."""
    ordered = sorted(values)
    position = share * (len(ordered) - 1)
    low = math.floor(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)


def _compare_heat_map(expected: ExpectedAxes, actual: AxesState) -> str:
    difference = _compare("grid", actual["grids"], [expected["grid"]])
    for key in ("xticks", "yticks"):
        if key in expected:
            difference = difference or _compare(key, actual[key], expected[key])
    if not difference and expected.get("written"):
        numbers = [float(text["text"]) for text in actual["texts"]]
        difference = _compare("numbers", numbers, [v for row in expected["grid"] for v in row])
    return difference


def _compare_area(expected: ExpectedAxes, actual: AxesState) -> str:
    if not actual["areas"]:
        return "no area"
    corners = actual["areas"][0]["corners"]
    pairs = [[x, y] for x, y in zip(expected["labels"], expected["values"], strict=True)]
    missing = [pair for pair in pairs if not any(is_same(pair, corner) for corner in corners)]
    strange = [c for c in corners if not any(is_same(c, p) for p in pairs) and not is_same(c[1], 0)]
    if missing or strange:
        return f"area lacks {missing}, has {strange}"[:300]
    return _compare_colors(expected, actual["areas"][0]["colors"])


def _compare_map(expected: ExpectedAxes, actual: AxesState) -> str:
    """Compare the color that was painted last over each country."""
    painted: dict[str, str] = {}
    for regions in actual["regions"]:
        painted |= dict(regions)
    countries: dict[str, str] = actual["countries"]
    colors = {name: painted.get(key, "") for key, name in countries.items()}
    for color, names in expected["colors"].items():
        found = sorted(name for name, shown in colors.items() if shown == color)
        difference = _compare(f"countries in {color}", found, sorted(names))
        if difference:
            return difference
    missing = [name for name, shown in colors.items() if not shown]
    return f"not on the map: {missing[:5]}" if missing else ""


def _compare_colors(expected: ExpectedAxes, colors: Sequence[str]) -> str:
    if "colors" in expected:
        return _compare("colors", list(colors), expected["colors"])
    if "color" not in expected:
        return ""
    return _compare("colors", sorted(set(colors)), [expected["color"]])


OWN_PARTS = {
    "bar": "bars",
    "line": "lines",
    "scatter": "points",
    "pie": "wedges",
    "hist": "bars",
    "box": "boxes",
    "heat": "grids",
    "area": "areas",
    "map": "regions",
}
"""Part of the axes' state in which each kind of plot is found."""
COMPARERS: dict[str, Callable[[ExpectedAxes, AxesState], str]] = {
    "bar": _compare_bars,
    "line": _compare_lines,
    "scatter": _compare_scatter,
    "pie": _compare_pie,
    "hist": _compare_histogram,
    "box": _compare_boxes,
    "heat": _compare_heat_map,
    "area": _compare_area,
    "map": _compare_map,
}
