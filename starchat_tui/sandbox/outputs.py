"""What a run says: small frozen values, in the order in which they happened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "error", "interrupted", "timeout", "memory", "output", "died", "no-sandbox"]
"""How a run ended. `error` is the code's own; `timeout`, `memory` and `output` are our limits;
`died` is a kernel that is gone, or that broke the protocol; `no-sandbox` ran nothing."""

Level = Literal["isolated", "restricted", "off", "unsafe"]
"""The wall: bubblewrap, Landlock, none and so no run, none because the user said so."""


@dataclass(frozen=True, slots=True)
class Text:
    """What the code wrote to a stream, as it came."""

    stream: Literal["stdout", "stderr"]
    text: str


@dataclass(frozen=True, slots=True)
class Result:
    """What the last expression came to, or what was displayed; a table as text."""

    text: str


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture that the code drew."""

    png: bytes
    width: int
    """In pixels."""
    height: int
    """In pixels."""
    card: str
    """The picture in words: titles, axes, values, legend."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An exception that the code did not catch."""

    name: str
    message: str
    traceback: str
    """Plain text, without colours; its lines point into the cell."""


@dataclass(frozen=True, slots=True)
class Written:
    """A file that the code left behind in its folder."""

    name: str
    size: int
    """In bytes."""


@dataclass(frozen=True, slots=True)
class Note:
    """What the reader should know about the run: a name that was provided, a hint."""

    text: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of a run; exactly one, and last."""

    status: Status
    level: Level
    seconds: float
    reason: str = ""
    """What to tell the reader where it did not end well, and whether variables are kept."""


Output = Text | Result | Figure | Failure | Written | Note | Ended
