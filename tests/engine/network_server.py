"""Engine process on a TCP port, with few descriptors, and raw connections to it."""

from __future__ import annotations

import resource
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx2

from tests.engine.engine_server import ROOT, build_environment
from tests.waiting import PATIENCE, block_until

TOKEN = "a-token-of-enough-characters"


@dataclass
class NetworkServer:
    """Running engine on a port of the loopback."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def ask(self, path: str = "/health", **fields: object) -> httpx2.Response:
        """Return the response to a request with the token: a POST if there are fields."""
        headers = {"authorization": f"Bearer {TOKEN}"}
        with httpx2.Client(headers=headers, timeout=PATIENCE) as client:
            url = f"http://127.0.0.1:{self.port}{path}"
            return client.post(url, json=fields) if fields else client.get(url)

    def connect(self, *sent: bytes) -> socket.socket:
        """Return a connection on which some bytes were sent."""
        connection = socket.create_connection(("127.0.0.1", self.port), PATIENCE)
        with suppress(OSError):
            for data in sent:
                connection.sendall(data)
        return connection

    def exchange(self, *sent: bytes) -> bytes:
        """Return everything that the server sends until it closes the connection."""
        with self.connect(*sent) as connection:
            return read_to_end(connection)


def read_to_end(connection: socket.socket) -> bytes:
    """Return what arrives on a connection until its end, however it ends."""
    received = bytearray()
    with suppress(ConnectionResetError):
        while data := connection.recv(65536):
            received += data
    return bytes(received)


def build_request(body: bytes, *headers: bytes, token: str = TOKEN) -> bytes:
    """Return the bytes of a completion request."""
    length, authorization = b"Content-Length: %d" % len(body), b"Authorization: Bearer "
    lines = (b"POST /v1/completions HTTP/1.1", b"Host: x", length, *headers)
    return b"\r\n".join((*lines, authorization + token.encode(), b"", body))


@contextmanager
def serve(home: Path, *flags: str, descriptors: int = 256) -> Iterator[NetworkServer]:
    """Run an engine on a free port while the context lasts."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "starchat_tui", "serve", "--port", str(port)]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--token", TOKEN, "--device", "cpu", *flags],
            cwd=ROOT,
            env=build_environment(home),
            stderr=log,
            preexec_fn=lambda: resource.setrlimit(
                resource.RLIMIT_NOFILE, (descriptors, descriptors)
            ),
        )
    try:
        server = NetworkServer(process, port, home / "log")
        block_until(lambda: _is_open(port) or process.poll() is not None, what="the port")
        yield server
    finally:
        process.kill()
        process.wait(PATIENCE)


def _is_open(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False
