"""Vega-Lite charts in words."""

from __future__ import annotations

from typing import Any

import pytest

from starchat_tui.sandbox.guest.vega_charts import describe_chart

ROWS = [{"day": "Mon", "n": 1}, {"day": "Tue", "n": 2}]
ENCODING = {"x": {"field": "day"}, "y": {"aggregate": "count"}, "tooltip": [{"field": "n"}]}
CHARTS: dict[str, tuple[Any, str]] = {
    "rows in the chart": (
        {"mark": "bar", "encoding": ENCODING, "data": {"values": ROWS}, "title": "Days"},
        'Vega-Lite chart "Days":\n  bar: x "day", y "count"\n  day Mon, n 1\n  day Tue, n 2',
    ),
    "rows by name, as altair writes them": (
        {"mark": {"type": "line"}, "data": {"name": "d"}, "datasets": {"d": ROWS}},
        "Vega-Lite chart:\n  line\n  day Mon, n 1\n  day Tue, n 2",
    ),
    "layers": (
        {"layer": [{"mark": "bar"}, {"mark": "text"}], "data": {"url": "a.csv"}},
        "Vega-Lite chart:\n  bar\n  text",
    ),
    "many rows": (
        {"mark": "point", "data": {"values": [{"a": n} for n in range(20)]}},
        "Vega-Lite chart:\n  point\n"
        + "\n".join(f"  a {n}" for n in range(12))
        + "\n  and 8 more rows",
    ),
    "rows that are none": (
        {"mark": "point", "data": {"values": [1, "x"]}},
        'Vega-Lite chart:\n  point\n  1\n  "x"',
    ),
    "no chart": ("text", "Vega-Lite chart"),
    "nothing": ({}, "Vega-Lite chart:\n  chart"),
}


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_is_described(name: str) -> None:
    chart, expected = CHARTS[name]
    assert describe_chart(chart) == expected
