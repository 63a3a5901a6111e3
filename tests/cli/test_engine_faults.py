"""Commands whose engine is killed, raced for, or stopped: each ends with the right exit code."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pexpect
import pytest

from starchat_tui.client.engine_process import find_engine_process
from starchat_tui.config.paths import find_paths
from tests.cli.shell import STARCHAT, Shell
from tests.fakes import save_tiny_model
from tests.fuzz_size import choose_size

pytestmark = pytest.mark.slow

PATIENCE = 120.0
"""Seconds after which a command counts as hung."""


@pytest.fixture(scope="module")
def own_shell() -> Iterator[Shell]:
    """Home whose engine may be killed, with a model whose answers take seconds."""
    home = Path(tempfile.mkdtemp(prefix="sc-f-"))
    shell = Shell(home)
    shell.model = save_tiny_model(home / "slow", window=8192)
    yield shell
    shell.run("stop")
    shutil.rmtree(home, ignore_errors=True)


def find_engine(shell: Shell) -> int:
    """Return the process id of the engine; 0 if none runs."""
    process = find_engine_process(find_paths(shell.environ()).socket)
    return process.pid if process else 0


def list_engines(shell: Shell) -> list[int]:
    """Return the engine processes of this home, found by their command lines."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = entry.read_bytes().split(b"\0")
            if b"serve" in words and any(str(shell.home).encode() in word for word in words):
                found.append(int(entry.parent.name))
    return found


def start_answer(shell: Shell, *flags: str, tokens: int = 8000) -> subprocess.Popen[bytes]:
    command = [*STARCHAT, "-n", "-m", str(shell.model), "--max-tokens", str(tokens), "-t", "0"]
    return subprocess.Popen(
        [*command, *flags, "a question"],
        env=shell.environ(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.mark.fuzz
def test_an_engine_killed_at_any_moment_hangs_no_client(own_shell: Shell) -> None:
    random.seed(5)
    codes: list[int] = []
    for _ in range(choose_size(4, 50)):
        client = start_answer(own_shell, tokens=400)
        time.sleep(random.random() * 1.5)
        if engine := find_engine(own_shell):
            with suppress(ProcessLookupError):
                os.kill(engine, signal.SIGKILL)
        out, err = client.communicate(timeout=PATIENCE)
        codes.append(client.returncode)
        # Restarted, or killed after the first word had been printed.
        assert client.returncode in (0, 69), err
        assert out.strip() or client.returncode
        assert b"Traceback" not in err
    print(f"{codes.count(0)} answered, {codes.count(69)} exited with 69")
    assert own_shell.ask("and now?").returncode == 0
    assert list_engines(own_shell) == [find_engine(own_shell)]


@pytest.mark.fuzz
def test_two_cold_clients_share_one_engine(own_shell: Shell) -> None:
    for _ in range(choose_size(2, 20)):
        own_shell.run("stop")
        assert list_engines(own_shell) == []
        clients = [start_answer(own_shell, tokens=4) for _ in range(2)]
        answers = [client.communicate(timeout=PATIENCE)[0] for client in clients]
        assert [client.returncode for client in clients] == [0, 0]
        assert answers[0] == answers[1] != b""
        assert list_engines(own_shell) == [find_engine(own_shell)]


def open_terminal(shell: Shell, *arguments: str) -> pexpect.spawn[str]:
    """Start a front end in a terminal of its own."""
    options = ("-n", "-m", str(shell.model), "-t", "0")
    return pexpect.spawn(
        STARCHAT[0],
        [*STARCHAT[1:], *arguments[:1], *options, *arguments[1:]],
        env=shell.environ(TERM="xterm-256color"),
        encoding="utf-8",
        codec_errors="replace",
        dimensions=(30, 100),
    )


def test_a_stopped_engine_is_reported_by_every_front_end(own_shell: Shell) -> None:
    """Each tells its process id after three heartbeats: 30 s."""
    own_shell.ask("warm")
    engine = find_engine(own_shell)
    front_ends = {"chat": open_terminal(own_shell), "line mode": open_terminal(own_shell, "repl")}
    front_ends["chat"].expect("Enter send", timeout=PATIENCE)
    front_ends["line mode"].expect("›", timeout=PATIENCE)
    os.kill(engine, signal.SIGSTOP)
    stopped_at = time.monotonic()
    for terminal in front_ends.values():
        terminal.send("a question\r")
    front_ends["one question"] = open_terminal(own_shell, "a question")
    pipe = start_answer(own_shell)
    try:
        for name, terminal in front_ends.items():
            terminal.expect(rf"pid {engine}", timeout=PATIENCE)
            print(f"{name}: after {time.monotonic() - stopped_at:.1f} s")
        _, err = pipe.communicate(timeout=PATIENCE)
        assert pipe.returncode == 69
        assert f"pid {engine}" in err.decode()
        listed = own_shell.run("ps")
        assert f"{engine}" in (listed.stdout + listed.stderr).decode()
        assert own_shell.run("stop").returncode == 0
        # The chats go on with another engine.
        front_ends["line mode"].send("and now?\r")
        front_ends["line mode"].expect("answer tokens", timeout=PATIENCE)
        front_ends["chat"].send("and now?\r")
        front_ends["chat"].expect("first token", timeout=PATIENCE)
    finally:
        with suppress(ProcessLookupError):
            os.kill(engine, signal.SIGCONT)
        for terminal in front_ends.values():
            terminal.close(force=True)
        pipe.kill()
        pipe.communicate()
