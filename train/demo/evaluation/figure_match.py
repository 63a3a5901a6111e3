"""Whether what was drawn is what was asked for: values, labels and texts, never the code."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

Seen = dict[str, Any]
Wanted = dict[str, Any]
BINS = 10
"""Of a histogram where nobody said how many, as matplotlib has it."""


def verdict(wanted: Sequence[Wanted], seen: Sequence[Seen]) -> str:
    """Nothing where every axes is as wanted, in order; else the first thing that is not."""
    if not seen:
        return "draws nothing"
    if len(seen) != len(wanted):
        return f"draws {len(seen)} axes, not {len(wanted)}"
    for want, have in zip(wanted, seen, strict=True):
        kind = want["kind"]
        fault = _texts(want, have) or KINDS[kind](want, have) or _extra(kind, have)
        if fault:
            return fault
    return ""


def same(left: object, right: object) -> bool:
    """Equal; numbers nearly; a number and its text are the same label."""
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, str) or isinstance(right, str):
        return spelt(left) == spelt(right)
    if isinstance(left, int | float) and isinstance(right, int | float):
        return math.isclose(left, right, rel_tol=1e-6, abs_tol=1e-9)
    return left == right


def spelt(label: object) -> str:
    """A label as it is read: whole numbers without a point."""
    return f"{label:.10g}" if isinstance(label, int | float) else str(label)


def _differs(what: str, have: object, want: object) -> str:
    return "" if same(have, want) else f"{what}: {have!r}, not {want!r}"[:300]


def _extra(kind: str, have: Seen) -> str:
    """What is drawn beside the kind that was asked for."""
    shown = {part for part in OWN.values() if have[part]}
    if have["lines"] and all(math.isnan(y) for line in have["lines"] for y in line["y"]):
        shown -= {"lines"}  # seaborn draws its bars of error even where there is no error
    others = shown - {OWN[kind]} - ({"lines"} if kind == "box" else set())
    return f"draws {', '.join(sorted(others))} too" if others else ""


def _texts(want: Wanted, have: Seen) -> str:
    fault = _differs("title", have["title"], want.get("title", ""))
    for key in ("xlabel", "ylabel", "xscale", "yscale", "legend", "size", "xrotations"):
        if key in want:
            fault = fault or _differs(key, have[key], want[key])
    if not fault and "xscale" not in want and want["kind"] != "map":
        scales = [have["xscale"], have["yscale"]]
        fault = _differs("scales", scales, ["linear", want.get("yscale", "linear")])
    return fault


def _bar(want: Wanted, have: Seen) -> str:
    flat = want.get("flat", False)
    series = [sorted(bars, key=lambda bar: bar["at"]) for bars in have["bars"]]
    if len(want["series"]) == 1:  # seaborn keeps each bar in a container of its own
        series = [sorted((bar for bars in series for bar in bars), key=lambda bar: bar["at"])]
    names = [[bar["name"] for bar in bars] for bars in series]
    lengths = [[bar["length"] for bar in bars] for bars in series]
    labels = [want["labels"]] * len(want["series"])
    fault = _differs("values", lengths, want["series"]) or _differs("labels", names, labels)
    if not fault and any(bar["flat"] != flat for bars in series for bar in bars):
        fault = f"the bars are {'upright' if flat else 'flat'}"
    if (
        not fault
        and not want.get("stacked")
        and any(bar["start"] for bars in series for bar in bars)
    ):
        fault = "the bars do not stand on the axis"
    if not fault and want.get("stacked"):
        below = [[sum(column[:at]) for column in _columns(want)] for at in range(len(series))]
        starts = [[bar["start"] for bar in bars] for bars in series]
        return _differs("stacked on", starts, below)
    if not fault and len(series) > 1:
        fault = _beside(series)
    return fault or _color(want, [bar["color"] for bars in series for bar in bars])


def _beside(series: Sequence[Sequence[Seen]]) -> str:
    """Bars of one label stand beside each other; on one place the last would hide the others."""
    places = [round(bar["at"], 3) for bars in series for bar in bars]
    return "" if len(set(places)) == len(places) else "bars hide each other"


def _columns(want: Wanted) -> list[tuple[float, ...]]:
    return list(zip(*want["series"], strict=True))


def _line(want: Wanted, have: Seen) -> str:
    lines = [line for line in have["lines"] if line["x"]]
    fault = _differs("lines", len(lines), len(want["series"]))
    for line, values in zip(lines, want["series"], strict=False):
        fault = fault or _differs("values", line["y"], values)
        fault = fault or _differs("x", line["x"], want["labels"])
        fault = fault or _differs("steps", line["step"], want.get("step", False))
        if "marker" in want:
            fault = fault or _differs("marker", line["marker"], want["marker"])
        if "style" in want:
            fault = fault or _differs("style", line["style"], want["style"])
        if "width" in want:
            fault = fault or _differs("width", line["width"], want["width"])
    return fault or _color(want, [line["color"] for line in lines])


def _scatter(want: Wanted, have: Seen) -> str:
    points = [point for cloud in have["points"] for point in cloud["xy"]]
    pairs = [[x, y] for x, y in zip(want["x"], want["y"], strict=True)]
    fault = _differs("points", points, pairs)
    if want.get("names"):
        texts = [text["text"] for text in have["texts"]]
        places = [text["xy"] for text in have["texts"]]
        fault = fault or _differs("names", texts, want["names"])
        fault = fault or ("" if _near(places, pairs) else "names are not at their points")
    return fault or _color(want, [c for cloud in have["points"] for c in cloud["colors"]])


def _near(places: Sequence[Sequence[float]], points: Sequence[Sequence[float]]) -> bool:
    """Whether each text is over its own point: nearer to it than a twentieth of all."""
    for axis in (0, 1):
        reach = max(p[axis] for p in points) - min(p[axis] for p in points)
        room = 0.08 * (reach or 1.0)
        if any(abs(a[axis] - b[axis]) > room for a, b in zip(places, points, strict=True)):
            return False
    return True


def _pie(want: Wanted, have: Seen) -> str:
    whole = sum(want["values"])
    shares = [value / whole for value in want["values"]]
    fault = _differs("pieces", len(have["wedges"]), len(shares))
    for wedge, share in zip(have["wedges"], shares, strict=False):
        if not math.isclose(wedge["share"], share, abs_tol=1e-5):
            fault = fault or f"share {wedge['share']:.4f}, not {share:.4f}"
    fault = fault or _differs("labels", [w["name"] for w in have["wedges"]], want["labels"])
    fault = fault or _differs(
        "hole", any(w["hole"] for w in have["wedges"]), want.get("hole", False)
    )
    if not fault and want.get("percent"):
        parts = [text["text"] for text in have["texts"] if text["text"].endswith("%")]
        fault = _differs("percentages", len(parts), len(shares))
    return fault


def _hist(want: Wanted, have: Seen) -> str:
    bars = [bar for bars in have["bars"] for bar in bars]
    counts, edges = binned(want["values"], want.get("bins", BINS))
    fault = _differs("values", have["counted"], sorted(want["values"])) if have["counted"] else ""
    fault = fault or _differs("counts", [bar["length"] for bar in bars], counts)
    fault = fault or _differs("bins", [bar["edges"] for bar in bars], edges)
    return fault or _color(want, [bar["color"] for bar in bars])


def binned(values: Sequence[float], bins: int) -> tuple[list[int], list[list[float]]]:
    """Counts and edges of `bins` equal bins, the last closed on both sides, as numpy has it."""
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


def _box(want: Wanted, have: Seen) -> str:
    names = [box["name"] for box in have["boxes"]]
    fault = _differs("boxes", len(names), len(want["groups"]))
    if want.get("labels"):
        fault = fault or _differs("labels", names, want["labels"])
    for box, values in zip(have["boxes"], want["groups"], strict=False):
        quarters = [quantile(values, share) for share in (0.25, 0.5, 0.75)]
        fault = fault or _differs("box", [box["q1"], box["med"], box["q3"]], quarters)
        reach = 1.5 * (quarters[2] - quarters[0])
        inside = [v for v in values if quarters[0] - reach <= v <= quarters[2] + reach]
        ends = [min(*inside, quarters[0]), max(*inside, quarters[2])]
        fault = fault or _differs("whiskers", [box["whislo"], box["whishi"]], ends)
    return fault


def quantile(values: Sequence[float], share: float) -> float:
    """By linear interpolation, as numpy's default has it."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def _heat(want: Wanted, have: Seen) -> str:
    fault = _differs("grid", have["grids"], [want["grid"]])
    for key in ("xticks", "yticks"):
        if key in want:
            fault = fault or _differs(key, have[key], want[key])
    if not fault and want.get("written"):
        numbers = [float(text["text"]) for text in have["texts"]]
        fault = _differs("numbers", numbers, [v for row in want["grid"] for v in row])
    return fault


