"""Engine process on a Unix socket in a home directory of its own."""

from __future__ import annotations

import os
import socket as sockets
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from tests.waiting import block_until

ROOT = Path(__file__).parent.parent.parent


@dataclass
class RunningEngine:
    """Running engine."""

    process: subprocess.Popen[bytes]
    socket: Path
    log: Path

    def open_http(self) -> httpx2.Client:
        """Return a plain HTTP client, as any other program would use."""
        transport = httpx2.HTTPTransport(uds=str(self.socket))
        return httpx2.Client(transport=transport, base_url="http://engine", timeout=60)

    def fetch_health(self) -> dict[str, object]:
        """Return the engine's health report."""
        with self.open_http() as http:
            report: dict[str, object] = http.get("/health").json()
            return report

    def count(self, name: str) -> int:
        """Return a counter of the health report."""
        value = self.fetch_health()[name]
        assert isinstance(value, int)
        return value

    def request_error(
        self, method: str, path: str, body: bytes | None = None
    ) -> tuple[int, dict[str, str]]:
        """Return the status and the error of a request that is refused."""
        with self.open_http() as http:
            response = http.request(method, path, content=body)
            return response.status_code, response.json()["error"]


def build_environment(home: Path) -> dict[str, str]:
    """Return the environment of the tests, with another home directory and one thread."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STARCHAT")}
    return {**kept, "STARCHAT_HOME": str(home), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}


def is_listening(socket: Path) -> bool:
    """Return whether the engine's socket accepts connections."""
    with sockets.socket(sockets.AF_UNIX) as caller:
        try:
            caller.connect(str(socket))
        except OSError:
            return False
        return True


@contextmanager
def run_engine(*flags: str, on_socket: bool = True) -> Iterator[RunningEngine]:
    """Run an engine while the context lasts; `on_socket` waits for its Unix socket."""
    # Short, because the path of a Unix socket has at most 107 characters.
    with tempfile.TemporaryDirectory(prefix="sc-") as name:
        home = Path(name)
        log = home / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "starchat_tui", "serve", "--device", "cpu", *flags],
                cwd=ROOT,
                env=build_environment(home),
                stdout=output,
                stderr=output,
            )
        engine = RunningEngine(process, home / "run" / "engine.sock", log)
        try:
            if on_socket:
                block_until(
                    lambda: is_listening(engine.socket) or process.poll() is not None,
                    what="the engine's socket answers",
                )
            yield engine
        finally:
            process.kill()
            process.wait()


def run_serve(*flags: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Run `starchat serve` to its end, for command lines that it refuses."""
    command = [sys.executable, "-m", "starchat_tui", "serve", *flags]
    environ = build_environment(home)
    return subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=False
    )
