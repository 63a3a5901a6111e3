"""Routes to a clipboard, and an honest report of the one that was used.

OSC 52 asks the terminal, which gives no answer, so nobody knows whether it obeyed; a program that
exits with 0 did take the text. Over SSH only the terminal's clipboard is the user's.
"""

from __future__ import annotations

import asyncio
import shutil
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from starchat_tui.sanitize import find_hidden_characters

TIMEOUT = 2.0
"""Seconds that a clipboard program may take."""
OSC52_LIMIT = 74_000
"""Bytes of the largest text that most terminals accept in an OSC 52 sequence."""


@dataclass(frozen=True, slots=True)
class Route:
    """Route to a clipboard; without a command it is the terminal's (OSC 52)."""

    name: str
    command: tuple[str, ...] = ()


TERMINAL_ROUTE = Route("OSC 52")
_LOCAL = (
    ("WAYLAND_DISPLAY", Route("wl-copy", ("wl-copy",))),
    ("DISPLAY", Route("xclip", ("xclip", "-selection", "clipboard"))),
    ("DISPLAY", Route("xsel", ("xsel", "--clipboard", "--input"))),
    ("", Route("pbcopy", ("pbcopy",))),
    ("", Route("clip.exe", ("clip.exe",))),
)
# `-w`: tmux also passes the buffer on to the clipboard of the terminal it runs in.
_TMUX = Route("tmux", ("tmux", "load-buffer", "-w", "-"))


def find_routes(
    environ: Mapping[str, str], which: Callable[[str], str | None] = shutil.which
) -> list[Route]:
    """Return the routes to try in order; the last one is always the terminal."""
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
    return [*found, TERMINAL_ROUTE]


async def copy_text(text: str, routes: list[Route], osc52: Callable[[str], None]) -> Route:
    """Give `text` to the first route that takes it and return that route.

    `osc52` writes the terminal's sequence.
    """
    for route in routes:
        if route.command and await _feed_program(route.command, text):
            return route
    osc52(text)
    return TERMINAL_ROUTE


async def _feed_program(command: tuple[str, ...], text: str) -> bool:
    """Return whether the program took the text and exited with 0."""
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


def describe_copy(subject: str, text: str, route: Route) -> str:
    """Return the notice about `text` that was copied by that route."""
    lines = text.count("\n") + 1
    size = "1 line" if lines == 1 else f"{lines} lines"
    said = f"Copied {subject} ({size}) with {route.name}"
    if route == TERMINAL_ROUTE:
        said = (
            f"Sent {subject} ({size}) to the terminal's clipboard (OSC 52); if it does not arrive, "
            "the terminal refuses it: `/save n FILE` writes it to a file"
        )
        if len(text.encode(errors="replace")) > OSC52_LIMIT:
            said += ". It is larger than many terminals accept"
    if unseen := find_hidden_characters(text):
        said += f". It contains invisible characters: {', '.join(unseen[:4])}"
    return said