def _area(want: Wanted, have: Seen) -> str:
    if not have["areas"]:
        return "no area"
    corners = have["areas"][0]["corners"]
    pairs = [[x, y] for x, y in zip(want["labels"], want["values"], strict=True)]
    missing = [pair for pair in pairs if not any(same(pair, corner) for corner in corners)]
    strange = [c for c in corners if not any(same(c, p) for p in pairs) and not same(c[1], 0)]
    if missing or strange:
        return f"area lacks {missing}, has {strange}"[:300]
    return _color(want, have["areas"][0]["colors"])


def _map(want: Wanted, have: Seen) -> str:
    """Each country has the colour that was painted last; `countries` comes with the seen axes."""
    painted: dict[str, str] = {}
    for regions in have["regions"]:
        painted |= dict(regions)
    countries: dict[str, str] = have["countries"]
    colors = {name: painted.get(key, "") for key, name in countries.items()}
    for color, names in want["colors"].items():
        found = sorted(name for name, shown in colors.items() if shown == color)
        fault = _differs(f"countries in {color}", found, sorted(names))
        if fault:
            return fault
    missing = [name for name, shown in colors.items() if not shown]
    return f"not on the map: {missing[:5]}" if missing else ""


def _color(want: Wanted, colors: Sequence[str]) -> str:
    if "colors" in want:
        return _differs("colours", list(colors), want["colors"])
    if "color" not in want:
        return ""
    return _differs("colours", sorted(set(colors)), [want["color"]])


OWN = {
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
"""Where each kind is found in what was seen."""
KINDS: dict[str, Callable[[Wanted, Seen], str]] = {
    "bar": _bar,
    "line": _line,
    "scatter": _scatter,
    "pie": _pie,
    "hist": _hist,
    "box": _box,
    "heat": _heat,
    "area": _area,
    "map": _map,
}
