"""Numbers, names and positions of a plot in words."""

from __future__ import annotations

import math
import sys
from typing import Any

LONGEST_NAME = 120


def number(value: Any) -> str:
    """A number as a reader wants it: whole where it is whole, else five digits."""
    try:
        plain = float(value)
    except (TypeError, ValueError):
        return short(str(value))
    if math.isfinite(plain) and plain == int(plain) and abs(plain) < 1e15:
        return str(int(plain))
    return f"{plain:.5g}"


def short(text: str) -> str:
    """A text on one line, cut where it is long."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_NAME else f"{line[:LONGEST_NAME]}…"


def quoted(text: str) -> str:
    """A text in quotation marks, on one line."""
    return f'"{short(text)}"'


def place(axis: Any, value: float) -> str:
    """A position on an axis as its ticks write it: a category, a date, or a number."""
    formatter = axis.get_major_formatter()
    kind = type(formatter).__name__
    if kind in ("ScalarFormatter", "LogFormatterSciNotation", "NullFormatter"):
        return number(value)
    if kind in ("FixedFormatter", "StrCategoryFormatter", "FuncFormatter"):
        ticks = list(zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=False))
        near = [(abs(at - value), label.get_text()) for at, label in ticks if label.get_text()]
        if near and min(near)[0] <= 0.5:
            return short(min(near)[1])
        return number(value)
    if kind in ("AutoDateFormatter", "ConciseDateFormatter", "DateFormatter"):
        return _date(value)
    freq = getattr(axis.axes, "freq", None)
    if freq is not None and axis is axis.axes.xaxis:
        # It is loaded: it gave the axes its periods.
        return str(sys.modules["pandas"].Period(ordinal=int(value), freq=freq))
    return short(str(formatter(value))) or number(value)


def _date(value: float) -> str:
    """A date of matplotlib, in days since its epoch; with the time where that is not midnight."""
    when = sys.modules["matplotlib.dates"].num2date(value)
    return str(when.strftime("%Y-%m-%d" if value == int(value) else "%Y-%m-%d %H:%M:%S"))
