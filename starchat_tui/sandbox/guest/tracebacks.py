"""An exception in words: plain text that points into the cell, and names what lies below it."""

from __future__ import annotations

import itertools
import linecache
import re
import traceback
from collections.abc import Iterator
from types import TracebackType

AROUND = 2
"""Lines of the cell that are shown before and after the one that failed."""
MOST_FRAMES = 6
"""Calls that are shown from either end of one exception; recursion has thousands."""
MOST_MESSAGE = 4000
"""Characters of one exception's own words."""
HIDDEN = ("IPython/", "sandbox/guest/", "/run/guest/", "/runpy.py", "<frozen")
"""Parts of the paths of what runs the cell."""
_CELL = re.compile(r"<ipython-input-(\d+)-")
"""How IPython names the code of a cell."""
_SITE = re.compile(r".*/(?:site-packages|dist-packages|python3\.\d+)/")


def text_of(error: BaseException, tail: TracebackType | None = None) -> str:
    """The traceback, oldest call first; causes before what they caused."""
    return "\n".join(_chain(error, tail or error.__traceback__, seen=set()))


def _chain(error: BaseException, tail: TracebackType | None, seen: set[int]) -> Iterator[str]:
    seen.add(id(error))
    cause = error.__cause__
    if cause is None and not error.__suppress_context__:
        cause = error.__context__
    if cause is not None and id(cause) not in seen and len(seen) < MOST_FRAMES:
        yield from _chain(cause, cause.__traceback__, seen)
        direct = error.__cause__ is not None
        yield ""
        yield "This led to:" if direct else "While that was handled, this happened:"
        yield ""
    yield from _frames(tail)
    if isinstance(error, SyntaxError):
        yield from _syntax(error)
    yield one_line(error)
    if isinstance(error, BaseExceptionGroup):
        for number, inner in enumerate(error.exceptions[:MOST_FRAMES], 1):
            yield f"  {number}. {one_line(inner)}"


def _frames(tail: TracebackType | None) -> Iterator[str]:
    calls = [
        (frame.f_code.co_filename, line, frame.f_code.co_qualname)
        for frame, line in traceback.walk_tb(tail)
        if not _hidden(frame.f_code.co_filename)
    ]
    runs = [(call, len(list(same))) for call, same in itertools.groupby(calls)]
    first, last = runs[:MOST_FRAMES], runs[max(MOST_FRAMES, len(runs) - MOST_FRAMES) :]
    for call, times in first:
        yield from _call(*call, times)
    if left_out := sum(times for _, times in runs[len(first) : len(runs) - len(last)]):
        yield f"  ... {left_out} more calls ..."
    for call, times in last:
        yield from _call(*call, times)


def _call(filename: str, line: int, name: str, times: int) -> Iterator[str]:
    within = "" if name.startswith("<cell line") or name == "<module>" else f", in {name}"
    if place := _place(filename, line):
        yield f"{place}{within}:"
        yield from _pointed(filename, line)
    else:
        yield f"{_SITE.sub('', filename)}, line {line}{within}"
    if times > 1:
        yield f"  ... and {times - 1} times more ..."


def _syntax(error: SyntaxError) -> Iterator[str]:
    line, text = error.lineno or 0, error.text or ""
    if place := _place(error.filename or "", line):
        yield f"{place}:"
    if text:
        yield f"----> {line} {text.rstrip()}"
        bare = len(text) - len(text.lstrip("\n"))
        yield " " * (len(f"----> {line} ") + max((error.offset or 1) - 1 - bare, 0)) + "^"


def one_line(error: BaseException) -> str:
    """The exception's name and its own words, which may be several lines."""
    name, words = type(error).__name__, message(error)
    return f"{name}: {words}" if words else name


def message(error: BaseException) -> str:
    """What the exception says of itself; what cannot say is told so."""
    try:
        words = str(error.msg) if isinstance(error, SyntaxError) else str(error)
    except Exception as again:  # noqa: BLE001
        return f"(its text cannot be had: {type(again).__name__})"
    return words if len(words) <= MOST_MESSAGE else f"{words[:MOST_MESSAGE]} …"


def _place(filename: str, line: int | None) -> str:
    """Where in which cell; nothing for other files."""
    cell = _CELL.match(filename)
    return f"Cell {cell[1]}, line {line}" if cell else ""


def _hidden(filename: str) -> bool:
    return any(part in filename for part in HIDDEN)


def _pointed(filename: str, line: int | None) -> Iterator[str]:
    """The lines around one of a cell, with an arrow."""
    lines = linecache.getlines(filename)
    at = line or 0
    for number in range(max(1, at - AROUND), min(len(lines), at + AROUND) + 1):
        arrow = "---->" if number == at else "     "
        yield f"{arrow} {number} {lines[number - 1].rstrip()}".rstrip()
