"""How this terminal draws pictures: asked once, before the screen is taken over.

Afterwards the terminal's answers would be read as keys. Half-blocks are our own and work
everywhere; kitty and sixel are textual-image's, which is imported with the first plot: it brings
numpy along (0.2 s), and would ask the terminal anew.
"""

from __future__ import annotations

import io
import os
import re
import select
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal, cast

from textual.widget import Widget

from starchat_tui.terminal.images import CELL

Kind = Literal["kitty", "sixel", "half", "unicode", "off"]
KINDS: tuple[Kind, ...] = ("kitty", "sixel", "half", "unicode", "off")
PATIENCE = 0.2
"""Seconds a terminal has for its answer; all but mute ones need a few milliseconds."""
_QUESTION = b"\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\\x1b[16t\x1b[c"
"""Kitty's graphics? The size of a cell? And what are you: the last one everybody answers."""
_ANSWERS = re.compile(rb"\x1b_G[^\x1b]*\x1b\\|\x1b\[6;(\d+);(\d+)t|\x1b\[\?([\d;]*)c")


@dataclass(frozen=True, slots=True)
class Images:
    """How pictures are drawn."""

    kind: Kind = "half"
    cell: tuple[int, int] = CELL
    """Width and height of a cell in pixels."""


def detect(choice: str, environ: Mapping[str, str]) -> tuple[Images, str]:
    """What to draw with, and what the user typed while the terminal was asked.

    `choice` is a kind, or `auto`. Multiplexers get half-blocks: they would swallow the rest;
    so do the plain consoles, which would print the question.
    """
    cell = _cell_of(os.get_terminal_size().columns, os.get_terminal_size().lines)
    for kind in KINDS:
        if choice == kind:
            return Images(kind, cell), ""
    term = environ.get("TERM", "")
    plain = term.startswith(("screen", "tmux", "linux", "vt"))
    if environ.get("TMUX") or environ.get("STY") or plain:
        return Images("half", cell), ""
    if "kitty" in term or "ghostty" in term:
        return Images("kitty", cell), ""
    said = _asked()
    kind, asked_cell, typed = read_answers(said)
    return Images(kind, asked_cell or cell), typed


def read_answers(said: bytes) -> tuple[Kind, tuple[int, int] | None, str]:
    """The kind, a cell's size where the terminal told it, and the keys between the answers.

    Sixel goes before kitty: terminals that know both lack kitty's placeholders.
    """
    kind: Kind = "half"
    cell = None
    for found in _ANSWERS.finditer(said):
        if found[3] is not None and "4" in found[3].decode().split(";")[1:]:
            kind = "sixel"
        elif found[0].startswith(b"\x1b_Gi=31;OK") and kind == "half":
            kind = "kitty"
        elif found[1] and int(found[1]) and int(found[2]):
            cell = (int(found[2]), int(found[1]))
    typed = _ANSWERS.sub(b"", said).decode(errors="ignore")
    return kind, cell, "".join(one for one in typed if one.isprintable())


def _asked() -> bytes:
    """What the terminal says to the question, and what was typed meanwhile."""
    import termios
    import tty

    said = b""
    try:
        before = termios.tcgetattr(0)
    except termios.error:
        return said
    try:
        tty.setcbreak(0, termios.TCSANOW)
        os.write(1, _QUESTION)
        end = time.monotonic() + PATIENCE
        while not re.search(rb"\x1b\[\?[\d;]*c", said):
            ready, _, _ = select.select([0], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                break
            said += os.read(0, 1024)
    finally:
        termios.tcsetattr(0, termios.TCSANOW, before)
    return said


def _cell_of(columns: int, rows: int) -> tuple[int, int]:
    """The size of a cell, where the terminal told the kernel; else a usual one."""
    import fcntl
    import struct
    import termios

    with suppress(OSError):
        answer = fcntl.ioctl(1, termios.TIOCGWINSZ, b"\0" * 8)
        _, _, width, height = struct.unpack("HHHH", answer)
        if width and height:
            return width // columns, height // rows
    return CELL


def picture_widget(image: Any, images: Images) -> Widget:
    """textual-image's widget for a decoded picture, in kitty's protocol or in sixels."""
    with _mute():
        from textual_image import _terminal

        setattr(_terminal.get_cell_size, "_result", _terminal.CellSize(*images.cell))  # noqa: B010
        from textual_image import widget
    made = widget.TGPImage if images.kind == "kitty" else widget.SixelImage
    return cast(Widget, made(image))


@contextmanager
def _mute() -> Iterator[None]:
    """No terminal to ask, for a library that would do so while it is imported."""
    kept = sys.__stdout__
    sys.__stdout__ = cast(Any, io.StringIO())  # type: ignore[misc]
    try:
        yield
    finally:
        sys.__stdout__ = kept  # type: ignore[misc]
