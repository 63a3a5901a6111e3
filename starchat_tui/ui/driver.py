"""Textual's driver for a terminal that may go away: a window is closed, a connection breaks."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import IO, Any

from textual.drivers.linux_driver import LinuxDriver


class Outlet:
    """What the driver's thread writes to; where the terminal is gone, so is what is written.

    An error would end that thread, and the app would wait for ever to hand it the next frame. Not
    every terminal that goes sends SIGHUP, so that the first error does.
    """

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._gone = False

    def write(self, text: str) -> None:
        """Write to the terminal."""
        self._tried(lambda: self._file.write(text))

    def flush(self) -> None:
        """Let the terminal have it."""
        self._tried(self._file.flush)

    def fileno(self) -> int:
        """The terminal's descriptor."""
        return self._file.fileno()

    def _tried(self, act: Callable[[], object]) -> None:
        if self._gone:
            return
        try:
            act()
        except OSError:
            self._gone = True
            os.kill(os.getpid(), signal.SIGHUP)


class Driver(LinuxDriver):
    """Writes to an `Outlet`."""

    def __init__(self, app: Any, **options: Any) -> None:
        super().__init__(app, **options)
        self._file: Any = Outlet(self._file)
