"""Outputs of a run: small frozen values, in the order in which they happened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

RunStatus = Literal[
    "ok",
    "error",
    "interrupted",
    "timeout",
    "memory",
    "output",
    "died",
    "no-sandbox",
    "no-environment",
]
"""Way in which a run ended.

`error` is an exception of the code; `timeout`, `memory` and `output` are limits that it exceeded;
`died` is a kernel that is gone or broke the protocol; with `no-sandbox` and `no-environment`
nothing was run."""

IsolationLevel = Literal["isolated", "restricted", "off", "unsafe"]
"""Kind of sandbox.

`isolated` is bubblewrap, `restricted` Landlock or Apple's sandbox; with `off` there is none, so
nothing runs; with `unsafe` there is none because the user said so."""


@dataclass(frozen=True, slots=True)
class StreamText:
    """Text that the code wrote to a stream."""

    stream: Literal["stdout", "stderr"]
    text: str


@dataclass(frozen=True, slots=True)
class Result:
    """Value of the last expression, or a displayed object, as text."""

    text: str
    key: int = 0
    """Key of the output; a later one of the same key in the run replaces it, unless it is 0."""


@dataclass(frozen=True, slots=True)
class GridLabel:
    """Line of text in a figure that was drawn for a grid of cells."""

    row: int
    column: int
    color: str
    """Six hexadecimal digits."""
    text: str


@dataclass(frozen=True, slots=True)
class GridPicture:
    """Figure drawn for a grid of terminal cells: a picture without text, and the texts."""

    columns: int
    rows: int
    png: bytes
    labels: tuple[GridLabel, ...]


@dataclass(frozen=True, slots=True)
class Figure:
    """Figure that the code drew."""

    png: bytes
    width: int
    """In pixels."""
    height: int
    """In pixels."""
    card: str
    """Description in words: titles, axes, values, legend."""
    key: int = 0
    """Key of the output, as of a `Result`."""
    grids: tuple[GridPicture, ...] = ()
    """The same figure for grids of cells of several sizes; empty if only the PNG is known."""


@dataclass(frozen=True, slots=True)
class OutputCleared:
    """Removal of the texts, results and figures that the run has sent so far."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Exception that the code did not catch."""

    name: str
    message: str
    traceback: str
    """Plain text without colors; its line numbers are those of the cell."""


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """File that the code wrote in its folder."""

    name: str
    size: int
    """In bytes."""


@dataclass(frozen=True, slots=True)
class Note:
    """Remark about the run for the user, such as a hint or a name that was provided."""

    text: str
    is_hint: bool = False
    """True for the hint on the error that ended the run."""


@dataclass(frozen=True, slots=True)
class Preparation:
    """State of the preparations for a run, such as a new environment; the next one replaces it."""

    text: str
    is_step: bool = False
    """True for a step of its own, which a front end that only appends prints."""


@dataclass(frozen=True, slots=True)
class RunEnded:
    """End of a run; every run has exactly one, as its last output."""

    status: RunStatus
    level: IsolationLevel
    seconds: float
    reason: str = ""
    """Sentence for the user if the run did not end well; without its full stop, as a rule."""
    variables_kept: bool | None = None
    """True if the variables survived; None if that needs no word, as after a run that ended well.

    Runs that were stored before this field existed say it in `reason`.
    """
    environment: str = ""
    """Name or path of the environment that the code ran in; empty if that is not known."""


Output = (
    StreamText
    | Result
    | Figure
    | OutputCleared
    | Failure
    | WrittenFile
    | Note
    | Preparation
    | RunEnded
)
