"""Numbers, names and positions of a plot as text."""

from __future__ import annotations

import math
import sys
from typing import Any

MAX_NAME_CHARS = 120


def format_number(value: Any) -> str:
    """Return a number as text: all digits of an integer, else five significant digits."""
    try:
        plain = float(value)
    except (TypeError, ValueError):
        return shorten_text(str(value))
    # A float holds integers of about 15 digits exactly.
    if math.isfinite(plain) and plain == int(plain) and abs(plain) < 1e15:
        return str(int(plain))
    return f"{plain:.5g}"


def shorten_text(text: str) -> str:
    """Return a text on one line, cut to `MAX_NAME_CHARS` characters."""
    line = " ".join(text.split())
    return line if len(line) <= MAX_NAME_CHARS else f"{line[:MAX_NAME_CHARS]}…"


def quote_text(text: str) -> str:
    """Return a text on one line in quotation marks."""
    return f'"{shorten_text(text)}"'


def format_position(axis: Any, value: float) -> str:
    """Return a position on an axis as its ticks show it: a category, a date, or a number."""
    formatter = axis.get_major_formatter()
    # By class name: matplotlib is not imported here, and subclasses format differently.
    kind = type(formatter).__name__
    if kind in ("ScalarFormatter", "LogFormatterSciNotation", "NullFormatter"):
        # A tick is rounded to the scale of the axis; the value itself says more.
        return format_number(value)
    if kind in ("FixedFormatter", "StrCategoryFormatter", "FuncFormatter"):
        ticks = list(zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=False))
        near = [(abs(at - value), label.get_text()) for at, label in ticks if label.get_text()]
        # Categories lie at whole numbers: half a step off, a position still belongs to one.
        if near and min(near)[0] <= 0.5:
            return shorten_text(min(near)[1])
        return format_number(value)
    if kind in ("AutoDateFormatter", "ConciseDateFormatter", "DateFormatter"):
        return _format_date(value)
    freq = getattr(axis.axes, "freq", None)
    if freq is not None and axis is axis.axes.xaxis:
        # pandas plots a time series by the ordinals of its periods, and is imported if it did.
        return str(sys.modules["pandas"].Period(ordinal=int(value), freq=freq))
    return shorten_text(str(formatter(value))) or format_number(value)


def _format_date(value: float) -> str:
    """Return a date, given in days since matplotlib's epoch; with its time unless at midnight."""
    when = sys.modules["matplotlib.dates"].num2date(value)
    return str(when.strftime("%Y-%m-%d" if value == int(value) else "%Y-%m-%d %H:%M:%S"))
