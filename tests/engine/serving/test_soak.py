"""A server under hang-ups, refused, slow and half requests: nothing hangs, nothing grows."""

from __future__ import annotations

import json
import random
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.engine.network_server import (
    TOKEN,
    NetworkServer,
    build_request,
    read_to_end,
    serve,
)
from tests.engine.process_figures import count_descriptors, read_memory
from tests.fuzz_size import choose_size
from tests.waiting import PATIENCE, block_until

pytestmark = [pytest.mark.slow, pytest.mark.fuzz]

HANG_UPS = choose_size(25, 500)
REQUESTS = choose_size(60, 1_000)
SLOW_SENDERS = choose_size(4, 40)
SLOW_READERS = choose_size(2, 12)
CLOSE = b"Connection: close"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetworkServer]:
    with serve(tmp_path_factory.mktemp("home"), "-m", "nano-chat", descriptors=1024) as running:
        answer(running, build_body(max_tokens=64))
        yield running


def build_body(**fields: object) -> bytes:
    plain = {"model": "nano-chat", "prompt": "def add(a, b):", "max_tokens": 4, "seed": 1}
    return json.dumps({**plain, **fields}).encode()


def answer(server: NetworkServer, body: bytes, *, token: str = TOKEN) -> tuple[int, bytes]:
    """Return the status and the body of the response to a completion request."""
    head, _, found = server.exchange(build_request(body, CLOSE, token=token)).partition(b"\r\n\r\n")
    return int(head.split(None, 2)[1]), found


def hang_up(server: NetworkServer, rng: random.Random) -> None:
    """Leave a request at some moment: during it, before, in the middle of or after its answer."""
    request = build_request(build_body(max_tokens=rng.randrange(1, 200), stream=rng.random() < 0.7))
    cut = rng.choice((len(request), len(request), rng.randrange(len(request))))
    with server.connect(request[:cut]) as connection:
        connection.settimeout(rng.choice((0.001, 0.01, 0.05, 0.2)))
        with suppress(TimeoutError, ConnectionResetError):
            for _ in range(rng.randrange(5)):
                connection.recv(1 + rng.randrange(400))
        if rng.random() < 0.5:
            # A reset in place of an orderly end.
            linger = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


def wait_until_idle(server: NetworkServer) -> None:
    block_until(
        lambda: server.ask().json()["state"] == "idle" and server.ask().json()["queue"] == 0,
        what="the engine is idle",
        # At full size thousands of tokens are generated before.
        patience=choose_size(1, 10) * PATIENCE,
    )


def measure(server: NetworkServer) -> tuple[int, int]:
    """Return the numbers of descriptors and of MiB of the idle server."""
    wait_until_idle(server)
    pid = server.process.pid
    # The last connection is closed a moment after its response has arrived.
    lowest = count_descriptors(pid)
    for _ in range(50):
        time.sleep(0.02)
        lowest = min(lowest, count_descriptors(pid))
    return lowest, read_memory(pid)


def check_growth(server: NetworkServer, before: tuple[int, int], what: str) -> None:
    after = measure(server)
    print(f"{what}: descriptors {before[0]} to {after[0]}, memory {before[1]} to {after[1]} MiB")
    assert after[0] <= before[0]
    assert after[1] - before[1] < 64
    assert answer(server, build_body())[0] == 200
    assert server.log.stat().st_size < 10_000


def test_hang_ups_leave_nothing_behind(server: NetworkServer) -> None:
    before, rng = measure(server), random.Random(1)
    for _ in range(HANG_UPS):
        hang_up(server, rng)
    check_growth(server, before, f"{HANG_UPS} hang-ups")


def test_four_clients_that_hang_up_together_leave_no_caches(server: NetworkServer) -> None:
    before, rng = measure(server), random.Random(3)
    for _ in range(HANG_UPS):
        with ExitStack() as stack:
            for number in range(4):
                # The same prompts again and again, since what was read may stay known.
                prompt = f"def f_{number}(values):" * 20
                body = build_body(prompt=prompt, max_tokens=800, stream=True, ignore_eos=True)
                connection = stack.enter_context(server.connect(build_request(body)))
                connection.settimeout(60)
                connection.recv(1 + rng.randrange(4_000))
    check_growth(server, before, f"{HANG_UPS} times four hang-ups")


def test_requests_of_all_kinds_are_all_answered(server: NetworkServer) -> None:
    before, rng = measure(server), random.Random(2)
    expected = answer(server, build_body())[1].partition(b'"choices"')[2].partition(b'"usage"')[0]
    kinds = {
        200: lambda: answer(server, build_body()),
        400: lambda: answer(server, build_body(stop=["x"] * 17)),
        401: lambda: answer(server, build_body(), token=TOKEN[:-1]),
        404: lambda: answer(server, build_body(model="owner/name")),
    }
    for _ in range(REQUESTS):
        status = rng.choice([*kinds, 200, 200, 200])
        found, body = kinds[status]()
        assert found == status
        assert status != 200 or expected in body, "the same seed gives the same answer"
    check_growth(server, before, f"{REQUESTS} requests")


def test_requests_sent_byte_by_byte_are_answered(server: NetworkServer) -> None:
    before = measure(server)
    request = build_request(build_body(), CLOSE)
    with ExitStack() as stack:
        slow = [stack.enter_context(server.connect()) for _ in range(SLOW_SENDERS)]
        for byte in range(len(request)):
            for connection in slow:
                connection.sendall(request[byte : byte + 1])
        for connection in slow:
            found = read_to_end(connection)
            # Together they may be more than wait in the queue.
            assert found.startswith((b"HTTP/1.1 200", b"HTTP/1.1 429")), found[:100]
    check_growth(server, before, f"{SLOW_SENDERS} slow senders")


def test_clients_that_do_not_read_hold_up_nobody(server: NetworkServer) -> None:
    before = measure(server)
    request = build_request(
        build_body(max_tokens=choose_size(500, 1_500), stream=True, ignore_eos=True)
    )
    with ExitStack() as stack:
        for _ in range(SLOW_READERS):
            deaf = stack.enter_context(socket.socket())
            # Before it connects, so that the server's buffers fill up soon.
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            deaf.connect(("127.0.0.1", server.port))
            deaf.sendall(request)
        wait_until_idle(server)
        assert answer(server, build_body())[0] == 200
    check_growth(server, before, f"{SLOW_READERS} clients that do not read")


def test_the_server_ends_in_order_after_all_that(server: NetworkServer, tmp_path: Path) -> None:
    server.process.terminate()
    assert server.process.wait(60) == 143
    assert "Traceback" not in server.log.read_text()
