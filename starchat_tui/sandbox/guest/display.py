"""Outputs of a run, sent to the kernel as frames; nothing is sent between two runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

from starchat_tui.sandbox.guest.clearable_output import ClearableOutput
from starchat_tui.sandbox.guest.figures import FigurePublisher
from starchat_tui.sandbox.guest.frame_protocol import Value
from starchat_tui.sandbox.guest.grid_rendering import GridRenderings, GridSize
from starchat_tui.sandbox.guest.images import ImagePublisher
from starchat_tui.sandbox.guest.missing_pictures import explain_missing_pictures
from starchat_tui.sandbox.guest.picture_sender import PictureSender
from starchat_tui.sandbox.guest.pictures import Picture
from starchat_tui.sandbox.guest.pipe import Pipe


class RunDisplay:
    """Sends text, results and pictures while a run lasts; drops and counts what comes later."""

    def __init__(self, pipe: Pipe, max_figures: int) -> None:
        self._pipe = pipe
        self._outputs = ClearableOutput(pipe.send)
        self._pictures = PictureSender(self._send_picture, self.send_note, max_figures)
        self.figures = FigurePublisher(self._pictures, self.send_note)
        self._grids = GridRenderings()
        self.figures.render_grids = self._grids.render
        self.images = ImagePublisher(self._pictures, self.figures, self.send_note)
        self._display_keys: dict[str, int] = {}
        """Keys of the outputs that the code can update, by the code's own names for them."""
        self._owner_pid = os.getpid()
        self._has_described = False
        """True if the run has described something that it could not draw."""
        self._notes: set[str] = set()
        """Notes that the run has sent."""
        self._running = False
        self._late_pictures = 0
        """Pictures that threads of an earlier run drew after its end."""
        self._late_chars = 0
        """Characters that threads of an earlier run wrote after its end."""
        self.flush_streams: Callable[[], None] = lambda: None
        """Called before anything but text is sent, so that earlier text comes first."""

    def begin_run(self, run: int, sizes: Sequence[GridSize] = ()) -> None:
        """Open the display for a run; report what came after the end of an earlier one.

        Figures are drawn for grids of cells of these sizes, too.
        """
        self._grids.begin_run(sizes)
        for part in (self._outputs, self._pictures, self.figures, self.images):
            part.reset()
        self._display_keys.clear()
        self._has_described = False
        self._notes.clear()
        self._running = True
        self._pipe.send("begun", run)
        late_chars, self._late_chars = self._late_chars, 0
        if late_chars:
            self.send_note(f"Lost {late_chars:,} characters printed after an earlier run ended")
        late_pictures, self._late_pictures = self._late_pictures, 0
        if late_pictures:
            self.send_note("Lost a plot that a thread drew after an earlier run ended")

    def end_run(self, status: str) -> None:
        """Close the display and report the status of the run."""
        self._outputs.flush()
        self._pictures.report_omitted()
        self._running = False
        self._pipe.send("done", status)

    def send_text(self, stream: str, text: str) -> None:
        """Send a piece of `stdout` or `stderr`."""
        if self._running:
            self._outputs.send("text", stream, text)
        else:
            self._late_chars += len(text)

    def send_result(self, text: str, key: int = 0) -> None:
        """Send a value as text."""
        self._send_clearable("result", text, key)

    def clear(self, *, wait: bool) -> None:
        """Remove the text, results and pictures so far; with `wait` once there is more."""
        if self._running:
            self.flush_streams()
            self._outputs.clear(wait=wait)
            self._pictures.forget_shown()
            self.figures.forget_shown()

    def find_key(self, display_id: str) -> int:
        """Return the key of the output that the code calls `display_id`; 0 without an id."""
        if not display_id:
            return 0
        return self._display_keys.setdefault(display_id, self._pictures.create_key())

    def send_failure(self, name: str, message: str, trace: str) -> None:
        """Send an uncaught exception: its class, its message and the traceback."""
        self._send("failure", name, message, trace)

    def send_written_file(self, name: str, size: int) -> None:
        """Report a file that the run wrote; `size` is in bytes."""
        self._send("written", name, size)

    def send_note(self, text: str) -> None:
        """Send a sentence about the run for the user, once."""
        if text not in self._notes:
            self._notes.add(text)
            self._send("note", text)

    def send_hint(self, text: str) -> None:
        """Send the hint on the exception that ended the run."""
        self._send("hint", text)

    def explain_missing_pictures(self, code: str) -> None:
        """Say why nothing is shown, if the code that has run meant to draw."""
        if self._pictures.sent_count or self._has_described:
            return
        text = explain_missing_pictures(
            code,
            empty_figures=self.figures.empty_count,
            closed_figures=self.figures.closed_count,
        )
        if text:
            self.send_note(text)

    def send_description(self, text: str, note: str, key: int) -> None:
        """Send the description of something that cannot be drawn; `note` says why not."""
        self._has_described = True
        self.send_result(text, key)
        self.send_note(note)

    def _send_picture(self, picture: Picture, key: int) -> None:
        if os.getpid() != self._owner_pid:
            # The child of a fork has no pipe; what it prints goes through its parent.
            print("A plot of another process is not shown here", file=sys.stderr)
            return
        if not self._running:
            self._late_pictures += 1
        png, width, height, description, grids = picture
        for grid in grids:
            self._send_clearable("grid", *grid)
        self._send_clearable("figure", png, width, height, description, key)

    def _send_clearable(self, name: str, *values: Value) -> None:
        if self._running:
            self.flush_streams()
            self._outputs.send(name, *values)

    def _send(self, name: str, *values: Value) -> None:
        if self._running:
            self.flush_streams()
            self._pipe.send(name, *values)
