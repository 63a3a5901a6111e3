"""Text into the clipboard, and the truth about the way it took.

OSC 52 asks the terminal, which does not answer: whether it obeyed is not known. A program that took
the text is. Over SSH only the terminal's clipboard is the user's.
"""

from __future__ import annotations

import asyncio
import shutil
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from starchat_tui.sanitize import hidden

TIMEOUT = 2.0
"""Seconds a clipboard program has."""
OSC52_LIMIT = 74_000
"""Bytes beyond which many terminals drop an OSC 52 sequence."""


@dataclass(frozen=True, slots=True)
class Route:
    """A way to a clipboard; without a command it is the terminal's (OSC 52)."""

    name: str
    command: tuple[str, ...] = ()


TERMINAL = Route("OSC 52")
_LOCAL = (
    ("WAYLAND_DISPLAY", Route("wl-copy", ("wl-copy",))),
    ("DISPLAY", Route("xclip", ("xclip", "-selection", "clipboard"))),
    ("DISPLAY", Route("xsel", ("xsel", "--clipboard", "--input"))),
    ("", Route("pbcopy", ("pbcopy",))),
    ("", Route("clip.exe", ("clip.exe",))),
)
_TMUX = Route("tmux", ("tmux", "load-buffer", "-w", "-"))


def routes(
    environ: Mapping[str, str], which: Callable[[str], str | None] = shutil.which
) -> list[Route]:
    """The ways to try in order; the last one is always the terminal."""
    remote = bool(environ.get("SSH_TTY") or environ.get("SSH_CONNECTION"))
    found: list[Route] = []
    if not remote:
        found += [
            route
            for variable, route in _LOCAL
            if (not variable or environ.get(variable)) and which(route.command[0])
        ]
    if environ.get("TMUX") and which("tmux"):
        found.append(_TMUX)
    return [*found, TERMINAL]


async def copy(text: str, ways: list[Route], osc52: Callable[[str], None]) -> Route:
    """Hand `text` to the first way that takes it; `osc52` writes the terminal's sequence."""
    for route in ways:
        if route.command and await _taken(route.command, text):
            return route
    osc52(text)
    return TERMINAL


async def _taken(command: tuple[str, ...], text: str) -> bool:
    """Whether the program took the text and ended well."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=DEVNULL, stderr=DEVNULL
        )
    except OSError:
        return False
    try:
        await asyncio.wait_for(process.communicate(text.encode(errors="replace")), TIMEOUT)
    except (TimeoutError, OSError):
        if process.returncode is None:
            process.kill()
            await process.wait()
        return False
    return process.returncode == 0


def report(what: str, text: str, route: Route) -> str:
    """What may honestly be said after `text` went that way."""
    lines = text.count("\n") + 1
    size = "1 line" if lines == 1 else f"{lines} lines"
    said = f"Copied {what} ({size}) with {route.name}"
    if route == TERMINAL:
        said = (
            f"Sent {what} ({size}) to the terminal's clipboard (OSC 52); if it does not arrive, "
            "the terminal refuses it: /save n FILE writes it to a file"
        )
        if len(text.encode(errors="replace")) > OSC52_LIMIT:
            said += ". It is larger than many terminals accept"
    if unseen := hidden(text):
        said += f". It holds characters one cannot see: {', '.join(unseen[:4])}"
    return said
