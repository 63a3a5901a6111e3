"""Limits on connections, before a client has shown that it may ask, and while it reads.

A connection without an accepted request costs a descriptor and some memory. Whoever opens thousands
of them, or sends a request letter by letter, must not keep the others from being answered.
"""

from __future__ import annotations

import asyncio
import json
import resource
import socket
from collections import Counter
from http import HTTPStatus
from typing import Any

import h11
import uvicorn

from starchat_tui.client.response_json import encode_error
from starchat_tui.engine.serving.access import SameUserProtocol
from starchat_tui.errors import Busy, StarChatError, UsageError

REQUEST_SECONDS = 10.0
"""Seconds in which a connection must bring a request that is accepted: one with the token, or on a
Unix socket one whose headers are complete. Another one does not prolong them."""
WRITE_SECONDS = 300.0
"""Seconds that a client may leave its answer unread; a pager that nobody scrolls does so, too."""
MAX_CONNECTIONS = 1024
ACCEPT_BATCH = 8
"""Connections that the event loop accepts at once, before this module sees the first of them."""
RESERVED_DESCRIPTORS = 96 + 4 * ACCEPT_BATCH
"""Descriptors that stay free: for files of models, caches and the log, and for connections that are
being accepted or closed, which takes up to four rounds of the event loop."""
_LISTEN_BACKLOG = 1024
_MAX_DESCRIPTORS = 4096


def raise_descriptor_limit() -> None:
    """Raise the limit of open files of this process, as far as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < _MAX_DESCRIPTORS:
        wanted = _MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _MAX_DESCRIPTORS)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def count_allowed_connections() -> int:
    """Return how many connections may be open, by the limit of descriptors of this process."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return MAX_CONNECTIONS
    return max(8, min(MAX_CONNECTIONS, soft - RESERVED_DESCRIPTORS))


class LimitedServer(uvicorn.Server):
    """Server that accepts few connections at a time, whatever the number of those that wait."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen as uvicorn does, with a longer queue in the system."""
        await super().startup(sockets)
        # asyncio takes one number for two things: the queue in the system, and the connections it
        # accepts in a row. A large one empties the table of descriptors, and then every file that
        # the process wants to open fails.
        for listener in sockets or ():
            listener.listen(_LISTEN_BACKLOG)


class LimitedProtocol(SameUserProtocol):
    """HTTP protocol that closes connections on which no accepted request arrives.

    If too many are open, one that waits is closed for the new one: the oldest of the host that has
    most of them. So an idle crowd cannot keep out a client that asks.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        # The application sees it as `scope["state"]`.
        self.app_state = {**self.app_state, "connection": self}
        self._request_deadline: asyncio.TimerHandle | None = None
        self._write_deadline: asyncio.TimerHandle | None = None
        self._is_local = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept the connection, in place of a waiting one if there are too many."""
        super().connection_made(transport)
        if transport.is_closing():
            return
        self._is_local = transport.get_extra_info("socket").family == socket.AF_UNIX
        waiting = _list_waiting(self)
        while len(self.connections) > count_allowed_connections():
            if not waiting:
                self._refuse(Busy("The server has too many clients", "try again later"), 503)
                return
            _choose_victim(waiting)._abort()
        self._wait_for_request()

    def data_received(self, data: bytes) -> None:
        """Take what has arrived."""
        try:
            super().data_received(data)
        # What is no HTTP in the middle of an answer: nothing can be said about it any more.
        except h11.ProtocolError:
            self._abort()

    def handle_events(self) -> None:
        """Handle the requests in what has arrived."""
        super().handle_events()
        # Who may connect to a Unix socket may ask.
        if self._is_local and self.cycle is not None and not self.cycle.response_complete:
            self.accept_request()

    def accept_request(self) -> None:
        """Give the current request all the time it needs."""
        _list_waiting(self).pop(self, None)
        if self._request_deadline is not None:
            self._request_deadline.cancel()
            self._request_deadline = None

    def on_response_complete(self) -> None:
        """Wait for the next request, or for the end of the connection."""
        # First: the next request may have arrived already.
        self._wait_for_request()
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Clean up."""
        self.accept_request()
        self._stop_write_deadline()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Stop writing; the client does not read what was written."""
        super().pause_writing()
        if self._write_deadline is None:
            self._write_deadline = self.loop.call_later(WRITE_SECONDS, self._abort)

    def resume_writing(self) -> None:
        """Go on writing."""
        self._stop_write_deadline()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP request, and close the connection."""
        self._refuse(UsageError(msg.rstrip("."), "send HTTP/1.1"), 400)

    def _should_upgrade(self) -> bool:
        # uvicorn would log advice to install a package for WebSockets.
        return False

    def _wait_for_request(self) -> None:
        # A response to a request that was not accepted leaves the deadline as it is.
        if self._request_deadline is None:
            _list_waiting(self)[self] = None
            self._request_deadline = self.loop.call_later(REQUEST_SECONDS, self._expire)

    def _expire(self) -> None:
        error = UsageError(f"No request within {REQUEST_SECONDS:g} s", "send it at once")
        self._refuse(error, 408)

    def _refuse(self, error: StarChatError, status: int) -> None:
        """Send an error in place of an answer, unless one has begun; close the connection."""
        is_answering = self.cycle is not None and self.cycle.response_started
        body = json.dumps(encode_error(error)).encode()
        headers = [
            ("content-type", "application/json"),
            ("content-length", str(len(body))),
            ("connection", "close"),
        ]
        try:
            if self.transport.is_closing() or is_answering:
                raise h11.LocalProtocolError("no answer can be sent")
            reason = HTTPStatus(status).phrase.encode()
            answer = h11.Response(status_code=status, headers=headers, reason=reason)
            for event in (answer, h11.Data(data=body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        except h11.LocalProtocolError:
            self._abort()
        else:
            self.transport.close()

    def _stop_write_deadline(self) -> None:
        if self._write_deadline is not None:
            self._write_deadline.cancel()
            self._write_deadline = None

    def _abort(self) -> None:
        # At once: the end of the connection is noticed only later, and the next newcomer must find
        # another one to replace.
        self.accept_request()
        self.connections.discard(self)
        self.transport.abort()


def _list_waiting(protocol: LimitedProtocol) -> dict[LimitedProtocol, None]:
    """Return the connections of a server that wait for a request, oldest first."""
    state: Any = protocol.server_state
    if not hasattr(state, "waiting_connections"):
        state.waiting_connections = {}
    found: dict[LimitedProtocol, None] = state.waiting_connections
    return found


def _choose_victim(waiting: dict[LimitedProtocol, None]) -> LimitedProtocol:
    """Return the oldest connection of the host that has most of those that wait."""
    hosts = Counter(_get_host(one) for one in waiting)
    crowd = hosts.most_common(1)[0][0]
    return next(one for one in waiting if _get_host(one) == crowd)


def _get_host(protocol: LimitedProtocol) -> str:
    return protocol.client[0] if protocol.client else ""
