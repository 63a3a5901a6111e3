"""What a run says, in a terminal that only appends, or in a pipe.

What the code wrote to its stdout, its results and the cards of its plots go to stdout; the rest,
and the pictures, to stderr. A terminal gets everything cleaned, a pipe what was written.
"""

from __future__ import annotations

import base64
import os
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TextIO

from starchat_tui.errors import (
    CodeFailed,
    Interrupted,
    NoSandbox,
    RunLimit,
    StarChatError,
    UsageError,
)
from starchat_tui.execution.plot_files import plain_name, write_new
from starchat_tui.execution.run_result import Outcome, ended_text, size_text
from starchat_tui.sandbox.outputs import Ended, Failure, Figure, Note, Output, Result, Text, Written
from starchat_tui.sanitize import clean
from starchat_tui.terminal.images import NoPicture, painted

_DIM, _RED, _PLAIN = "\x1b[2m", "\x1b[1;31m", "\x1b[0m"
ROWS = 24
"""Rows of a plot."""
UNSAFE = "UNSAFE: this code runs without a sandbox, with your files and your network"


@dataclass(slots=True)
class Speaker:
    """Prints outputs as they come."""

    out: TextIO
    err: TextIO
    images: str = "auto"
    """How pictures are drawn, as the setting has it."""
    clean: bool = False
    """Whether a pipe gets everything cleaned, too."""
    color: bool = True
    quiet: bool = False
    """Whether the end and the notes are left unsaid where all went well."""
    _files: list[Written] = field(default_factory=list)
    _open: set[int] = field(default_factory=set)
    """The streams whose last line has no newline yet; two terminals are one screen."""

    def say(self, output: Output) -> None:
        """Print one output."""
        if isinstance(output, Text):
            self._write(self.out if output.stream == "stdout" else self.err, output.text)
        elif isinstance(output, Result):
            self._line(self.out, output.text)
        elif isinstance(output, Figure):
            self._draw(output)
        elif isinstance(output, Failure):
            self._line(self.err, output.traceback)
        elif isinstance(output, Written):
            self._files.append(output)
        elif isinstance(output, Note):
            self.tell(output.text)
        else:
            self._end(output)

    def tell(self, text: str, *, warning: bool = False) -> None:
        """A remark of our own, on stderr."""
        if self.quiet and not warning:
            return
        self._end_line(self.err)
        mark = (_RED if warning else _DIM) if self.color and self.err.isatty() else ""
        self.err.write(f"{mark}{clean(text)}{_PLAIN if mark else ''}\n")
        self.err.flush()

    def _end(self, ended: Ended) -> None:
        for one in self._files:
            self.tell(f"wrote {one.name} ({size_text(one.size)})")
        self._files.clear()
        if ended.status != "no-sandbox":
            self.tell(ended_text(ended))

    def _write(self, file: TextIO, text: str) -> None:
        if not text:
            return
        file.write(clean(text) if self.clean or file.isatty() else text)
        file.flush()
        streams = {id(one) for one in (self.out, self.err) if one is file or self._one_screen}
        self._open = self._open - streams if text.endswith("\n") else self._open | streams

    @property
    def _one_screen(self) -> bool:
        return self.out.isatty() and self.err.isatty()

    def _line(self, file: TextIO, text: str) -> None:
        self._end_line(file)
        self._write(file, f"{text.rstrip()}\n")

    def _end_line(self, file: TextIO) -> None:
        """What comes next on `file` begins a line of its own."""
        if id(file) in self._open:
            self._write(file, "\n")

    def _draw(self, figure: Figure) -> None:
        screen = next((file for file in (self.err, self.out) if file.isatty()), None)
        if screen is not None and self.images != "off":
            self._end_line(screen)
            kind = "half" if self.images == "auto" else self.images
            columns = min(100, shutil.get_terminal_size().columns - 1)
            try:
                screen.write(painted(figure.png, kind, columns, ROWS))
                screen.flush()
            except NoPicture as error:
                self.tell(f"{error.message}; {error.hint}")
        self._line(self.out, figure.card or f"figure, {figure.width} × {figure.height} pixels")


def error_of(outcome: Outcome) -> StarChatError | None:
    """What the exit code is made of; None where the code ran to its end."""
    status, reason = outcome.ended.status, outcome.ended.reason
    if status == "ok":
        return None
    if status == "interrupted":
        return Interrupted("Interrupted", reason)
    if status == "no-sandbox":
        return NoSandbox(reason or "Running code is off", "`starchat doctor` says what helps")
    if status in ("timeout", "memory", "output"):
        return RunLimit(reason or ended_text(outcome.ended))
    failure = outcome.failure
    if failure is not None:
        return CodeFailed(f"The code failed: {failure.name}: {failure.message}".rstrip(": "))
    return CodeFailed(reason or ended_text(outcome.ended))


def run_json(outcome: Outcome) -> dict[str, object]:
    """The one object that `--json` prints of a run."""
    ended, failure = outcome.ended, outcome.failure
    error: dict[str, str] | None = None
    if failure is not None:
        error = asdict(failure)
    elif ended.status != "ok":
        error = {"name": ended.status, "message": ended.reason, "traceback": ""}
    return {
        "status": ended.status,
        "level": ended.level,
        "stdout": outcome.stream("stdout"),
        "stderr": outcome.stream("stderr"),
        "error": error,
        "figures": [
            {
                "png": base64.b64encode(one.png).decode(),
                "width": one.width,
                "height": one.height,
                "card": one.card,
            }
            for one in outcome.figures
        ],
        "files": [asdict(one) for one in outcome.files],
        "seconds": round(ended.seconds, 3),
    }


def save_into(folder: Path, files: Iterable[tuple[str, bytes]]) -> list[Path]:
    """Write files to new names in `folder`, which is made where it is missing; their paths."""
    saved = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files:
            target = _free(folder, plain_name(name))
            write_new(target, data)
            saved.append(target)
    except OSError as error:
        raise UsageError(
            f"`{folder}` cannot be written ({error.strerror})", "name another folder"
        ) from error
    return saved


def _free(folder: Path, name: str) -> Path:
    """`name`, or `name-2`, `name-3`, … where it is taken."""
    stem, dot, suffix = name.rpartition(".")
    stem, end = (stem, f".{suffix}") if dot else (name, "")
    number, target = 1, folder / name
    while os.path.lexists(target):
        number += 1
        target = folder / f"{stem}-{number}{end}"
    return target
