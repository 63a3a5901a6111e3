"""The runner's end of the two pipes: whole frames out, whatever interrupts; commands in."""

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


class Closed(Exception):
    """The kernel hung up."""


class Pipe:
    """Frames to the kernel, from any thread; commands from it, to the main one.

    A frame is never torn: threads take turns, SIGINT is blocked, and `torn` tells the handler of
    an interrupt that another thread took to wait. What is sent from within a frame (a finalizer
    that prints) waits until that frame is written. After a fork, the child has no pipe.
    """

    def __init__(self, commands: int, frames: int) -> None:
        self._in, self._out = commands, frames
        self._lock = threading.RLock()
        self._writer = 0
        """The thread that is writing; 0 for none."""
        self._waiting: deque[bytes] = deque()
        self.after_frame: Callable[[], None] = lambda: None
        """Called after each frame: for what had to wait."""

    @property
    def torn(self) -> bool:
        """Whether an exception raised in this thread now would tear a frame."""
        return self._writer == threading.get_ident()

    def send(self, name: str, *values: Value) -> None:
        """Write a frame; nothing where the pipe is closed."""
        frame = frame_protocol.pack(name, *values)
        if self.torn:
            self._waiting.append(frame)
            return
        with self._whole():
            self._waiting.append(frame)
            while self._waiting and self._out >= 0:
                self._write(self._waiting.popleft())
        self.after_frame()

    @contextmanager
    def _whole(self) -> Iterator[None]:
        # Not blocked while it waits for its turn: that may take as long as others write.
        with self._lock:
            before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            self._writer = threading.get_ident()
            try:
                yield
            finally:
                self._writer = 0
                signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _write(self, frame: bytes) -> None:
        left = memoryview(frame)
        try:
            while left:
                left = left[os.write(self._out, left) :]
        except OSError:
            self.close()

    def pending(self) -> bool:
        """Whether a command waits."""
        return bool(select.select([self._in], [], [], 0)[0])

    def receive(self) -> tuple[str, list[Value]]:
        """The next command; raises `Closed` where there will be none."""
        header = self._read(frame_protocol.HEADER)
        body = self._read(int.from_bytes(header[1:], "big"))
        return frame_protocol.KINDS[header[:1]][0], frame_protocol.unpack(header[:1], body)

    def _read(self, size: int) -> bytes:
        got = bytearray()
        while len(got) < size:
            piece = os.read(self._in, size - len(got)) if self._in >= 0 else b""
            if not piece:
                raise Closed
            got += piece
        return bytes(got)

    def close(self) -> None:
        """Leave the pipes to others: a child of a fork must not write into its parent's frames."""
        for one in {self._in, self._out} - {-1}:
            with suppress(OSError):
                os.close(one)
        self._in = self._out = -1
        self._waiting.clear()

    def after_fork(self) -> None:
        """In the child: no pipe, and a lock that no thread holds."""
        self._lock, self._writer = threading.RLock(), 0
        self.close()
