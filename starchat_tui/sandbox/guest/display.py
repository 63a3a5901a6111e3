"""Outputs of a run, sent to the kernel as frames; nothing is sent between two runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starchat_tui.sandbox.guest.figures import FigurePublisher
from starchat_tui.sandbox.guest.frame_protocol import Value
from starchat_tui.sandbox.guest.pipe import Pipe


class RunDisplay:
    """Sends text, results and pictures while a run lasts; drops and counts what comes later."""

    def __init__(self, pipe: Pipe, max_figures: int) -> None:
        self._pipe = pipe
        self._figures = FigurePublisher(self._send_figure, self.send_note, max_figures)
        self._running = False
        self._late_chars = 0
        """Characters that threads of an earlier run wrote after its end."""
        self.flush_streams: Callable[[], None] = lambda: None
        """Called before anything but text is sent, so that earlier text comes first."""

    def begin_run(self, run: int) -> None:
        """Open the display for a run; report what came after the end of an earlier one."""
        self._figures.reset()
        self._running = True
        self._pipe.send("begun", run)
        late_chars, self._late_chars = self._late_chars, 0
        if late_chars:
            self.send_note(f"Lost {late_chars:,} characters printed after an earlier run ended")

    def end_run(self, status: str) -> None:
        """Close the display and report the status of the run."""
        self._running = False
        self._pipe.send("done", status)

    def send_text(self, stream: str, text: str) -> None:
        """Send a piece of `stdout` or `stderr`."""
        if self._running:
            self._pipe.send("text", stream, text)
        else:
            self._late_chars += len(text)

    def send_result(self, text: str) -> None:
        """Send a value as text."""
        self._send("result", text)

    def send_failure(self, name: str, message: str, trace: str) -> None:
        """Send an uncaught exception: its class, its message and the traceback."""
        self._send("failure", name, message, trace)

    def send_written_file(self, name: str, size: int) -> None:
        """Report a file that the run wrote; `size` is in bytes."""
        self._send("written", name, size)

    def send_note(self, text: str) -> None:
        """Send a sentence about the run for the user."""
        self._send("note", text)

    def publish_figure(self, figure: Any) -> None:
        """Show a matplotlib figure, unless this run has shown it already."""
        self._figures.publish_figure(figure)

    def publish_open_figures(self) -> None:
        """Show every figure that is still open, and close it."""
        self._figures.publish_open_figures()

    def record_saved_figure(self, figure: Any, path: str) -> None:
        """Remember that a figure was saved to a file."""
        self._figures.record_saved_figure(figure, path)

    def publish_image_file(self, path: str) -> None:
        """Show a file that the run wrote, if it is a picture."""
        self._figures.publish_image_file(path)

    def publish_image(self, png: bytes, description: str) -> None:
        """Show a picture that is not a figure."""
        self._figures.publish_image(png, description)

    def _send_figure(self, png: bytes, width: int, height: int, description: str) -> None:
        self._send("figure", png, width, height, description)

    def _send(self, name: str, *values: Value) -> None:
        if self._running:
            self.flush_streams()
            self._pipe.send(name, *values)
