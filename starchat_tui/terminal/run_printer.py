"""Outputs of a run, printed to a terminal that only appends, or to a pipe.

What is printed cannot be taken back. So an output that a later one may replace is printed at the
end of the run, and so is everything from the first time on that the code clears its output.
The code's stdout, its results and the descriptions of its plots go to stdout; everything else, and
the images, to stderr. A terminal gets sanitized text, a pipe the bytes that were written.
"""

from __future__ import annotations

import base64
import os
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TextIO

from starchat_tui.errors import (
    CodeFailed,
    Interrupted,
    NoSandbox,
    RunLimitExceeded,
    StarChatError,
    Unavailable,
    UsageError,
)
from starchat_tui.execution.plot_files import sanitize_file_name, write_new_file
from starchat_tui.execution.run_result import RunResult, apply_output, format_size
from starchat_tui.sandbox.guest.grid_rendering import GridSize
from starchat_tui.sandbox.outputs import (
    Failure,
    Figure,
    Note,
    Output,
    OutputCleared,
    Preparation,
    Result,
    RunEnded,
    StreamText,
    WrittenFile,
)
from starchat_tui.sanitize import sanitize_text
from starchat_tui.terminal.grid_plots import list_grid_sizes, render_figure
from starchat_tui.terminal.image_detection import ImageDetector
from starchat_tui.terminal.images import InvalidImage
from starchat_tui.terminal.run_wording import explain_end, summarize_end

_DIM, _RED, _PLAIN = "\x1b[2m", "\x1b[1;31m", "\x1b[0m"
PLOT_ROWS = 24
MAX_PLOT_COLUMNS = 100


@dataclass(slots=True)
class RunPrinter:
    """Prints outputs as they come."""

    out: TextIO
    err: TextIO
    images: ImageDetector
    clean: bool = False
    """True if a pipe gets sanitized text, too."""
    color: bool = True
    quiet: bool = False
    """True if StarChat's own notes and the end are printed only if they are warnings."""
    notes: bool = True
    """True if the notes of a run are printed, as its output is."""
    _files: list[WrittenFile] = field(default_factory=list)
    _waiting: list[Output] = field(default_factory=list)
    """Outputs that are printed at the end of the run, unless others replace them."""
    _has_cleared: bool = False
    """True if the code has cleared its output."""
    _has_failed: bool = False
    """True from the exception of a run to its end."""
    _open_lines: set[int] = field(default_factory=set)
    """Ids of the streams whose last line has no newline yet."""

    def print_output(self, output: Output) -> None:
        """Print one output, now or at the end of the run."""
        self._has_cleared = self._has_cleared or isinstance(output, OutputCleared)
        is_replaceable = isinstance(output, Result | Figure) and output.key
        if isinstance(output, RunEnded):
            waiting, self._waiting, self._has_cleared = self._waiting, [], False
            for one in (*waiting, output):
                self._print_now(one)
        elif is_replaceable or self._has_cleared:
            apply_output(self._waiting, output)
        else:
            self._print_now(output)

    def _print_now(self, output: Output) -> None:
        if isinstance(output, StreamText):
            self._write(self.out if output.stream == "stdout" else self.err, output.text)
        elif isinstance(output, Result):
            self._print_line(self.out, output.text)
        elif isinstance(output, Figure):
            self._draw_figure(output)
        elif isinstance(output, Failure):
            self._has_failed = True
            # None for a script that ended itself.
            if output.traceback:
                self._print_line(self.err, output.traceback)
        elif isinstance(output, WrittenFile):
            self._files.append(output)
        elif isinstance(output, Note):
            # A hint on the failure belongs to it, also where nothing else is said.
            if self.notes or self._has_failed:
                self._write_note(output.text, warning=self._has_failed)
        elif isinstance(output, Preparation):
            self._print_preparation(output)
        elif isinstance(output, RunEnded):
            self._print_end(output)

    def print_note(self, text: str, *, warning: bool = False) -> None:
        """Print a note of StarChat's own to stderr."""
        if warning or not self.quiet:
            self._write_note(text, warning=warning)

    def _write_note(self, text: str, *, warning: bool) -> None:
        self._break_line(self.err)
        mark = (_RED if warning else _DIM) if self.color and self.err.isatty() else ""
        self.err.write(f"{mark}{sanitize_text(text)}{_PLAIN if mark else ''}\n")
        self.err.flush()

    def _print_preparation(self, preparation: Preparation) -> None:
        """Print what is done before the run, also where notes are left out: it may take minutes."""
        text = sanitize_text(preparation.text)
        if self.err.isatty() and not preparation.is_step:
            self.err.write(f"\r\x1b[K{text}\r")
        elif preparation.is_step:
            self.err.write(f"\x1b[K{text}\n" if self.err.isatty() else f"{text}\n")
        self.err.flush()

    def _print_end(self, ended: RunEnded) -> None:
        for one in self._files:
            self.print_note(f"wrote {one.name} ({format_size(one.size)})")
        self._files.clear()
        self._has_failed = False
        if ended.status not in ("no-sandbox", "no-environment"):
            self.print_note(summarize_end(ended))

    def _write(self, file: TextIO, text: str) -> None:
        if not text:
            return
        file.write(sanitize_text(text) if self.clean or file.isatty() else text)
        file.flush()
        # Two terminals are one screen: a line left open on one is open for the other.
        streams = {id(one) for one in (self.out, self.err) if one is file or self._is_one_screen}
        self._open_lines = (
            self._open_lines - streams if text.endswith("\n") else self._open_lines | streams
        )

    @property
    def _is_one_screen(self) -> bool:
        return self.out.isatty() and self.err.isatty()

    def _print_line(self, file: TextIO, text: str) -> None:
        self._break_line(file)
        self._write(file, f"{text.rstrip()}\n")

    def _break_line(self, file: TextIO) -> None:
        """End the open line of `file`, if it has one."""
        if id(file) in self._open_lines:
            self._write(file, "\n")

    def _draw_figure(self, figure: Figure) -> None:
        screen = self._find_screen()
        if screen is not None:
            self._break_line(screen)
            self._draw_image(figure, screen)
        described = figure.card or f"figure, {figure.width} × {figure.height} pixels"
        self._print_line(self.out, described)

    def _find_screen(self) -> TextIO | None:
        """Return the terminal on which images are drawn; None if none are."""
        if self.images.is_off:
            return None
        return next((file for file in (self.err, self.out) if file.isatty()), None)

    def list_grid_sizes(self) -> list[GridSize]:
        """Return the sizes of grids of cells for which the code's figures should be drawn."""
        if self._find_screen() is None:
            return []
        return list_grid_sizes(self.images.detect().protocol, (self._count_columns(), PLOT_ROWS))

    def _count_columns(self) -> int:
        return min(MAX_PLOT_COLUMNS, shutil.get_terminal_size().columns - 1)

    def _draw_image(self, figure: Figure, screen: TextIO) -> None:
        images = self.images.detect()
        columns = self._count_columns()
        try:
            drawn = render_figure(figure, images.protocol, columns, PLOT_ROWS, images.cell_size)
        except InvalidImage as error:
            self.print_note(f"{error.message}; {error.hint}".removesuffix("; "))
        else:
            screen.write(drawn)
            screen.flush()


