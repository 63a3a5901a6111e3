"""Numbers, names and positions as text."""

from __future__ import annotations

import math

import numpy as np
import pytest
from matplotlib.figure import Figure

from starchat_tui.sandbox.guest.describe.phrases import (
    format_number,
    format_position,
    quote_text,
    shorten_text,
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3, "3"),
        (3.0, "3"),
        (-0.5, "-0.5"),
        (1 / 3, "0.33333"),
        (123456789, "123456789"),
        (2e15, "2e+15"),
        (math.nan, "nan"),
        (math.inf, "inf"),
        ("text", "text"),
        (None, "None"),
    ],
)
def test_numbers(value: object, expected: str) -> None:
    assert format_number(value) == expected


def test_text_is_put_on_one_line_and_cut() -> None:
    assert shorten_text(" a\n  b ") == "a b"
    assert shorten_text("x" * 130) == "x" * 120 + "…"
    assert quote_text("a\tb") == '"a b"'


def test_a_position_is_a_category_where_the_axis_has_them() -> None:
    axes = Figure().subplots()
    axes.bar(["a", "b"], [1, 2])
    assert format_position(axes.xaxis, 0.9) == "b"
    assert format_position(axes.xaxis, 7.0) == "7"
    assert format_position(axes.yaxis, 0.9) == "0.9"


def test_a_position_is_a_date_where_the_axis_has_them() -> None:
    axes = Figure().subplots()
    dates = ["2023-01-01", "2023-02-03T04"]
    axes.plot(np.array(dates, dtype="datetime64[h]"), [1, 2])
    first, last = np.asarray(axes.lines[0].get_xdata(orig=False), dtype=float)
    assert format_position(axes.xaxis, first) == "2023-01-01"
    assert format_position(axes.xaxis, last) == "2023-02-03 04:00:00"
