"""Reader of the open matplotlib figures: the state of their artists as plain values."""

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

AxesState = dict[str, Any]
FULL_CIRCLE = 360.0
MAX_TICKS = 60
"""Ticks of an axis that are read at most."""


def read_figures() -> list[AxesState]:
    """Return the state of every axes of every open figure, in order of creation."""
    return [
        {**read_axes(ax), "size": plt.figure(number).get_size_inches().tolist()}
        for number in plt.get_fignums()
        for ax in plt.figure(number).axes
        if not is_empty(ax)
    ]


def is_empty(ax: Axes) -> bool:
    """Return whether axes hold no data: an unused cell of a grid, or a color bar."""
    return not ax.has_data() or ax.get_label() == "<colorbar>"


def read_axes(ax: Axes) -> AxesState:
    """Return the texts and scales of axes, and all that is drawn in it."""
    legend = ax.get_legend()
    return {
        "title": ax.get_title(),
        "xlabel": ax.get_xlabel(),
        "ylabel": ax.get_ylabel(),
        "xscale": ax.get_xscale(),
        "yscale": ax.get_yscale(),
        "legend": [text.get_text() for text in legend.get_texts()] if legend else [],
        "bars": [_read_bars(ax, c) for c in ax.containers if isinstance(c, BarContainer)],
        "lines": [_read_line(ax, line) for line in ax.lines],
        "points": [_read_points(ax, c) for c in ax.collections if isinstance(c, PathCollection)],
        "texts": [_read_text(ax, text) for text in ax.texts],
        "wedges": [_read_wedge(patch) for patch in ax.patches if isinstance(patch, Wedge)],
        "counted": sorted(getattr(ax, "recorded_values", ())),
        "boxes": [_read_box(ax, stats) for stats in getattr(ax, "recorded_boxes", ())],
        "grids": _read_grids(ax),
        "xticks": _read_tick_labels(ax.xaxis),
        "yticks": _read_tick_labels(ax.yaxis),
        "areas": _read_areas(ax),
        "regions": [r for c in ax.collections if (r := _read_regions(c))],
        "xrotations": sorted({float(t.label1.get_rotation()) for t in ax.xaxis.get_major_ticks()}),
    }


def record_boxes() -> None:
    """Patch `Axes.bxp` to keep the statistics, which the drawn lines do not reveal."""
    original: Callable[..., Any] = Axes.bxp

    def recording(ax: Axes, bxpstats: Sequence[AxesState], *args: Any, **options: Any) -> Any:
        positions = args[0] if args else options.get("positions")
        positions = positions if positions is not None else range(1, len(bxpstats) + 1)
        recorded = getattr(ax, "recorded_boxes", [])
        recorded += [{**one, "at": float(at)} for one, at in zip(bxpstats, positions, strict=True)]
        ax.recorded_boxes = recorded  # type: ignore[attr-defined]
        upright = options.get("orientation", "vertical") == "vertical"
        ax.recorded_upright = upright  # type: ignore[attr-defined]
        return original(ax, bxpstats, *args, **options)

    setattr(Axes, "bxp", recording)  # noqa: B010


def record_values() -> None:
    """Patch `Axes.hist` to keep the values: bars reveal only how many fall into each bin."""
    original: Callable[..., Any] = Axes.hist

    def recording(ax: Axes, x: Any, *args: Any, **options: Any) -> Any:
        values = [float(value) for part in x for value in np.ravel(part)]
        recorded = [*getattr(ax, "recorded_values", ()), *values]
        setattr(ax, "recorded_values", recorded)  # noqa: B010
        return original(ax, x, *args, **options)

    setattr(Axes, "hist", recording)  # noqa: B010


def _make_tick_namer(axis: Axis) -> Callable[[float], str | float]:
    """Return a function that maps a position to its tick label, or to itself on a numeric axis."""
    if isinstance(axis.units, UnitData):
        # Names given as data: matplotlib maps them to positions, whatever the ticks say.
        ticks = {float(at): str(text) for text, at in axis.units._mapping.items()}
    elif isinstance(axis.get_major_formatter(), ScalarFormatter | LogFormatter):
        return lambda at: at
    else:
        positions = [float(at) for at in axis.get_ticklocs()[:MAX_TICKS]]
        texts = [label.get_text() for label in axis.get_ticklabels()]
        ticks = dict(zip(positions, texts, strict=False))

    def name(at: float) -> str | float:
        nearest = min(ticks, key=lambda position: abs(position - at), default=None)
        return at if nearest is None or abs(nearest - at) >= 0.5 else ticks[nearest]

    return name


