"""stdout and stderr of the cell, live and in order.

Python's own writes are buffered here. What bypasses Python (subprocesses, C libraries, `os.write`)
goes to descriptors 1 and 2, which are pipes that are read back and merged into the same order.
"""

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

CHUNK_CHARS = 16 * 1024
"""Characters that are sent at once; fewer if `FLUSH_INTERVAL` passes first."""
FLUSH_INTERVAL = 0.05
"""Seconds that text may wait for more to be sent with it."""
_YIELD_SECONDS = 0.001
DESCRIPTORS = {"stdout": 1, "stderr": 2}


class CellStream(io.TextIOBase):
    """`sys.stdout` or `sys.stderr` of the cell, on top of an `OutputCapture`."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, name: str, capture: OutputCapture) -> None:
        self.name = name
        self._capture = capture
        self.buffer = io.FileIO(DESCRIPTORS[name], "w", closefd=False)
        """The captured descriptor, for code that writes bytes."""

    def write(self, text: str) -> int:
        """Buffer text; raise `TypeError`, as Python's own stream does, for anything else."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self._capture.write(self.name, text)
        return len(text)

    def flush(self) -> None:
        """Send the buffered text."""
        self._capture.flush()

    def fileno(self) -> int:
        """Return the captured descriptor, which subprocesses inherit."""
        return DESCRIPTORS[self.name]

    def writable(self) -> bool:
        """Return True."""
        return True

    def reconfigure(self, **_: object) -> None:
        """Do nothing: what is written is always sent as UTF-8."""

    def isatty(self) -> bool:
        """Return False: programs would print control sequences for a terminal."""
        return False

    def close(self) -> None:
        """Do nothing: a cell that closes its stdout must not close that of the next cell."""


class OutputCapture:
    """Text of both streams, passed on in the order in which it was written."""

    def __init__(self, sink: Callable[[str, str], None]) -> None:
        """Pass text on to `sink`, called with the name of a stream and the text."""
        self._sink = sink
        # Reentrant: a signal handler of the code may print in the middle of a print.
        self._lock = threading.RLock()
        self._current_stream = ""
        self._buffered: list[str] = []
        self._buffered_chars = 0
        self._stream_by_pipe: dict[int, str] = {}
        """Name of the stream by the descriptor that reads what bypasses Python."""
        self._decoders: dict[int, codecs.IncrementalDecoder] = {}
        # Polled at every write, where `select.select` would take twice as long.
        self._poll = select.poll()
        self._has_text = threading.Event()
        self._forked = False

    def install(self) -> None:
        """Replace the stdout and stderr of the process, both the objects and the descriptors."""
        decoder = codecs.getincrementaldecoder("utf-8")
        for name, descriptor in DESCRIPTORS.items():
            read_end, write_end = os.pipe()
            os.dup2(write_end, descriptor)
            os.close(write_end)
            os.set_blocking(read_end, False)
            self._stream_by_pipe[read_end] = name
            self._decoders[read_end] = decoder("replace")
            self._poll.register(read_end, select.POLLIN)
            setattr(sys, name, CellStream(name, self))
            # A thread, because a full pipe would block a program while the cell waits for it.
            threading.Thread(target=self._pump_pipe, args=(read_end,), daemon=True).start()
        threading.Thread(target=self._flush_periodically, daemon=True).start()
        sys.__stdout__, sys.__stderr__ = sys.stdout, sys.stderr  # type: ignore[misc, assignment]
        os.register_at_fork(after_in_child=self._reset_after_fork)

    def write(self, name: str, text: str) -> None:
        """Buffer text of a stream; it is sent once there is enough, or a moment later."""
        if self._forked:
            # The child has no pipe to the kernel; its parent reads the descriptors.
            os.write(DESCRIPTORS[name], text.encode("utf-8", "replace"))
            return
        with self._lock:
            # A program that has ended, or answered, wrote before this text was printed. The
            # thread that reads its output may come too late to keep that order.
            self._read_pending()
            is_flood = self._buffer_text(name, text)
        _yield_to_other_threads(is_flood)

    def flush(self) -> None:
        """Send the buffered text."""
        with self._lock:
            # Taken out first: `_sink` may raise an interrupt, and the text must not come twice.
            text, self._buffered, self._buffered_chars = "".join(self._buffered), [], 0
            for start in range(0, len(text), CHUNK_CHARS):
                self._sink(self._current_stream, text[start : start + CHUNK_CHARS])

    def drain(self) -> None:
        """Send everything that was written so far, including what bypassed Python."""
        with self._lock:
            self._read_pending()
            self.flush()

    def _buffer_text(self, name: str, text: str) -> bool:
        """Append text to the buffer; return whether it was enough to be sent."""
        if name != self._current_stream:
            self.flush()
        self._current_stream = name
        self._buffered.append(text)
        self._buffered_chars += len(text)
        is_enough = self._buffered_chars >= CHUNK_CHARS
        if is_enough:
            self.flush()
        # Asked first: setting an event takes a lock, and this runs at every write.
        if not self._has_text.is_set():
            self._has_text.set()
        return is_enough

    def _read_pending(self) -> None:
        """Buffer what has bypassed Python so far."""
        try:
            ready = self._poll.poll(0)
        except RuntimeError:
            # "concurrent poll() invocation": a signal handler of the code prints, and has
            # interrupted this very method.
            return
        for pipe, _ in ready:
            # No more than is there now: a background process may never stop writing.
            waiting = fcntl.ioctl(pipe, termios.FIONREAD, bytes(4))
            self._read_pipe(pipe, int.from_bytes(waiting, sys.byteorder))

    def _pump_pipe(self, pipe: int) -> None:
        # Waits outside the lock, so another thread may have read the data before this one.
        while select.select([pipe], [], []):
            with self._lock:
                is_flood = self._read_pipe(pipe, 65536)
            _yield_to_other_threads(is_flood)

    def _read_pipe(self, pipe: int, max_bytes: int) -> bool:
        try:
            raw = os.read(pipe, max_bytes) if max_bytes else b""
        except BlockingIOError:
            return False
        text = self._decoders[pipe].decode(raw)
        return bool(text) and self._buffer_text(self._stream_by_pipe[pipe], text)

    def _flush_periodically(self) -> None:
        while self._has_text.wait():
            self._has_text.clear()
            time.sleep(FLUSH_INTERVAL)
            self.flush()

    def _reset_after_fork(self) -> None:
        """Keep only the descriptors in the child of a fork.

        Its threads are gone, the lock may have been held by one of them, and what lies in the
        buffer and the pipes is its parent's to send.
        """
        self._lock, self._forked = threading.RLock(), True
        self._buffered, self._buffered_chars, self._poll = [], 0, select.poll()


def _yield_to_other_threads(is_flood: bool) -> None:
    # Python's locks are not fair: a thread that floods the output would take it again at once.
    if is_flood and threading.current_thread() is not threading.main_thread():
        time.sleep(_YIELD_SECONDS)
