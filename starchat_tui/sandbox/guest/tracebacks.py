"""Tracebacks as plain text that point into the cells and hide the calls that run them."""

from __future__ import annotations

import itertools
import linecache
import os
import re
import traceback
from collections.abc import Iterator
from types import TracebackType

from starchat_tui.sandbox.guest.workspace import find_code_folder

CONTEXT_LINES = 2
"""Lines of the cell shown before and after the one that failed."""
MAX_CALLS = 6
"""Calls shown from either end of a traceback; recursion has thousands."""
MAX_MESSAGE_CHARS = 4000
"""Characters shown of an exception's message."""
HIDDEN_PATHS = ("IPython/", "sandbox/guest/", "/run/guest/", "/runpy.py", "<frozen")
"""Parts of the paths of code that runs the cell."""
# IPython's name of a cell's code (`compilerop.code_name`): its number, and a digest.
_CELL_FILENAME = re.compile(r"<ipython-input-(\d+)-")
_LIBRARY_PREFIX = re.compile(r".*/(?:site-packages|dist-packages|python3\.\d+)/")


def format_traceback(error: BaseException, tail: TracebackType | None = None) -> str:
    """Return the traceback as text, the oldest call first and a cause before its effect."""
    return "\n".join(_format_chain(error, tail or error.__traceback__, seen=set()))


def _format_chain(
    error: BaseException, tail: TracebackType | None, seen: set[int]
) -> Iterator[str]:
    # By identity, because a chain of causes can be a cycle.
    seen.add(id(error))
    cause = error.__cause__
    if cause is None and not error.__suppress_context__:
        cause = error.__context__
    if cause is not None and id(cause) not in seen and len(seen) < MAX_CALLS:
        yield from _format_chain(cause, cause.__traceback__, seen)
        yield ""
        # The sentences of Python's own traceback module.
        if error.__cause__ is not None:
            yield "The above exception was the direct cause of the following exception:"
        else:
            yield "During handling of the above exception, another exception occurred:"
        yield ""
    yield from _format_calls(tail)
    if isinstance(error, SyntaxError):
        yield from _format_syntax_error(error)
    yield format_summary(error)
    if isinstance(error, BaseExceptionGroup):
        for number, inner in enumerate(error.exceptions[:MAX_CALLS], 1):
            yield f"  {number}. {format_summary(inner)}"


def _format_calls(tail: TracebackType | None) -> Iterator[str]:
    calls = [
        (frame.f_code.co_filename, line, frame.f_code.co_qualname)
        for frame, line in traceback.walk_tb(tail)
        if not _is_hidden(frame.f_code.co_filename)
    ]
    # Recursion repeats a call: one entry for each run of equal ones.
    runs = [(call, len(list(same))) for call, same in itertools.groupby(calls)]
    first, last = runs[:MAX_CALLS], runs[max(MAX_CALLS, len(runs) - MAX_CALLS) :]
    for call, times in first:
        yield from _format_call(*call, times)
    if left_out := sum(times for _, times in runs[len(first) : len(runs) - len(last)]):
        yield f"  ... {left_out} more calls ..."
    for call, times in last:
        yield from _format_call(*call, times)


def _format_call(filename: str, line: int, name: str, times: int) -> Iterator[str]:
    """Yield the lines for one call.

    Args:
        filename: File of the code, or IPython's name of a cell.
        line: Number of the line that was running, from 1.
        name: Qualified name of the function.
        times: How often the call is repeated in a row.
    """
    # "<cell line: 1>" is IPython's name for the top level of a cell.
    scope = "" if name.startswith("<cell line") or name == "<module>" else f", in {name}"
    if place := _locate(filename, line):
        yield f"{place}{scope}:"
        yield from _format_source_lines(filename, line)
    else:
        yield f"{_LIBRARY_PREFIX.sub('', filename)}, line {line}{scope}"
    if times > 1:
        yield f"  ... repeated {times - 1} more times ..."


def _format_syntax_error(error: SyntaxError) -> Iterator[str]:
    line, text = error.lineno or 0, error.text or ""
    if place := _locate(error.filename or "", line):
        yield f"{place}:"
    if text:
        yield f"----> {line} {text.rstrip()}"
        newlines = len(text) - len(text.lstrip("\n"))
        column = max((error.offset or 1) - 1 - newlines, 0)
        yield " " * (len(f"----> {line} ") + column) + "^"


def format_summary(error: BaseException) -> str:
    """Return the exception's class and message, which may span several lines."""
    name, text = type(error).__name__, get_message(error)
    return f"{name}: {text}" if text else name


def get_message(error: BaseException) -> str:
    """Return the exception's message, cut to `MAX_MESSAGE_CHARS`; never raises."""
    try:
        text = str(error.msg) if isinstance(error, SyntaxError) else str(error)
    except Exception as failure:  # noqa: BLE001
        # The cell's own class of exception may fail in `__str__`.
        return f"(its message cannot be shown: {type(failure).__name__})"
    return text if len(text) <= MAX_MESSAGE_CHARS else f"{text[:MAX_MESSAGE_CHARS]} …"


def _locate(filename: str, line: int | None) -> str:
    """Return the cell or file, and the line; an empty text for code that is not the user's."""
    if cell := _CELL_FILENAME.match(filename):
        return f"Cell {cell[1]}, line {line}"
    folder = f"{find_code_folder()}{os.sep}"
    return f"{filename.removeprefix(folder)}, line {line}" if filename.startswith(folder) else ""


def _is_hidden(filename: str) -> bool:
    return any(part in filename for part in HIDDEN_PATHS)


def _format_source_lines(filename: str, line: int | None) -> Iterator[str]:
    """Yield the lines around one of a cell or file, with an arrow at that one."""
    lines = linecache.getlines(filename)
    current = line or 0
    first, last = max(1, current - CONTEXT_LINES), min(len(lines), current + CONTEXT_LINES)
    for number in range(first, last + 1):
        arrow = "---->" if number == current else "     "
        yield f"{arrow} {number} {lines[number - 1].rstrip()}".rstrip()
