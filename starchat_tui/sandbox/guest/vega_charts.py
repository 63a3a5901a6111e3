"""Charts of altair and other libraries that write Vega-Lite, as text: they need a browser."""

from __future__ import annotations

import json
from typing import Any

from starchat_tui.sandbox.guest.describe.phrases import quote_text, shorten_text

NOTE = "A Vega-Lite chart (altair) needs a browser: its data is shown instead"
MAX_ROWS = 12


def describe_chart(spec: Any) -> str:
    """Return the mark, the encodings and the first rows of a chart as text."""
    if not isinstance(spec, dict):
        return "Vega-Lite chart"
    title = spec.get("title")
    title = title.get("text") if isinstance(title, dict) else title
    lines = [f"Vega-Lite chart{f' {quote_text(str(title))}' if title else ''}:"]
    layers = next((spec[name] for name in ("layer", "hconcat", "vconcat") if name in spec), [spec])
    lines += [f"  {_describe_layer(layer)}" for layer in layers if isinstance(layer, dict)]
    rows = _find_rows(spec)
    lines += [f"  {_describe_row(row)}" for row in rows[:MAX_ROWS]]
    if len(rows) > MAX_ROWS:
        lines.append(f"  and {len(rows) - MAX_ROWS} more rows")
    return "\n".join(lines)


def _describe_layer(layer: dict[str, Any]) -> str:
    mark = layer.get("mark", "chart")
    mark = mark.get("type", "chart") if isinstance(mark, dict) else mark
    encodings = layer.get("encoding", {})
    fields = [
        f"{channel} {quote_text(str(one.get('field') or one.get('aggregate')))}"
        for channel, one in encodings.items()
        if isinstance(one, dict) and (one.get("field") or one.get("aggregate"))
    ]
    return f"{mark}{': ' if fields else ''}{', '.join(fields)}"


def _find_rows(spec: dict[str, Any]) -> list[Any]:
    data = spec.get("data")
    if not isinstance(data, dict):
        return []
    rows = data.get("values") or spec.get("datasets", {}).get(data.get("name"))
    return rows if isinstance(rows, list) else []


def _describe_row(row: Any) -> str:
    if not isinstance(row, dict):
        return shorten_text(json.dumps(row, default=str))
    return ", ".join(f"{name} {shorten_text(str(value))}" for name, value in row.items())
