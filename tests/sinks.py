"""Search of a text or a screen for characters that a terminal would obey or not show."""

from __future__ import annotations

import re

from textual.app import App

from starchat_tui.sandbox.outputs import (
    Failure,
    Figure,
    Note,
    Output,
    Result,
    RunEnded,
    StreamText,
    WrittenFile,
)
from starchat_tui.sanitize import sanitize_text
from tests.scripted import make_png
from tests.test_sanitize import PAYLOADS, is_shown
from tests.ui.screen_helpers import render_strips

OWN_SEQUENCES = re.compile(r"\x1b\[[\d;]*m|\r\x1b\[K")
"""Escape sequences that we write: colours, and clearing the line of a progress message."""
NAMES = list(PAYLOADS)


def find_unsafe_text(text: str) -> str:
    """Return the characters of `text` that are not safe, escaped as in Python."""
    unsafe = [
        char
        for char in OWN_SEQUENCES.sub("", text)
        if not is_shown(char) or sanitize_text(char) != char
    ]
    return "".join(ascii(char)[1:-1] for char in unsafe)


def find_unsafe_text_on_screen(app: App[None]) -> str:
    """Return those of a screen, and the targets of its hyperlinks."""
    rows = render_strips(app)
    links = [part.style.link for row in rows for part in row if part.style and part.style.link]
    return find_unsafe_text("".join(row.text for row in rows)) + "".join(links)


def create_hostile_outputs(bad: str) -> list[Output]:
    """Create one output of each kind with `bad` in each of its texts."""
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
