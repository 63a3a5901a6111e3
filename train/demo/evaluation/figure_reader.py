"""What the open figures show, read from their artists as plain values; imports matplotlib."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.category import UnitData
from matplotlib.collections import PathCollection, PolyCollection, QuadMesh
from matplotlib.colors import to_hex
from matplotlib.container import BarContainer
from matplotlib.patches import Wedge
from matplotlib.ticker import LogFormatter, ScalarFormatter

Seen = dict[str, Any]
FULL_CIRCLE = 360.0
LONGEST_TICKS = 60
"""A tick further off than this share of a bar's place, in hundredths, does not name the bar."""


def figures() -> list[Seen]:
    """Every axes of every open figure, in the order in which they were made."""
    return [
        {**axes(ax), "size": plt.figure(number).get_size_inches().tolist()}
        for number in plt.get_fignums()
        for ax in plt.figure(number).axes
        if not empty(ax)
    ]


def empty(ax: Axes) -> bool:
    """Whether nothing was drawn: an unused cell of a grid; or a heat map's colour bar."""
    return not ax.has_data() or ax.get_label() == "<colorbar>"


def axes(ax: Axes) -> Seen:
    """One axes: its texts and scales, and all that is drawn in it."""
    legend = ax.get_legend()
    return {
        "title": ax.get_title(),
        "xlabel": ax.get_xlabel(),
        "ylabel": ax.get_ylabel(),
        "xscale": ax.get_xscale(),
        "yscale": ax.get_yscale(),
        "legend": [text.get_text() for text in legend.get_texts()] if legend else [],
        "bars": [_bars(ax, c) for c in ax.containers if isinstance(c, BarContainer)],
        "lines": [_line(ax, line) for line in ax.lines],
        "points": [_points(ax, c) for c in ax.collections if isinstance(c, PathCollection)],
        "texts": [_text(ax, text) for text in ax.texts],
        "wedges": [_wedge(patch) for patch in ax.patches if isinstance(patch, Wedge)],
        "counted": sorted(getattr(ax, "recorded_values", ())),
        "boxes": [_box(ax, stats) for stats in getattr(ax, "recorded_boxes", ())],
        "grids": _grids(ax),
        "xticks": _texts(ax.xaxis),
        "yticks": _texts(ax.yaxis),
        "areas": _areas(ax),
        "regions": [r for c in ax.collections if (r := _regions(c))],
        "xrotations": sorted({float(t.label1.get_rotation()) for t in ax.xaxis.get_major_ticks()}),
    }


def record_boxes() -> None:
    """Keep the statistics of box plots on their axes: their lines do not tell them apart."""
    original: Callable[..., Any] = Axes.bxp

    def recording(ax: Axes, bxpstats: Sequence[Seen], *args: Any, **options: Any) -> Any:
        positions = args[0] if args else options.get("positions")
        places = positions if positions is not None else range(1, len(bxpstats) + 1)
        kept = getattr(ax, "recorded_boxes", [])
        kept += [{**one, "at": float(at)} for one, at in zip(bxpstats, places, strict=True)]
        ax.recorded_boxes = kept  # type: ignore[attr-defined]
        upright = options.get("orientation", "vertical") == "vertical"
        ax.recorded_upright = upright  # type: ignore[attr-defined]
        return original(ax, bxpstats, *args, **options)

    setattr(Axes, "bxp", recording)  # noqa: B010


def record_values() -> None:
    """Keep what histograms count on their axes: bars tell only how many fall into each bin."""
    original: Callable[..., Any] = Axes.hist

    def recording(ax: Axes, x: Any, *args: Any, **options: Any) -> Any:
        values = [float(value) for part in x for value in np.ravel(part)]
        kept = [*getattr(ax, "recorded_values", ()), *values]
        setattr(ax, "recorded_values", kept)  # noqa: B010
        return original(ax, x, *args, **options)

    setattr(Axes, "hist", recording)  # noqa: B010


def _names(axis: Axis) -> Callable[[float], str | float]:
    """What stands at a place of an axis: the text of its tick, or the place where ticks count."""
    if isinstance(axis.units, UnitData):
        ticks = {float(at): str(text) for text, at in axis.units._mapping.items()}
    elif isinstance(axis.get_major_formatter(), ScalarFormatter | LogFormatter):
        return lambda at: at
    else:
        places = [float(at) for at in axis.get_ticklocs()[:LONGEST_TICKS]]
        texts = [label.get_text() for label in axis.get_ticklabels()]
        ticks = dict(zip(places, texts, strict=False))

    def name(at: float) -> str | float:
        nearest = min(ticks, key=lambda place: abs(place - at), default=None)
        return at if nearest is None or abs(nearest - at) >= 0.5 else ticks[nearest]

    return name