def _read_tick_labels(axis: Axis) -> list[str]:
    if isinstance(axis.get_major_formatter(), ScalarFormatter | LogFormatter):
        return []
    axis.get_ticklocs()
    return [label.get_text() for label in axis.get_ticklabels()]


def _read_bars(ax: Axes, bars: Any) -> list[AxesState]:
    flat = bars.orientation == "horizontal"
    name = _make_tick_namer(ax.yaxis if flat else ax.xaxis)
    found = []
    for bar in bars.patches:
        (x, y), width, height = bar.get_xy(), bar.get_width(), bar.get_height()
        position, thickness, start, length = (
            (y, height, x, width) if flat else (x, width, y, height)
        )
        middle = float(position + thickness / 2)
        found.append(
            {
                "flat": flat,
                "name": name(middle),
                "at": middle,
                "edges": [float(position), float(position + thickness)],
                "start": float(start),
                "length": float(length),
                "color": to_hex(bar.get_facecolor()),
            }
        )
    return found


def _read_line(ax: Axes, line: Any) -> AxesState:
    name = _make_tick_namer(ax.xaxis)
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


def _read_points(ax: Axes, points: Any) -> AxesState:
    name = _make_tick_namer(ax.xaxis)
    positions = np.ma.getdata(points.get_offsets()).tolist()
    colors = {to_hex(color) for color in points.get_facecolor()}
    return {"xy": [[name(x), y] for x, y in positions], "colors": sorted(colors)}


def _read_text(ax: Axes, text: Any) -> AxesState:
    x, y = getattr(text, "xy", None) or text.get_position()
    return {
        "text": text.get_text(),
        "xy": [_resolve_position(ax.xaxis, x), _resolve_position(ax.yaxis, y)],
    }


def _resolve_position(axis: Axis, position: Any) -> str | float:
    """Return a position that may have been given as a category."""
    return position if isinstance(position, str) else _make_tick_namer(axis)(float(position))


def _read_wedge(wedge: Wedge) -> AxesState:
    share = (wedge.theta2 - wedge.theta1) / FULL_CIRCLE
    hole = wedge.width is not None
    return {"name": str(wedge.get_label()), "share": float(share), "hole": hole}


def _read_box(ax: Axes, stats: AxesState) -> AxesState:
    upright = getattr(ax, "recorded_upright", True)
    name = _make_tick_namer(ax.xaxis if upright else ax.yaxis)(stats["at"])
    numbers = {key: float(stats[key]) for key in ("med", "q1", "q3", "whislo", "whishi")}
    return {"name": name, **numbers}


def _read_grids(ax: Axes) -> list[list[list[float]]]:
    meshes: list[Any] = [c for c in ax.collections if isinstance(c, QuadMesh)]
    arrays = [np.ma.getdata(shown.get_array()) for shown in (*ax.images, *meshes)]
    return [array.astype(float).tolist() for array in arrays if array.ndim == 2]


def _read_areas(ax: Axes) -> list[AxesState]:
    """Return filled areas, without the empty bands that seaborn draws for missing errors."""
    found = [_read_area(ax, c) for c in ax.collections if isinstance(c, PolyCollection)]
    return [area for area in found if np.isfinite([y for _, y in area["corners"]]).any()]


def _read_area(ax: Axes, area: Any) -> AxesState:
    name = _make_tick_namer(ax.xaxis)
    corners = [path.vertices.tolist() for path in area.get_paths()]
    color = [to_hex(color) for color in area.get_facecolor()]
    return {"corners": [[name(x), y] for path in corners for x, y in path], "colors": color}


def _read_regions(collection: Any) -> list[list[Any]]:
    """Return polygons as geopandas draws them: key of the outline, and color."""
    if isinstance(collection, PathCollection | PolyCollection | QuadMesh):
        return []
    faces = [to_hex(color) for color in collection.get_facecolor()]
    paths = collection.get_paths()
    if not faces or not paths:
        return []
    colors = [faces[index % len(faces)] for index in range(len(paths))]
    return [[make_region_key(p.vertices), c] for p, c in zip(paths, colors, strict=True)]


def make_region_key(corners: Any) -> str:
    """Return a key that identifies an outline."""
    return f"{len(corners)} {corners[0][0]:.4f} {corners[0][1]:.4f} {corners.sum():.2f}"
