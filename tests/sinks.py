"""What a terminal would obey, or not show, in what was about to be written to it."""

from __future__ import annotations

import re

from textual.app import App

from starchat_tui.sandbox.outputs import (
    RunEnded,
    Failure,
    Figure,
    Note,
    Output,
    Result,
    StreamText,
    WrittenFile,
)
from starchat_tui.sanitize import sanitize_text
from tests.scripted import make_png
from tests.test_sanitize import PAYLOADS, shows
from tests.ui.looking import strips

OURS = re.compile(r"\x1b\[[\d;]*m|\r\x1b\[K")
"""The sequences that we write ourselves: colours, and an empty line for progress."""
NAMES = list(PAYLOADS)


def obeyed(text: str) -> str:
    """The characters of `text` that get through, as they are spelled in Python."""
    left = [one for one in OURS.sub("", text) if not shows(one) or sanitize_text(one) != one]
    return "".join(ascii(one)[1:-1] for one in left)


def obeyed_on(app: App[None]) -> str:
    """The same for a screen; a hyperlink in a style counts as one."""
    rows = strips(app)
    links = [part.style.link for row in rows for part in row if part.style and part.style.link]
    return obeyed("".join(row.text for row in rows)) + "".join(links)


def outputs(bad: str) -> list[Output]:
    """One output of each kind, hostile in each of its fields."""
    return [
        StreamText("stdout", f"out {bad} and\n"),
        StreamText("stderr", f"err {bad}"),
        Result(f"result {bad}"),
        Figure(make_png(40, 40), 40, 40, f"card {bad} 'title'"),
        Failure(f"Name{bad}", f"message {bad}", f"trace {bad}\nmore"),
        WrittenFile(f"name{bad}.csv", 3),
        Note(f"note {bad}"),
        RunEnded("error", "isolated", 1.0, f"reason {bad}"),
    ]