def _texts(axis: Axis) -> list[str]:
    if isinstance(axis.get_major_formatter(), ScalarFormatter | LogFormatter):
        return []
    axis.get_ticklocs()
    return [label.get_text() for label in axis.get_ticklabels()]


def _bars(ax: Axes, bars: Any) -> list[Seen]:
    flat = bars.orientation == "horizontal"
    name = _names(ax.yaxis if flat else ax.xaxis)
    found = []
    for bar in bars.patches:
        (x, y), width, height = bar.get_xy(), bar.get_width(), bar.get_height()
        place, thickness, start, length = (y, height, x, width) if flat else (x, width, y, height)
        middle = float(place + thickness / 2)
        found.append(
            {
                "flat": flat,
                "name": name(middle),
                "at": middle,
                "edges": [float(place), float(place + thickness)],
                "start": float(start),
                "length": float(length),
                "color": to_hex(bar.get_facecolor()),
            }
        )
    return found


def _line(ax: Axes, line: Any) -> Seen:
    name = _names(ax.xaxis)
    xs = np.asarray(line.get_xdata(orig=False), dtype=float)
    ys = np.asarray(line.get_ydata(orig=False), dtype=float)
    return {
        "x": [name(float(x)) for x in xs],
        "y": [float(y) for y in ys],
        "color": to_hex(line.get_color()),
        "label": str(line.get_label()),
        "step": str(line.get_drawstyle()).startswith("steps"),
        "style": str(line.get_linestyle()),
        "width": float(line.get_linewidth()),
        "marker": str(line.get_marker()),
    }


def _points(ax: Axes, points: Any) -> Seen:
    name = _names(ax.xaxis)
    places = np.ma.getdata(points.get_offsets()).tolist()
    colors = {to_hex(color) for color in points.get_facecolor()}
    return {"xy": [[name(x), y] for x, y in places], "colors": sorted(colors)}


def _text(ax: Axes, text: Any) -> Seen:
    x, y = getattr(text, "xy", None) or text.get_position()
    return {"text": text.get_text(), "xy": [_number(ax.xaxis, x), _number(ax.yaxis, y)]}


def _number(axis: Axis, place: Any) -> str | float:
    """A place that may have been given as a category."""
    return place if isinstance(place, str) else _names(axis)(float(place))


def _wedge(wedge: Wedge) -> Seen:
    share = (wedge.theta2 - wedge.theta1) / FULL_CIRCLE
    hole = wedge.width is not None
    return {"name": str(wedge.get_label()), "share": float(share), "hole": hole}


def _box(ax: Axes, stats: Seen) -> Seen:
    upright = getattr(ax, "recorded_upright", True)
    name = _names(ax.xaxis if upright else ax.yaxis)(stats["at"])
    numbers = {key: float(stats[key]) for key in ("med", "q1", "q3", "whislo", "whishi")}
    return {"name": name, **numbers}


def _grids(ax: Axes) -> list[list[list[float]]]:
    meshes: list[Any] = [c for c in ax.collections if isinstance(c, QuadMesh)]
    arrays = [np.ma.getdata(shown.get_array()) for shown in (*ax.images, *meshes)]
    return [array.astype(float).tolist() for array in arrays if array.ndim == 2]


def _areas(ax: Axes) -> list[Seen]:
    """Without the empty bands that seaborn draws where there is no error to show."""
    found = [_area(ax, c) for c in ax.collections if isinstance(c, PolyCollection)]
    return [area for area in found if np.isfinite([y for _, y in area["corners"]]).any()]


def _area(ax: Axes, area: Any) -> Seen:
    name = _names(ax.xaxis)
    corners = [path.vertices.tolist() for path in area.get_paths()]
    color = [to_hex(color) for color in area.get_facecolor()]
    return {"corners": [[name(x), y] for path in corners for x, y in path], "colors": color}


def _regions(collection: Any) -> list[list[Any]]:
    """Polygons as geopandas draws them: the first corner and the number of all, and the colour."""
    if isinstance(collection, PathCollection | PolyCollection | QuadMesh):
        return []
    faces = [to_hex(color) for color in collection.get_facecolor()]
    paths = collection.get_paths()
    if not faces or not paths:
        return []
    colors = [faces[index % len(faces)] for index in range(len(paths))]
    return [[region_key(p.vertices), c] for p, c in zip(paths, colors, strict=True)]


def region_key(corners: Any) -> str:
    """What tells one outline from another."""
    return f"{len(corners)} {corners[0][0]:.4f} {corners[0][1]:.4f} {corners.sum():.2f}"
