"""A real engine process on a real Unix socket, for a module of tests."""

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
class Served:
    """A running engine."""

    process: subprocess.Popen[bytes]
    socket: Path
    log: Path

    def http(self) -> httpx2.Client:
        """Plain HTTP, as any other client speaks it."""
        transport = httpx2.HTTPTransport(uds=str(self.socket))
        return httpx2.Client(transport=transport, base_url="http://engine", timeout=60)

    def health(self) -> dict[str, object]:
        """What it says of itself."""
        with self.http() as http:
            found: dict[str, object] = http.get("/health").json()
            return found


def environment(home: Path) -> dict[str, str]:
    """That of the tests, with a home of its own and one thread."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STARCHAT")}
    return {**kept, "STARCHAT_HOME": str(home), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}


def listening(socket: Path) -> bool:
    """Whether the engine's socket answers."""
    with sockets.socket(sockets.AF_UNIX) as caller:
        try:
            caller.connect(str(socket))
        except OSError:
            return False
        return True


@contextmanager
def served(*flags: str, answers: bool = True) -> Iterator[Served]:
    """An engine in a home of its own; ended at the end."""
    # Short, because the path of a Unix socket has at most 107 characters.
    with tempfile.TemporaryDirectory(prefix="sc-") as name:
        home = Path(name)
        log = home / "words"
        with log.open("wb") as words:
            process = subprocess.Popen(
                [sys.executable, "-m", "starchat_tui", "serve", "--device", "cpu", *flags],
                cwd=ROOT,
                env=environment(home),
                stdout=words,
                stderr=words,
            )
        found = Served(process, home / "run" / "engine.sock", log)
        try:
            if answers:
                block_until(
                    lambda: listening(found.socket) or process.poll() is not None,
                    what="the engine's socket answers",
                )
            yield found
        finally:
            process.kill()
            process.wait()
