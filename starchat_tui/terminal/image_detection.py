"""Detection of the protocol with which this terminal draws images.

What the environment does not tell is asked of the terminal: whether it knows kitty's graphics
protocol, whether it knows sixels (attribute 4 of its primary device attributes), and the size of
a cell. A terminal is asked only by the process in its foreground, and only with both stdin and
stdout on it: a question from anywhere else would stop that process (SIGTTOU) or end up in a file.
"""

from __future__ import annotations

import os
import re
import select
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import get_args

from starchat_tui.config.settings import ImageChoice, ImageProtocol
from starchat_tui.terminal.images import DEFAULT_CELL_SIZE
from starchat_tui.terminal.input_decoder import decode_typed_ahead

ANSWER_TIMEOUT = 0.2
"""Seconds that a terminal has to answer; all that answer at all need a few milliseconds."""
_QUERY = b"\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\\x1b[16t\x1b[c"
"""Kitty graphics, cell size, device attributes: every terminal answers the last, which ends it."""
_KITTY_PROGRAMS = ("ghostty", "wezterm")
_SIXEL_PROGRAMS = ("iterm.app",)
_SIXEL_TERMS = ("foot", "mlterm", "contour", "yaft")
"""Terminals by TERM_PROGRAM in lower case, or by the beginning of TERM."""
_VTE_MOSAICS: tuple[tuple[int, ImageProtocol], ...] = ((7800, "octant"), (6200, "sextant"))
"""Versions since which VTE (GNOME Terminal and its like) draws these characters by itself.

Kitty, Ghostty, WezTerm and foot do as well, but they show pixels. Elsewhere the font decides.
"""
_LAST_ANSWER = re.compile(rb"\x1b\[\?[\d;]*c")
_ANSWERS = re.compile(rb"\x1b_G[^\x1b]*\x1b\\|\x1b\[6;(\d+);(\d+)t|\x1b\[\?([\d;]*)c")


@dataclass(frozen=True, slots=True)
class ImageSettings:
    """The protocol for images and the size of a terminal cell."""

    protocol: ImageProtocol = "half"
    cell_size: tuple[int, int] = DEFAULT_CELL_SIZE
    """Width and height of a cell in pixels."""


class ImageDetector:
    """Detects the image settings when the first image is drawn, and then once.

    Most runs draw nothing, and their terminal is not asked. Keys that are typed in the milliseconds
    of its answer are lost.
    """

    def __init__(self, choice: ImageChoice, environ: Mapping[str, str]) -> None:
        self._choice = choice
        self._environ = environ
        self._settings: ImageSettings | None = None

    @property
    def is_off(self) -> bool:
        """True if the user wants no images; the terminal need not be asked."""
        return self._choice == "off"

    def detect(self) -> ImageSettings:
        """Return the settings of this process's terminal."""
        if self._settings is None:
            self._settings, _ = detect_images(self._choice, self._environ)
        return self._settings


def detect_images(choice: ImageChoice, environ: Mapping[str, str]) -> tuple[ImageSettings, str]:
    """Return how to draw images, and the keys that the user typed while the terminal was asked.

    Must run before anything else reads the terminal: its answers would be taken for keys.
    """
    cell_size = _read_cell_size()
    protocol = choose_protocol(choice, environ)
    if protocol is not None:
        return ImageSettings(protocol, cell_size), ""
    protocol, answered_size, typed = parse_answers(_query_terminal())
    if protocol == "half":
        protocol = _choose_mosaic(environ)
    return ImageSettings(protocol, answered_size or cell_size), typed


def choose_protocol(choice: ImageChoice, environ: Mapping[str, str]) -> ImageProtocol | None:
    """Return the protocol that the setting or the environment determines; None if neither does."""
    for protocol in get_args(ImageProtocol):
        if choice == protocol:
            found: ImageProtocol = protocol
            return found
    term = environ.get("TERM", "")
    # Multiplexers swallow image sequences, and plain consoles would print the query.
    if has_multiplexer(environ) or term.startswith(("linux", "vt")) or term == "dumb":
        return "half"
    if "kitty" in term or "ghostty" in term:
        return "kitty"
    return None


def has_multiplexer(environ: Mapping[str, str]) -> bool:
    """Return whether tmux or screen stands between this process and the terminal."""
    named = environ.get("TERM", "").startswith(("screen", "tmux"))
    return bool(environ.get("TMUX") or environ.get("STY") or named)


def guess_protocol(environ: Mapping[str, str]) -> ImageProtocol:
    """Return the protocol that the terminal probably has, judged by its name without a query."""
    found = choose_protocol("auto", environ)
    if found is not None:
        return found
    program, term = environ.get("TERM_PROGRAM", "").lower(), environ.get("TERM", "")
    if environ.get("KITTY_WINDOW_ID") or program in _KITTY_PROGRAMS:
        return "kitty"
    if program in _SIXEL_PROGRAMS or term.startswith(_SIXEL_TERMS):
        return "sixel"
    return _choose_mosaic(environ)


def _choose_mosaic(environ: Mapping[str, str]) -> ImageProtocol:
    """Return the finest characters that this terminal is known to draw without gaps."""
    version = environ.get("VTE_VERSION", "")
    number = int(version) if re.fullmatch(r"[0-9]{1,9}", version) else 0
    return next((mosaic for since, mosaic in _VTE_MOSAICS if number >= since), "half")


def parse_answers(answers: bytes) -> tuple[ImageProtocol, tuple[int, int] | None, str]:
    """Return the protocol, the cell size if the terminal gave it, and the keys between answers."""
    protocol: ImageProtocol = "half"
    cell_size = None
    for found in _ANSWERS.finditer(answers):
        # Sixel wins over kitty: terminals that know both lack kitty's placeholders.
        if found[3] is not None and "4" in found[3].decode().split(";")[1:]:
            protocol = "sixel"
        elif found[0].startswith(b"\x1b_Gi=31;OK") and protocol == "half":
            protocol = "kitty"
        elif found[1] and int(found[1]) and int(found[2]):
            cell_size = (int(found[2]), int(found[1]))
    return protocol, cell_size, decode_typed_ahead(_ANSWERS.sub(b"", answers))


def _query_terminal() -> bytes:
    """Ask the terminal and return all it sent; empty if it must not be asked."""
    import termios
    import tty

    if not (os.isatty(0) and os.isatty(1)):
        return b""
    try:
        if os.tcgetpgrp(0) != os.getpgrp():
            return b""
        before = termios.tcgetattr(0)
    except (OSError, termios.error):
        return b""
    received = b""
    try:
        # TCSANOW: the default would throw away what was typed before.
        tty.setcbreak(0, termios.TCSANOW)
        os.write(1, _QUERY)
        end = time.monotonic() + ANSWER_TIMEOUT
        while not _LAST_ANSWER.search(received):
            ready, _, _ = select.select([0], [], [], max(0.0, end - time.monotonic()))
            piece = os.read(0, 1024) if ready else b""
            if not piece:
                break
            received += piece
    finally:
        termios.tcsetattr(0, termios.TCSANOW, before)
    return received


def _read_cell_size() -> tuple[int, int]:
    """Return the size of a cell in pixels if the kernel knows it, else the default."""
    import fcntl
    import struct
    import termios

    with suppress(OSError):
        answer = fcntl.ioctl(1, termios.TIOCGWINSZ, b"\0" * 8)
        rows, columns, width, height = struct.unpack("HHHH", answer)
        if rows and columns and width // columns and height // rows:
            return width // columns, height // rows
    return DEFAULT_CELL_SIZE
