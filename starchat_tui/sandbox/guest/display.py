"""What a run shows, said to the kernel; nothing between two runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starchat_tui.sandbox.guest.figures import Easel
from starchat_tui.sandbox.guest.frame_protocol import Value
from starchat_tui.sandbox.guest.pipe import Pipe


class Screen:
    """Takes text, results and pictures while a run lasts; what comes later is counted and gone."""

    def __init__(self, pipe: Pipe, most_figures: int) -> None:
        self._pipe = pipe
        self._easel = Easel(self._figure, self.note, most_figures)
        self._open = False
        self._late = 0
        self.flush: Callable[[], None] = lambda: None
        """Called before anything but text is shown, so that text that came first stands first."""

    def begin(self, run: int) -> None:
        """A run begins; say what a thread of an earlier one wrote too late."""
        self._easel.begin()
        self._open = True
        self._pipe.send("begun", run)
        late, self._late = self._late, 0
        if late:
            self.note(f"{late:,} characters that came after the end of an earlier run are gone.")

    def end(self, status: str) -> None:
        """The run is over."""
        self._open = False
        self._pipe.send("done", status)

    def text(self, stream: str, text: str) -> None:
        """A piece of a stream."""
        if self._open:
            self._pipe.send("text", stream, text)
        else:
            self._late += len(text)

    def result(self, text: str) -> None:
        """A value in words."""
        self._send("result", text)

    def failure(self, name: str, message: str, trace: str) -> None:
        """An exception that nothing caught."""
        self._send("failure", name, message, trace)

    def written(self, name: str, size: int) -> None:
        """A file that the run left behind, its size in bytes."""
        self._send("written", name, size)

    def note(self, text: str) -> None:
        """What the reader should know."""
        self._send("note", text)

    def figure(self, figure: Any) -> None:
        """A plot, once."""
        self._easel.publish(figure)

    def figures(self) -> None:
        """Every plot that is still open; it is closed."""
        self._easel.flush()

    def saved(self, figure: Any, path: str) -> None:
        """A plot was written to a file."""
        self._easel.saved(figure, path)

    def file(self, path: str) -> None:
        """A file that the run left behind; shown where it is a picture."""
        self._easel.file(path)

    def picture(self, png: bytes, words: str) -> None:
        """A picture that is no plot."""
        self._easel.picture(png, words)

    def _figure(self, png: bytes, width: int, height: int, card: str) -> None:
        self._send("figure", png, width, height, card)

    def _send(self, name: str, *values: Value) -> None:
        if self._open:
            self.flush()
            self._pipe.send(name, *values)
