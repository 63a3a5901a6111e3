"""stdout and stderr, live: Python's own as frames, and what is written past Python, gathered."""

from __future__ import annotations

import codecs
import fcntl
import io
import os
import select
import sys
import termios
import threading
import time
from collections.abc import Callable

PIECE = 16 * 1024
"""Characters that are sent at once; fewer where time passes."""
LIVE = 0.05
"""Seconds that a piece of output may wait for company."""
_PAUSE = 0.001
"""Seconds."""
DESCRIPTORS = {"stdout": 1, "stderr": 2}


class Stream(io.TextIOBase):
    """`sys.stdout` or `sys.stderr` of the cell; gathers small writes, and leaves nothing lying."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, name: str, outlet: Outlet) -> None:
        self.name = name
        self._outlet = outlet
        self.buffer = io.FileIO(DESCRIPTORS[name], "w", closefd=False)
        """For those who write bytes: the gathered descriptor."""

    def write(self, text: str) -> int:
        """Take text; what is not text is refused as Python's own stream refuses it."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self._outlet.write(self.name, text)
        return len(text)

    def flush(self) -> None:
        """Send what was gathered."""
        self._outlet.flush()

    def fileno(self) -> int:
        """The gathered descriptor, for subprocesses."""
        return DESCRIPTORS[self.name]

    def writable(self) -> bool:
        """Always."""
        return True

    def isatty(self) -> bool:
        """Never."""
        return False

    def close(self) -> None:
        """Nothing: a cell that closes its stdout has not closed the next cell's."""


class Outlet:
    """What both streams say, in the order in which they said it."""

    def __init__(self, sink: Callable[[str, str], None]) -> None:
        """`sink` takes a stream's name and a text."""
        self._sink = sink
        self._lock = threading.RLock()
        self._name = ""
        self._gathered: list[str] = []
        self._size = 0
        self._pipes: dict[int, str] = {}
        """What is written past Python: the descriptor to read, and the name of its stream."""
        self._decoders: dict[int, codecs.IncrementalDecoder] = {}
        self._poll = select.poll()
        """Asked at every write, where `select.select` would take twice as long."""
        self._something = threading.Event()
        self._forked = False

    def open(self) -> None:
        """Become the process's stdout and stderr, descriptors included."""
        decoder = codecs.getincrementaldecoder("utf-8")
        for name, descriptor in DESCRIPTORS.items():
            out, into = os.pipe()
            os.dup2(into, descriptor)
            os.close(into)
            os.set_blocking(out, False)
            self._pipes[out] = name
            self._decoders[out] = decoder("replace")
            self._poll.register(out, select.POLLIN)
            setattr(sys, name, Stream(name, self))
            threading.Thread(target=self._pump, args=(out,), daemon=True).start()
        threading.Thread(target=self._tick, daemon=True).start()
        sys.__stdout__, sys.__stderr__ = sys.stdout, sys.stderr  # type: ignore[misc, assignment]
        os.register_at_fork(after_in_child=self._after_fork)

    def write(self, name: str, text: str) -> None:
        """Gather text of a stream; sent when there is enough of it, or a moment later."""
        if self._forked:
            # The parent gathers what its children write past Python.
            os.write(DESCRIPTORS[name], text.encode("utf-8", "replace"))
            return
        with self._lock:
            # A child that has ended, or answered, wrote before this; its pump may come later.
            self._collect()
            full = self._gather(name, text)
        _rest(full)

    def flush(self) -> None:
        """Send what was gathered."""
        with self._lock:
            text, self._gathered, self._size = "".join(self._gathered), [], 0
            for start in range(0, len(text), PIECE):
                self._sink(self._name, text[start : start + PIECE])

    def drain(self) -> None:
        """Send everything that was written until now, past Python too."""
        with self._lock:
            self._collect()
            self.flush()

    def _gather(self, name: str, text: str) -> bool:
        """Take a text as the latest; whether there was enough to be sent."""
        if name != self._name:
            self.flush()
        self._name = name
        self._gathered.append(text)
        self._size += len(text)
        full = self._size >= PIECE
        if full:
            self.flush()
        if not self._something.is_set():
            self._something.set()
        return full

    def _collect(self) -> None:
        """Gather what was written past Python until now."""
        try:
            ready = self._poll.poll(0)
        except RuntimeError:
            # The code's own handler of a signal prints, and came in the middle of this.
            return
        for pipe, _ in ready:
            # No more than lies there: a background process may never stop writing.
            waiting = fcntl.ioctl(pipe, termios.FIONREAD, bytes(4))
            self._forward(pipe, int.from_bytes(waiting, sys.byteorder))

    def _pump(self, pipe: int) -> None:
        while select.select([pipe], [], []):
            with self._lock:
                full = self._forward(pipe, 65536)
            _rest(full)

    def _forward(self, pipe: int, most: int) -> bool:
        try:
            raw = os.read(pipe, most) if most else b""
        except BlockingIOError:
            return False
        text = self._decoders[pipe].decode(raw)
        return bool(text) and self._gather(self._pipes[pipe], text)

    def _tick(self) -> None:
        while self._something.wait():
            self._something.clear()
            time.sleep(LIVE)
            self.flush()

    def _after_fork(self) -> None:
        """In the child: no threads, no frames, nothing to read; only the descriptors."""
        self._lock, self._forked = threading.RLock(), True
        self._gathered, self._size, self._poll = [], 0, select.poll()


def _rest(full: bool) -> None:
    """Let others have their turn after a flood: locks are not fair."""
    if full and threading.current_thread() is not threading.main_thread():
        time.sleep(_PAUSE)
