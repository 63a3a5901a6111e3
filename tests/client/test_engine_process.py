"""The process behind a socket: known by the lock that it holds, and ended if it does not answer."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from starchat_tui.client import engine_process
from starchat_tui.client.engine_process import (
    EngineProcess,
    WorkWatch,
    end_process,
    find_engine_process,
    find_listening_pid,
    get_lock_path,
    read_owner,
    try_lock,
    write_owner,
)
from tests.waiting import block_until

HOLDER = """
import fcntl, signal, socket, sys, time
from pathlib import Path
from starchat_tui.client.engine_process import get_lock_path, try_lock, write_owner
path = Path(sys.argv[1])
lock = get_lock_path(path).open("a+")
assert try_lock(lock)
write_owner(lock)
listener = socket.socket(socket.AF_UNIX); listener.bind(str(path)); listener.listen()
if sys.argv[2] == "stubborn": signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(600)
"""


@contextmanager
def hold(path: Path, kind: str = "obedient") -> Iterator[subprocess.Popen[bytes]]:
    """Run a process that holds the lock of a socket as an engine does, and answers nothing."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path), kind], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def path(empty_home: Path) -> Path:
    return empty_home / "e.sock"


def test_the_holder_of_the_lock_is_the_engine(path: Path) -> None:
    assert find_engine_process(path) is None
    with hold(path) as process:
        found = find_engine_process(path)
        assert found is not None
        assert (found.pid, found.is_alive) == (process.pid, True)
        assert find_listening_pid(path) == process.pid
        process.send_signal(signal.SIGSTOP)
        assert find_engine_process(path) == found, "also a stopped one"
    assert find_engine_process(path) is None, "the lock of a dead one is free"
    assert not found.is_alive


def test_a_full_disk_leaves_the_socket_to_tell_the_process(path: Path) -> None:
    with hold(path) as process:
        get_lock_path(path).write_text("")
        found = find_engine_process(path)
        assert found is not None
        assert found.pid == process.pid


def test_a_process_id_that_was_given_again_is_another_process() -> None:
    own = engine_process._read_status(os.getpid())
    assert own is not None
    assert EngineProcess(os.getpid(), own.started).is_alive
    assert not EngineProcess(os.getpid(), own.started + 1).is_alive


@pytest.mark.parametrize("content", ["", "x", "1 2 3", "-1 5", "0 0", "1 1"])
def test_a_lock_file_that_vouches_for_nobody(path: Path, content: str) -> None:
    get_lock_path(path).write_text(content)
    with get_lock_path(path).open() as lock:
        assert read_owner(lock) is None


def test_a_lock_is_held_once(path: Path) -> None:
    with get_lock_path(path).open("a+") as one, get_lock_path(path).open("a+") as other:
        assert try_lock(one)
        write_owner(one)
        assert not try_lock(other)
        found = read_owner(other)
        assert found is not None
        assert found.pid == os.getpid()


@pytest.mark.parametrize("state", ["running", "stopped", "stubborn"])
async def test_a_process_is_ended_whatever_its_state(
    path: Path, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_process, "TERMINATION_SECONDS", 0.5)
    with hold(path, state) as process:
        found = find_engine_process(path)
        assert found is not None
        if state == "stopped":
            process.send_signal(signal.SIGSTOP)
        await end_process(found)
        code = process.wait(60)
        assert code == (-signal.SIGKILL if state == "stubborn" else -signal.SIGTERM)
        await end_process(found)


def test_a_stopped_process_does_not_work(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(engine_process.time, "monotonic", lambda: now[0])
    watch = WorkWatch()
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        assert watch.measure_idle_seconds(busy.pid) == 0
        first = engine_process._read_status(busy.pid)
        assert first is not None

        def has_worked() -> bool:
            status = engine_process._read_status(busy.pid)
            return status is not None and status.cpu_ticks > first.cpu_ticks

        monkeypatch.undo()
        block_until(has_worked, what="some work")
        monkeypatch.setattr(engine_process.time, "monotonic", lambda: now[0])
        now[0] = 10.0
        assert watch.measure_idle_seconds(busy.pid) == 0
        busy.send_signal(signal.SIGSTOP)
        monkeypatch.undo()
        block_until(lambda: is_stopped(busy.pid), what="the stop")
        monkeypatch.setattr(engine_process.time, "monotonic", lambda: now[0])
        watch.measure_idle_seconds(busy.pid)
        now[0] = 45.0
        assert watch.measure_idle_seconds(busy.pid) == 35
    finally:
        busy.kill()
        busy.wait()


def is_stopped(pid: int) -> bool:
    status = engine_process._read_status(pid)
    return status is not None and status.state == "T"


def test_nobody_listens(path: Path) -> None:
    assert find_listening_pid(path) == 0
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert find_listening_pid(path) == 0
