"""Host's ends of the two pipes to a runner: frames come in, commands go out."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import AsyncGenerator
from typing import IO

from starchat_tui.sandbox.guest.frame_protocol import Value, pack_frame
from starchat_tui.sandbox.host.frames import Frame, FrameParser

_READ_SIZE = 2**16
"""Bytes that are read at once: the default capacity of a pipe (pipe(7))."""


class Channel:
    """Two pipes; `commands_fd` and `frames_fd` are the runner's ends until `open` is called.

    Nothing is read ahead of the consumer, so a runner that prints without end waits in its write
    instead of filling this process's memory.
    """

    def __init__(self) -> None:
        inbound, self.frames_fd = os.pipe()
        self.commands_fd, self._commands_writer = os.pipe()
        os.set_blocking(self._commands_writer, False)
        self._frames_reader: IO[bytes] = os.fdopen(inbound, "rb", buffering=0)
        self._stream = asyncio.StreamReader(limit=_READ_SIZE)
        self._transport: asyncio.ReadTransport | None = None
        self._parser = FrameParser()
        self._pending: deque[tuple[Frame, int]] = deque()

    async def open(self) -> None:
        """Begin to read; close the runner's ends, which it has inherited by now."""
        # Held here too, the pipe of the frames would never report that the runner is gone.
        for fd in (self.commands_fd, self.frames_fd):
            os.close(fd)
        self.commands_fd = self.frames_fd = -1
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(self._stream), self._frames_reader
        )

    async def receive(self) -> AsyncGenerator[tuple[Frame, int], None]:
        """Yield each frame with its size in bytes until the runner closes its end.

        Raises `ProtocolViolation`.
        """
        while True:
            # Kept between calls: a consumer that stops after one frame must not lose the others
            # that came with it.
            while self._pending:
                yield self._pending.popleft()
            data = await self._stream.read(_READ_SIZE)
            if not data:
                return
            self._pending.extend(self._parser.feed(data))

    async def send(self, name: str, *values: Value) -> None:
        """Send a command; it is dropped if the runner is gone, which `receive` reports."""
        left = memoryview(pack_frame(name, *values))
        while left and self._commands_writer >= 0:
            try:
                left = left[os.write(self._commands_writer, left) :]
            except BlockingIOError:
                await self._wait_until_writable()
            except BrokenPipeError:
                return

    async def _wait_until_writable(self) -> None:
        # Written directly, as the transport of `connect_write_pipe` would buffer a whole file here.
        loop = asyncio.get_running_loop()
        free: asyncio.Future[None] = loop.create_future()
        loop.add_writer(self._commands_writer, free.cancel)
        try:
            await asyncio.wait([free])
        finally:
            loop.remove_writer(self._commands_writer)

    def stop_reading(self) -> None:
        """Read no more than has arrived, even if some process keeps the other end open."""
        if self._transport:
            self._transport.close()

    def close(self) -> None:
        """Close both pipes."""
        self.stop_reading()
        if not self._transport:
            self._frames_reader.close()
        for fd in (self._commands_writer, self.commands_fd, self.frames_fd):
            if fd >= 0:
                os.close(fd)
        self._commands_writer = self.commands_fd = self.frames_fd = -1
