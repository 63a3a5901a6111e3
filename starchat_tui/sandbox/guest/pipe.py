"""The runner's ends of the two pipes: sends frames to the kernel and receives its commands."""

from __future__ import annotations

import os
import select
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from starchat_tui.sandbox.guest import frame_protocol
from starchat_tui.sandbox.guest.frame_protocol import Value


class PipeClosed(Exception):
    """The kernel closed its end of the pipe."""


class Pipe:
    """Frames to the kernel, from any thread; commands from it, to the main thread.

    A frame is written whole, because the host cannot find the start of the next one after a
    partial frame, and ends the kernel:

    - threads take turns by a lock;
    - SIGINT is blocked in the thread that writes. Another thread may still take the signal, and
      Python then runs the handler in the main thread: it asks `is_writing_frame` and waits;
    - what is sent from within a frame (by a finalizer that prints) is queued until its end;
    - the child of a fork has no pipe.
    """

    def __init__(self, commands: int, frames: int) -> None:
        """Use the descriptors `commands`, to read from, and `frames`, to write to."""
        self._commands_fd, self._frames_fd = commands, frames
        # Reentrant: a finalizer or a signal handler may send in the thread that holds it.
        self._lock = threading.RLock()
        self._writer_thread = 0
        """Identifier of the thread that is writing; 0 if none is."""
        self._queued_frames: deque[bytes] = deque()
        self.on_frame_written: Callable[[], None] = lambda: None
        """Called after each `send`: raises the interrupt that waited for the end of a frame."""

    @property
    def is_writing_frame(self) -> bool:
        """True if an exception raised in this thread now would leave a partial frame."""
        return self._writer_thread == threading.get_ident()

    def send(self, name: str, *values: Value) -> None:
        """Write a frame; do nothing if the pipe is closed."""
        frame = frame_protocol.pack_frame(name, *values)
        if self.is_writing_frame:
            self._queued_frames.append(frame)
            return
        with self._exclusive_write():
            self._queued_frames.append(frame)
            while self._queued_frames and self._frames_fd >= 0:
                self._write_frame(self._queued_frames.popleft())
        self.on_frame_written()

    @contextmanager
    def _exclusive_write(self) -> Iterator[None]:
        with self._lock:
            # Only now: waiting for the lock can take as long as other threads write, and the code
            # has to stay interruptible meanwhile.
            old_mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            self._writer_thread = threading.get_ident()
            try:
                yield
            finally:
                self._writer_thread = 0
                signal.pthread_sigmask(signal.SIG_SETMASK, old_mask)

    def _write_frame(self, frame: bytes) -> None:
        left = memoryview(frame)
        try:
            while left:
                left = left[os.write(self._frames_fd, left) :]
        except OSError:
            self.close()

    def has_pending_command(self) -> bool:
        """Return whether a command, or the end of the pipe, can be read without waiting."""
        return bool(select.select([self._commands_fd], [], [], 0)[0])

    def receive(self) -> tuple[str, list[Value]]:
        """Wait for the next command; return its name and values.

        Raises `PipeClosed` if there will be no further command.
        """
        header = self._read_exactly(frame_protocol.HEADER_SIZE)
        kind, size = header[:1], int.from_bytes(header[1:], "big")
        values = frame_protocol.unpack_frame(kind, self._read_exactly(size))
        return frame_protocol.FRAME_KINDS[kind][0], values

    def _read_exactly(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            chunk = os.read(self._commands_fd, size - len(data)) if self._commands_fd >= 0 else b""
            if not chunk:
                raise PipeClosed
            data += chunk
        return bytes(data)

    def close(self) -> None:
        """Close both ends and drop the frames that were not written."""
        for fd in {self._commands_fd, self._frames_fd} - {-1}:
            with suppress(OSError):
                os.close(fd)
        self._commands_fd = self._frames_fd = -1
        self._queued_frames.clear()

    def reset_after_fork(self) -> None:
        """Close the pipe in the child of a fork, which must not write into its parent's frames."""
        # The lock may have been held by a thread that does not exist in the child.
        self._lock, self._writer_thread = threading.RLock(), 0
        self.close()
