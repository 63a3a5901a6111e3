"""Limits on connections, before a client has shown that it may ask at all.

A connection without a complete request costs a descriptor and some memory. Whoever opens thousands
of them, or sends a request letter by letter, must not keep the others from being answered.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import time
from typing import Any

from starchat_tui.engine.serving.access import SameUserProtocol

REQUEST_SECONDS = 10.0
"""Seconds from the opening of a connection until its first request is complete, headers and all."""
RESERVED_DESCRIPTORS = 192
"""Descriptors that stay free: 64 for files of models, caches and the log, and 128 for connections
that the event loop accepts at once, before this module sees the first of them."""
MAX_CONNECTIONS = 1024
LOG_INTERVAL = 60.0
"""Seconds in which a message is logged once."""


def count_allowed_connections() -> int:
    """Return how many connections may be open, by the limit of descriptors of this process."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return MAX_CONNECTIONS
    return max(16, min(MAX_CONNECTIONS, soft - RESERVED_DESCRIPTORS))


class LimitedProtocol(SameUserProtocol):
    """HTTP protocol that closes connections on which no request arrives.

    If too many are open, the one that has waited longest without a request is closed for the new
    one: an idle crowd cannot keep out a client that asks.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept the connection, in place of the oldest idle one if there are too many."""
        super().connection_made(transport)
        if transport.is_closing():
            return
        idle = _list_idle(self)
        if len(self.connections) > count_allowed_connections() and idle:
            oldest = next(iter(idle))
            # At once: its end is noticed only later, and the next newcomer must find another one.
            del idle[oldest]
            oldest.transport.abort()
        idle[self] = None
        self._deadline = asyncio.get_running_loop().call_later(REQUEST_SECONDS, self._expire)

    def handle_events(self) -> None:
        """Take what has arrived; the connection is no longer idle once a request is complete."""
        super().handle_events()
        if self.cycle is not None:
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        """Clean up."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _stop_waiting(self) -> None:
        deadline: asyncio.TimerHandle | None = getattr(self, "_deadline", None)
        if deadline is not None:
            deadline.cancel()
            _list_idle(self).pop(self, None)

    def _expire(self) -> None:
        if not self.transport.is_closing():
            self.transport.abort()


def _list_idle(protocol: LimitedProtocol) -> dict[LimitedProtocol, None]:
    """Return the idle connections of a server, oldest first."""
    state: Any = protocol.server_state
    if not hasattr(state, "idle_connections"):
        state.idle_connections = {}
    found: dict[LimitedProtocol, None] = state.idle_connections
    return found


class RepetitionFilter(logging.Filter):
    """Filter that lets each message pass once in `LOG_INTERVAL`, with the number of the dropped.

    A client that causes a message with each byte would fill the disk: 197,263 lines in 15 seconds.
    """

    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[str, tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is logged."""
        now = time.monotonic()
        # Not its arguments, which may hold an address: one message would become many.
        since, dropped = self._seen.get(str(record.msg), (-LOG_INTERVAL, 0))
        if now - since < LOG_INTERVAL:
            self._seen[str(record.msg)] = since, dropped + 1
            return False
        if len(self._seen) > 1000:
            self._seen.clear()
        self._seen[str(record.msg)] = now, 0
        if dropped:
            record.msg = f"{record.msg} ({dropped} more in the last minutes)"
        return True


def limit_log() -> None:
    """Limit the messages of the server, of its libraries and of the event loop."""
    repetition = RepetitionFilter()
    for name in ("uvicorn", "uvicorn.error", "asyncio"):
        logging.getLogger(name).addFilter(repetition)
