"""Textual driver for a terminal that may go away: a window is closed, a connection breaks."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import IO, Any

from textual.drivers.linux_driver import LinuxDriver


class TerminalWriter:
    """File that the driver's thread writes to; output to a terminal that is gone is discarded.

    An exception would end that thread, and the app would then wait forever to hand it the next
    frame. Not every terminal that goes away sends SIGHUP, so the first error sends it.
    """

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._is_gone = False

    def write(self, text: str) -> None:
        """Write to the terminal."""
        self._attempt(lambda: self._file.write(text))

    def flush(self) -> None:
        """Flush what was written."""
        self._attempt(self._file.flush)

    def fileno(self) -> int:
        """Return the terminal's file descriptor."""
        return self._file.fileno()

    def _attempt(self, write: Callable[[], object]) -> None:
        if self._is_gone:
            return
        try:
            write()
        except OSError:
            self._is_gone = True
            os.kill(os.getpid(), signal.SIGHUP)


class HangupSafeDriver(LinuxDriver):
    """Linux driver that writes through a `TerminalWriter`."""

    def __init__(self, app: Any, **options: Any) -> None:
        super().__init__(app, **options)
        self._file: Any = TerminalWriter(self._file)
