"""The host's ends of the two pipes to a runner: what was heard, and what is asked."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import AsyncGenerator
from typing import IO

from starchat_tui.sandbox.guest.frame_protocol import Value, pack
from starchat_tui.sandbox.host.frames import Heard, Parser

_PIECE = 2**16
"""Bytes that are read at once: what a pipe holds."""


class Channel:
    """Two pipes; the runner's ends are `theirs`, to be closed here once it has them.

    Nothing is read ahead of its reader, so a runner that says much waits.
    """

    def __init__(self) -> None:
        inbound, self.frames = os.pipe()
        self.commands, self._out = os.pipe()
        os.set_blocking(self._out, False)
        self._in: IO[bytes] = os.fdopen(inbound, "rb", buffering=0)
        self._reader = asyncio.StreamReader(limit=_PIECE)
        self._transport: asyncio.ReadTransport | None = None
        self._parser = Parser()
        self._heard: deque[tuple[Heard, int]] = deque()

    async def open(self) -> None:
        """Begin to listen; the runner has its ends, and this process drops them."""
        for theirs in (self.commands, self.frames):
            os.close(theirs)
        self.commands = self.frames = -1
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(self._reader), self._in
        )

    async def listen(self) -> AsyncGenerator[tuple[Heard, int], None]:
        """What the runner says, each with its size in bytes; ends where it hung up.

        Raises `Violation`.
        """
        while True:
            while self._heard:
                yield self._heard.popleft()
            data = await self._reader.read(_PIECE)
            if not data:
                return
            self._heard.extend(self._parser.feed(data))

    async def ask(self, name: str, *values: Value) -> None:
        """Send a command; a runner that is gone does not hear it."""
        left = memoryview(pack(name, *values))
        while left and self._out >= 0:
            try:
                left = left[os.write(self._out, left) :]
            except BlockingIOError:
                await self._writable()
            except BrokenPipeError:
                return

    async def _writable(self) -> None:
        loop = asyncio.get_running_loop()
        free: asyncio.Future[None] = loop.create_future()
        loop.add_writer(self._out, free.cancel)
        try:
            await asyncio.wait([free])
        finally:
            loop.remove_writer(self._out)

    def hang_up(self) -> None:
        """Hear no more than has come, even where somebody keeps the other end open."""
        if self._transport:
            self._transport.close()

    def close(self) -> None:
        """Give up both pipes."""
        self.hang_up()
        if not self._transport:
            self._in.close()
        for one in (self._out, self.commands, self.frames):
            if one >= 0:
                os.close(one)
        self._out = self.commands = self.frames = -1
