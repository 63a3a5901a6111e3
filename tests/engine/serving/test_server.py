"""Lifetime of an engine process: its flags, its end, its exit code."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from starchat_tui.client.http_client import EngineClient
from starchat_tui.engine.serving.server import parse_duration
from starchat_tui.errors import ConfigError, UsageError
from tests.engine.engine_server import (
    ROOT,
    RunningEngine,
    build_environment,
    run_engine,
    run_serve,
)
from tests.fakes import WINDOW
from tests.waiting import wait_until

TOKEN = "s3cret-and-long-enough"


def find_free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


async def wait_until_listening(engine: RunningEngine) -> None:
    await wait_until(lambda: "listening" in engine.log.read_text(), what="it listens")


async def test_the_network_needs_the_token() -> None:
    port = find_free_port()
    url = f"http://127.0.0.1:{port}"
    with run_engine("--port", str(port), "--token", TOKEN, on_socket=False) as engine:
        good, bad, none = (EngineClient(url, token=token) for token in (TOKEN, TOKEN[:-1], None))
        await wait_until_listening(engine)
        assert (await good.fetch_health()).pid == engine.process.pid
        for client in (bad, none):
            with pytest.raises(UsageError, match="token"):
                await client.list_models()
        await good.list_models()
        assert (await good.fetch_health()).keep_alive < 0, "nobody else could start it again"


async def test_the_model_it_was_started_for_is_listed_while_it_loads(tiny_folder: Path) -> None:
    port = find_free_port()
    flags = ("--port", str(port), "--token", TOKEN, "--keep-alive", "5m")
    with run_engine(*flags, "--model", str(tiny_folder), on_socket=False) as engine:
        client = EngineClient(f"http://127.0.0.1:{port}", token=TOKEN)
        await wait_until_listening(engine)
        (card,) = [card for card in await client.list_models() if card.name == str(tiny_folder)]
        assert card.window == WINDOW
        assert (await client.fetch_health()).keep_alive == 300


async def test_a_model_that_is_not_available_is_not_listed() -> None:
    port = find_free_port()
    flags = ("--port", str(port), "--token", TOKEN, "--model", "owner/absent")
    with run_engine(*flags, on_socket=False) as engine:
        client = EngineClient(f"http://127.0.0.1:{port}", token=TOKEN)
        await wait_until_listening(engine)
        assert "owner/absent" not in {card.name for card in await client.list_models()}


def test_the_network_without_a_token_is_refused(empty_home: Path) -> None:
    ran = run_serve("--port", "0", home=empty_home)
    assert ran.returncode == 2
    assert "token" in ran.stderr


def test_it_exits_when_idle_and_removes_its_socket() -> None:
    with run_engine("--keep-alive", "0") as engine:
        with engine.open_http() as http:
            body = {"model": "absent", "prompt": [1]}
            assert http.post("/v1/completions", json=body).status_code == 404
        assert engine.process.wait(30) == 0
        assert not engine.socket.exists()


def test_it_stops_on_request_even_while_it_answers(long_folder: Path) -> None:
    with run_engine() as engine:
        body = {"model": str(long_folder), "prompt": [1], "max_tokens": 8000, "stream": True}
        with engine.open_http() as http, engine.open_http() as other:
            with http.stream("POST", "/v1/completions", json=body) as response:
                lines = response.iter_lines()
                next(line for line in lines if '"choices"' in line)
                refused = other.post("/v1/starchat/stop", json={"if_idle": True})
                assert refused.status_code == 429
                assert other.post("/v1/starchat/stop", json={}).json()["stopping"]
                events = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
            assert events[-1]["choices"][0]["finish_reason"] == "cancelled"
        assert engine.process.wait(30) == 0
        assert not engine.socket.exists()


def test_sigterm_ends_it_in_order() -> None:
    with run_engine() as engine:
        engine.process.terminate()
        assert engine.process.wait(30) == 143
        assert not engine.socket.exists()


SIGTERM_AT_START = """
import os, signal, sys, time
from starchat_tui.engine.serving import server, worker

class SlowWorker(worker.Worker):
    def start(self):
        super().start()
        os.kill(os.getpid(), signal.SIGTERM)
        for _ in range(1000): pass  # the handler of the signal runs here

    def _import_torch(self):
        while not self.is_stopping: time.sleep(0.01)
        os.write(1, b"shut down")

server.Worker = SlowWorker
sys.exit(server.main(["--device", "cpu"], os.environ))
"""


def test_sigterm_while_it_starts_ends_its_thread_too(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", SIGTERM_AT_START],
        cwd=ROOT,
        env=build_environment(tmp_path),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (143, b"shut down"), ran.stderr


@pytest.mark.parametrize(
    ("text", "expected"),
    [("30s", 30), ("10m", 600), ("2h", 7200), ("1d", 86400), ("0", 0), ("-1", -1), ("1.5m", 90)],
)
def test_a_duration_is_parsed(text: str, expected: float) -> None:
    assert parse_duration(text) == expected


@pytest.mark.parametrize("text", ["", "m", "10 minutes", "1e3", "10w"])
def test_a_text_that_is_not_a_duration_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_duration(text)
