"""Connections that ask nothing: they are closed, and keep nobody out."""

from __future__ import annotations

import logging
import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx2
import pytest

from starchat_tui.engine.serving import connections
from starchat_tui.engine.serving.connections import RepetitionFilter, count_allowed_connections
from tests.engine.engine_server import ROOT, build_environment
from tests.fuzz_size import choose_size
from tests.waiting import PATIENCE, block_until

TOKEN = "a-token-of-enough-characters"


@contextmanager
def serve(home: Path, descriptors: int) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Run a server on a port, with few descriptors."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "starchat_tui", "serve", "--port", str(port), "--token", TOKEN],
            cwd=ROOT,
            env=build_environment(home),
            stderr=log,
            preexec_fn=lambda: resource.setrlimit(
                resource.RLIMIT_NOFILE, (descriptors, descriptors)
            ),
        )
    try:
        block_until(lambda: is_open(port), what="the port")
        yield port, process
    finally:
        process.terminate()
        process.wait(PATIENCE)


def is_open(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def ask(port: int, path: str = "/health", **fields: object) -> httpx2.Response:
    with httpx2.Client(headers={"authorization": f"Bearer {TOKEN}"}, timeout=PATIENCE) as client:
        url = f"http://127.0.0.1:{port}{path}"
        return client.post(url, json=fields) if fields else client.get(url)


@pytest.mark.slow
@pytest.mark.fuzz
def test_idle_connections_leave_an_authorized_client_served(tmp_path: Path) -> None:
    count = choose_size(300, 1_200)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 2 * count)), hard))
    with ExitStack() as stack, serve(tmp_path, 256) as (port, process):
        for number in range(count):
            idle = stack.enter_context(socket.create_connection(("127.0.0.1", port), PATIENCE))
            if number % 2:
                idle.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: x\r\n")
            if number % 100 == 99:
                assert ask(port).status_code == 200
        assert ask(port).json()["engine"] == "starchat"
        assert len(os.listdir(f"/proc/{process.pid}/fd")) < 256
        assert (tmp_path / "log").stat().st_size < 10_000


@pytest.mark.slow
def test_a_request_that_does_not_arrive_is_hung_up_on(tmp_path: Path) -> None:
    with serve(tmp_path, 256) as (port, _):
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as slow:
            start = time.monotonic()
            slow.sendall(b"GET /health HTTP/1.1\r\n")
            with suppress(ConnectionResetError):
                assert slow.recv(100) == b""
            assert time.monotonic() - start >= connections.REQUEST_SECONDS / 2
        assert ask(port).status_code == 200


def test_clients_of_the_network_get_what_was_offered_and_no_more(tmp_path: Path) -> None:
    with serve(tmp_path, 256) as (port, process):
        for model in ("/etc", "owner/name", "starcoder", "../x"):
            refused = ask(port, "/v1/completions", model=model, prompt="x")
            assert refused.status_code == 404
            assert "does not offer" in refused.json()["error"]["message"]
        for path in ("/v1/starchat/stop", "/v1/starchat/load"):
            assert ask(port, path, model="nano-chat").status_code == 403
        assert process.poll() is None
        cards = ask(port, "/v1/models").json()["data"]
        assert {card["id"] for card in cards} == {"nano-chat", "nano-base"}
        assert str(ROOT) not in str(cards)


def test_descriptors_are_kept_back(monkeypatch: pytest.MonkeyPatch) -> None:
    for soft, expected in ((256, 64), (30, 16), (10**6, 1024), (resource.RLIM_INFINITY, 1024)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, soft=soft: (soft, soft))
        assert count_allowed_connections() == expected


def test_a_message_is_logged_once_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(connections.time, "monotonic", lambda: now[0])
    repetition = RepetitionFilter()

    def log(text: str, *values: object) -> str:
        record = logging.LogRecord("x", logging.ERROR, "", 0, text, values, None)
        return record.getMessage() if repetition.filter(record) else ""

    assert log("bad %s", 1) == "bad 1"
    assert [log("bad %s", number) for number in range(1000)] == [""] * 1000
    assert log("other") == "other"
    now[0] += 61
    assert log("bad %s", 2) == "bad 2 (1000 more in the last minutes)"
