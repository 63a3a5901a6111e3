"""Connections that ask nothing or read nothing: they are closed, and keep nobody out."""

from __future__ import annotations

import asyncio
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from starlette.applications import Starlette
from uvicorn import Config
from uvicorn.server import ServerState

from starchat_tui.engine.serving import connections
from starchat_tui.engine.serving.connections import (
    RESERVED_DESCRIPTORS,
    LimitedProtocol,
    count_allowed_connections,
    raise_descriptor_limit,
)
from tests.engine.network_server import NetworkServer, build_request, read_to_end, serve
from tests.engine.process_figures import count_descriptors
from tests.fuzz_size import choose_size
from tests.waiting import block_until

HALF_HEADERS = b"POST /v1/completions HTTP/1.1\r\nHost: x\r\n"
HALF_BODY = build_request(b"{}", b"X: y", token="wrong").replace(b": 2\r\n", b": 99999\r\n")
SECOND_HALF = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n" + HALF_HEADERS
CROWDS = {
    "idle": b"",
    "half the headers": HALF_HEADERS,
    "half a body without the token": HALF_BODY,
    "half of a second request": SECOND_HALF,
}
"""What a connection that occupies a place has sent."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetworkServer]:
    with serve(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.mark.slow
@pytest.mark.fuzz
@pytest.mark.parametrize("sent", CROWDS.values(), ids=CROWDS)
def test_a_crowd_leaves_an_authorized_client_served(server: NetworkServer, sent: bytes) -> None:
    count = choose_size(300, 1_200)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 2 * count)), hard))
    with ExitStack() as stack:
        for number in range(count):
            stack.enter_context(server.connect(sent))
            if number % 100 == 99:
                assert server.ask().status_code == 200
        assert server.ask().json()["engine"] == "starchat"
        assert count_descriptors(server.process.pid) < 256
    assert server.process.poll() is None
    assert server.log.stat().st_size < 10_000, "a message is logged once"


def drip(connection: socket.socket) -> bool:
    """Send a byte; return whether the connection is still open."""
    time.sleep(0.2)
    try:
        connection.sendall(b"x")
    except OSError:
        return False
    return True


@pytest.mark.slow
def test_every_connection_without_an_accepted_request_is_closed(server: NetworkServer) -> None:
    before = count_descriptors(server.process.pid)
    start = time.monotonic()
    with ExitStack() as stack:
        crowd = {name: stack.enter_context(server.connect(sent)) for name, sent in CROWDS.items()}
        # One that sends a byte now and then is not better than one that sends none.
        dripping = crowd["half a body without the token"]
        ends = {name: read_to_end(one) for name, one in crowd.items() if one is not dripping}
        block_until(lambda: not drip(dripping), what="the slow sender is hung up on")
        assert time.monotonic() - start >= connections.REQUEST_SECONDS / 2
    assert b"408" in ends["half the headers"]
    assert b"401" in ends["half of a second request"]
    block_until(
        lambda: count_descriptors(server.process.pid) <= before, what="the descriptors are closed"
    )


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00\x01\r\n\r\n",
        b"G\xffT / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        build_request(b"zz\r\n", b"Transfer-Encoding: chunked").replace(
            b"Content-Length: 4\r\n", b""
        ),
        build_request(b'{"model": "nano-chat", "prompt": "a"}') + b"\x00\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /%ff%00 HTTP/1.1\r\nHost: x\r\nConnection: upgrade, close\r\n"
        b"Upgrade: websocket\r\n\r\n",
    ],
)
def test_odd_http_leaves_no_traceback(server: NetworkServer, sent: bytes) -> None:
    assert server.exchange(sent).startswith(b"HTTP/1.1 ")
    assert server.ask().status_code == 200
    assert "Traceback" not in server.log.read_text()


def test_what_is_no_http_is_answered_in_json(server: NetworkServer) -> None:
    head, _, body = server.exchange(b"\x00\r\n\r\n").partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request")
    assert b'"code": "invalid_request"' in body


def test_clients_of_the_network_get_what_was_offered_and_no_more(server: NetworkServer) -> None:
    for model in ("/etc", "owner/name", "starcoder", "../x"):
        refused = server.ask("/v1/completions", model=model, prompt="x")
        assert refused.status_code == 404
        assert "does not offer" in refused.json()["error"]["message"]
    for path in ("/v1/starchat/stop", "/v1/starchat/load"):
        assert server.ask(path, model="nano-chat").status_code == 403
    assert server.process.poll() is None
    cards = server.ask("/v1/models").json()["data"]
    assert {card["id"] for card in cards} == {"nano-chat", "nano-base"}
    assert "weights" not in str(cards)


class FakeTransport(asyncio.Transport):
    """Transport that records how it ends."""

    def __init__(self, host: str) -> None:
        super().__init__({"socket": FakeSocket(host)})
        self.is_aborted = False
        self.written = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def abort(self) -> None:
        self.is_aborted = True

    close = abort

    def is_closing(self) -> bool:
        return self.is_aborted


class FakeSocket:
    family = socket.AF_INET

    def __init__(self, host: str) -> None:
        self._host = host

    def getpeername(self) -> tuple[str, int]:
        return self._host, 1

    def getsockname(self) -> tuple[str, int]:
        return "127.0.0.1", 1


async def connect(state: ServerState, host: str) -> tuple[LimitedProtocol, FakeTransport]:
    protocol = LimitedProtocol(Config(Starlette(), log_config=None), state, {})
    transport = FakeTransport(host)
    protocol.connection_made(transport)
    return protocol, transport


async def test_the_oldest_of_the_largest_crowd_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "count_allowed_connections", lambda: 4)
    state = ServerState()
    _, quiet = await connect(state, "10.0.0.1")
    crowd = [(await connect(state, "10.0.0.2"))[1] for _ in range(3)]
    await connect(state, "10.0.0.3")
    assert [one.is_aborted for one in (quiet, *crowd)] == [False, True, False, False]
    assert len(state.connections) == 4


async def test_a_newcomer_is_refused_where_all_are_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "count_allowed_connections", lambda: 2)
    state = ServerState()
    served = [await connect(state, "10.0.0.1") for _ in range(2)]
    for protocol, _ in served:
        protocol.accept_request()
    _, newcomer = await connect(state, "10.0.0.2")
    assert newcomer.written.startswith(b"HTTP/1.1 503 Service Unavailable")
    assert newcomer.is_aborted
    assert not any(transport.is_aborted for _, transport in served)


async def test_a_client_that_does_not_read_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "WRITE_SECONDS", 0.05)
    state = ServerState()
    protocol, transport = await connect(state, "10.0.0.1")
    protocol.accept_request()
    protocol.pause_writing()
    protocol.resume_writing()
    await asyncio.sleep(0.1)
    assert not transport.is_aborted, "it has read in time"
    protocol.pause_writing()
    while not transport.is_aborted:
        await asyncio.sleep(0.01)


def test_descriptors_are_kept_back(monkeypatch: pytest.MonkeyPatch) -> None:
    infinite = resource.RLIM_INFINITY
    for soft, expected in (
        *((256, 256 - RESERVED_DESCRIPTORS), (30, 8)),
        *((10**6, 1024), (infinite, 1024)),
    ):
        monkeypatch.setattr(resource, "getrlimit", lambda _, soft=soft: (soft, soft))
        assert count_allowed_connections() == expected


@pytest.mark.parametrize(
    ("limits", "raised"),
    [
        ((1024, 20_000), (4096, 20_000)),
        ((256, 1024), (1024, 1024)),
        ((256, resource.RLIM_INFINITY), (4096, resource.RLIM_INFINITY)),
        ((8192, 8192), None),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), None),
    ],
)
def test_the_limit_of_descriptors_is_raised_as_far_as_allowed(
    monkeypatch: pytest.MonkeyPatch, limits: tuple[int, int], raised: tuple[int, int] | None
) -> None:
    chosen: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits)
    monkeypatch.setattr(resource, "setrlimit", lambda _, pair: chosen.append(pair))
    raise_descriptor_limit()
    assert chosen == ([raised] if raised else [])
