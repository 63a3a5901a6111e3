"""Figures of plotly, drawn with matplotlib where their traces are of a simple kind.

Plotly itself draws in a browser. A figure that cannot be drawn here is described by its data.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starchat_tui.sandbox.guest.describe.phrases import format_number, quote_text, shorten_text

PLOTLY_CLASS = "plotly.basedatatypes.BaseFigure"
DRAWN_NOTE = "plotly draws in a browser: its figure was drawn with matplotlib instead"
DESCRIBED_NOTE = (
    "plotly draws in a browser, and matplotlib cannot draw this figure: its data is shown instead. "
    '`fig.write_html("figure.html")` saves the figure itself'
)
MAX_TRACES = 50
MAX_VALUES = 12
MAX_LINE_MARKERS = 20
"""Points of a line from which on plotly draws it without markers."""


def draw_figure(plotly_figure: Any) -> Any | None:
    """Return a matplotlib figure of the same data; None if one of its traces is not simple."""
    from matplotlib.figure import Figure

    traces = list(plotly_figure.data)
    kinds = {trace.type for trace in traces}
    is_mixed = len(kinds & {"pie", "heatmap"}) > 0 and len(traces) > 1
    if not traces or not kinds <= set(_DRAW) or is_mixed or _has_subplots(traces):
        return None
    figure = Figure(figsize=(7, 5))
    axes = figure.add_subplot()
    try:
        for number, trace in enumerate(traces):
            _DRAW[trace.type](axes, trace, number, plotly_figure)
        _label_axes(axes, plotly_figure.layout, traces)
    except (TypeError, ValueError, AttributeError):
        # Data that matplotlib understands in another way than plotly.
        return None
    return figure


def describe_data(plotly_figure: Any) -> str:
    """Return the title and the traces of a figure as text."""
    title = plotly_figure.layout.title.text
    traces = list(plotly_figure.data)
    lines = [f"plotly figure{f' {quote_text(title)}' if title else ''}:"]
    lines += [f"  {_describe_trace(trace)}" for trace in traces[:MAX_TRACES]]
    if len(traces) > MAX_TRACES:
        lines.append(f"  and {len(traces) - MAX_TRACES} more traces")
    return "\n".join(lines)


def _describe_trace(trace: Any) -> str:
    parts = []
    for name in ("x", "y", "z", "lat", "lon", "labels", "locations", "values", "r", "theta"):
        values = getattr(trace, name, None)
        if values is not None and len(values):
            shown = ", ".join(_format_value(value) for value in list(values)[:MAX_VALUES])
            more = f", … ({len(values)} values)" if len(values) > MAX_VALUES else ""
            parts.append(f"{name} {shown}{more}")
    name = f" {quote_text(trace.name)}" if trace.name else ""
    return f"{trace.type}{name}{': ' if parts else ''}{'; '.join(parts)}"


def _format_value(value: Any) -> str:
    return shorten_text(value) if isinstance(value, str) else format_number(value)


def _has_subplots(traces: list[Any]) -> bool:
    return any(
        getattr(trace, f"{name}axis", None) not in (None, name) for trace in traces for name in "xy"
    )


def _label_axes(axes: Any, layout: Any, traces: list[Any]) -> None:
    axes.set_title(layout.title.text or "")
    if traces[0].type == "pie":
        return
    for name in ("x", "y"):
        axis = layout[f"{name}axis"]
        getattr(axes, f"set_{name}label")(axis.title.text or "")
        if axis.type == "log":
            getattr(axes, f"set_{name}scale")("log")
    if any(trace.name and trace.showlegend is not False for trace in traces) and len(traces) > 1:
        axes.legend(title=layout.legend.title.text)


def _draw_scatter(axes: Any, trace: Any, number: int, _: Any) -> None:
    y = list(trace.y)
    x = list(trace.x) if trace.x is not None else list(range(len(y)))
    mode = trace.mode or ("lines" if len(y) > MAX_LINE_MARKERS else "lines+markers")
    if "lines" in mode:
        axes.plot(x, y, marker="o" if "markers" in mode else "", label=trace.name)
    else:
        axes.scatter(x, y, label=trace.name)


def _draw_bar(axes: Any, trace: Any, number: int, plotly_figure: Any) -> None:
    """Draw a group of bars beside, upon or over the earlier ones, as the layout says."""
    is_horizontal = trace.orientation == "h"
    places, sizes = (trace.y, trace.x) if is_horizontal else (trace.x, trace.y)
    bars = [one for one in plotly_figure.data if one.type == "bar"]
    names = dict.fromkeys(at for one in bars for at in (one.y if is_horizontal else one.x))
    mode, width = plotly_figure.layout.barmode, 0.8
    positions = [float(list(names).index(at)) for at in places]
    starts = [0.0] * len(positions)
    if mode in (None, "group"):
        width /= len(bars)
        positions = [at + (number - (len(bars) - 1) / 2) * width for at in positions]
    elif mode in ("stack", "relative"):
        ends = axes.bar_ends = getattr(axes, "bar_ends", {})
        starts = [ends.get(at, 0.0) for at in places]
        ends.update(
            (at, start + float(size)) for at, start, size in zip(places, starts, sizes, strict=True)
        )
    if is_horizontal:
        axes.barh(positions, sizes, width, left=starts, label=trace.name)
        axes.set_yticks(range(len(names)), names)
    else:
        axes.bar(positions, sizes, width, bottom=starts, label=trace.name)
        axes.set_xticks(range(len(names)), names)


def _draw_histogram(axes: Any, trace: Any, number: int, _: Any) -> None:
    is_horizontal = trace.x is None
    values = list(trace.y if is_horizontal else trace.x)
    bins = (trace.nbinsy if is_horizontal else trace.nbinsx) or "auto"
    orientation = "horizontal" if is_horizontal else "vertical"
    axes.hist(values, bins=bins, orientation=orientation, label=trace.name)


def _draw_pie(axes: Any, trace: Any, number: int, _: Any) -> None:
    shares: dict[str, float] = {}
    for label, value in zip(trace.labels, trace.values, strict=True):
        shares[str(label)] = shares.get(str(label), 0.0) + float(value)
    axes.pie(list(shares.values()), labels=list(shares), autopct="%1.1f%%")


def _draw_heatmap(axes: Any, trace: Any, number: int, _: Any) -> None:
    image = axes.imshow([list(row) for row in trace.z], aspect="auto")
    if trace.x is not None:
        axes.set_xticks(range(len(trace.x)), trace.x)
    if trace.y is not None:
        axes.set_yticks(range(len(trace.y)), trace.y)
    axes.figure.colorbar(image)


_DRAW: dict[str, Callable[[Any, Any, int, Any], None]] = {
    "scatter": _draw_scatter,
    "scattergl": _draw_scatter,
    "bar": _draw_bar,
    "histogram": _draw_histogram,
    "pie": _draw_pie,
    "heatmap": _draw_heatmap,
}
"""Functions that draw a trace, by its type."""