def create_run_error(result: RunResult) -> StarChatError | None:
    """Return the error that decides the exit code; None if the code ran to its end."""
    status, reason = result.ended.status, explain_end(result.ended)
    if status == "ok":
        return None
    if status == "interrupted":
        return Interrupted("Interrupted", reason)
    if status == "no-sandbox":
        return NoSandbox(reason or "Running code is off", "`starchat doctor` says what helps")
    if status == "no-environment":
        return Unavailable(reason)
    if status in ("timeout", "memory", "output"):
        return RunLimitExceeded(reason or summarize_end(result.ended))
    failure = result.failure
    if failure is not None and failure.name == "SystemExit":
        return CodeFailed(f"The code exited with the status {failure.message}")
    if failure is not None:
        return CodeFailed(f"The code failed: {failure.name}: {failure.message}".rstrip(": "))
    return CodeFailed(reason or summarize_end(result.ended))


def build_run_json(result: RunResult) -> dict[str, object]:
    """Return the object that `--json` prints for a run."""
    ended, failure = result.ended, result.failure
    error: dict[str, str] | None = None
    if failure is not None:
        error = asdict(failure)
    elif ended.status != "ok":
        error = {"name": ended.status, "message": explain_end(ended), "traceback": ""}
    return {
        "status": ended.status,
        "level": ended.level,
        "environment": ended.environment,
        "stdout": result.join_stream("stdout"),
        "stderr": result.join_stream("stderr"),
        "error": error,
        "figures": [
            {
                "png": base64.b64encode(one.png).decode(),
                "width": one.width,
                "height": one.height,
                "card": one.card,
            }
            for one in result.figures
        ],
        "files": [asdict(one) for one in result.files],
        "hint": result.hint,
        "notes": [one.text for one in result.notes if not one.is_hint],
        "seconds": round(ended.seconds, 3),
    }


def save_file(folder: Path, name: str, data: bytes) -> Path:
    """Write a file under a new name in `folder`, created if it is missing; return its path."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        target = _find_free_path(folder, sanitize_file_name(name))
        write_new_file(target, data)
    except OSError as error:
        raise UsageError(
            f"`{folder}` cannot be written ({error.strerror})", "name another folder"
        ) from error
    return target


def _find_free_path(folder: Path, name: str) -> Path:
    """Return the path of `name`, or of `name-2`, `name-3`, … if it is taken."""
    stem, dot, suffix = name.rpartition(".")
    stem, end = (stem, f".{suffix}") if dot else (name, "")
    number, target = 1, folder / name
    while os.path.lexists(target):
        number += 1
        target = folder / f"{stem}-{number}{end}"
    return target
