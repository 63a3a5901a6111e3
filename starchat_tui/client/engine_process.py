"""The process behind an engine's socket: who it is, whether it works, and how to end it.

An engine that is stopped (SIGSTOP) or hangs answers nothing, so everything here is learned from the
system: the peer of the socket, the lock that an engine holds, and `/proc`.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from starchat_tui.errors import Unavailable

TERMINATION_SECONDS = 8.0
"""Seconds that a process gets after SIGTERM; an engine may need 5 to end its answers."""
_KILL_SECONDS = 5.0
_POLL_SECONDS = 0.03
_LOCAL_PEERPID = 2
"""Socket option of macOS, which Python has no name for."""


@dataclass(frozen=True, slots=True)
class EngineProcess:
    """A process, told from a later one of the same id by the time it started."""

    pid: int
    started: int = 0
    """Start time in clock ticks since boot; 0 where the system does not tell."""

    @property
    def is_alive(self) -> bool:
        """True while the process runs; False for a zombie, and for a later process of this id."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return not self.started
        found = _read_status(self.pid)
        return found is None or (found.state not in "ZX" and self.started in (0, found.started))


@dataclass(frozen=True, slots=True)
class _Status:
    state: str
    cpu_ticks: int
    started: int


def _read_status(pid: int) -> _Status | None:
    """Return what `/proc` tells about a process; None without `/proc`, or without the process."""
    try:
        # proc_pid_stat(5): the name, in parentheses, may itself hold blanks and parentheses.
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return _Status(fields[0], int(fields[11]) + int(fields[12]), int(fields[19]))
    except (OSError, IndexError, ValueError):
        return None


class WorkWatch:
    """Measures for how long a process has not worked: its processor time stands still."""

    def __init__(self) -> None:
        self._seen: tuple[int, int] | None = None
        self._changed_at = time.monotonic()

    def measure_idle_seconds(self, pid: int) -> float:
        """Return the seconds since the process, or another one asked about, was seen to work."""
        found = _read_status(pid)
        seen = (pid, found.cpu_ticks if found else 0)
        if seen != self._seen:
            self._seen, self._changed_at = seen, time.monotonic()
        return time.monotonic() - self._changed_at


def get_lock_path(socket_path: Path) -> Path:
    """Return the file that the engine of a socket holds locked for as long as it lives."""
    return socket_path.with_name(f"{socket_path.name}.owner")


def try_lock(file: IO[str], *, shared: bool = False) -> bool:
    """Lock an open file unless another process holds it; return whether it is locked now."""
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def write_owner(lock: IO[str]) -> None:
    """Write into a lock file which process holds it, for those who wait for the lock."""
    status = _read_status(os.getpid())
    owner = f"{os.getpid()} {status.started if status else 0}\n"
    # A full disk does not matter: the lock itself needs no space. Past the buffer of the file,
    # which would be written again when it is closed, and fail again.
    with suppress(OSError):
        os.ftruncate(lock.fileno(), 0)
        os.pwrite(lock.fileno(), owner.encode(), 0)


def read_owner(lock: IO[str]) -> EngineProcess | None:
    """Return the process that wrote itself into a lock file, if it still runs."""
    try:
        lock.seek(0)
        pid, started = map(int, lock.read(100).split())
    except (OSError, ValueError):
        return None
    process = EngineProcess(pid, started)
    return process if pid > 1 and process.is_alive else None


def find_engine_process(socket_path: Path) -> EngineProcess | None:
    """Return the engine process of a socket, also if it does not answer; None if there is none.

    It is the holder of the engine's lock, which an engine has from before its socket exists until
    it ends. A process that the lock does not vouch for is not returned.
    """
    try:
        with get_lock_path(socket_path).open() as lock:
            # The lock of a dead engine is free, whatever its file says.
            if try_lock(lock, shared=True):
                return None
            owner = read_owner(lock)
    except OSError:
        return None
    if owner is not None:
        return owner
    # The file could not be written: the disk is full, or the engine is of an older version.
    pid = find_listening_pid(socket_path)
    return EngineProcess(pid, status.started) if pid and (status := _read_status(pid)) else None


def find_listening_pid(socket_path: Path) -> int:
    """Return the id of the process that listens on a Unix socket; 0 if it cannot be told."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        caller.setblocking(False)
        try:
            # Succeeds also if nobody accepts, unless too many wait already.
            caller.connect(os.fspath(socket_path))
            if hasattr(socket, "SO_PEERCRED"):
                # Linux: struct ucred, of pid, uid and gid, recorded when the peer began to listen.
                raw = caller.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
                return int(struct.unpack("3i", raw)[0])
            return caller.getsockopt(0, _LOCAL_PEERPID)
        except OSError:
            return 0


async def end_process(process: EngineProcess) -> None:
    """End a process that does not answer.

    It gets SIGTERM, and `TERMINATION_SECONDS` later SIGKILL. Raises `Unavailable` if it survives,
    as a process does that hangs inside the kernel.
    """
    with _open_signaler(process) as send:
        send(signal.SIGTERM)
        # A process that was stopped acts on a signal only after it is continued.
        send(signal.SIGCONT)
        if await wait_for_exit(process, TERMINATION_SECONDS):
            return
        send(signal.SIGKILL)
        if await wait_for_exit(process, _KILL_SECONDS):
            return
    raise Unavailable(
        f"The engine (pid {process.pid}) cannot be ended, not even by SIGKILL",
        "it hangs inside the kernel, in a driver or a file system; restarting the machine ends it",
    )


async def wait_for_exit(process: EngineProcess, seconds: float) -> bool:
    """Wait at most `seconds` for a process to end; return whether it has."""
    deadline = time.monotonic() + seconds
    while process.is_alive:
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(_POLL_SECONDS)
    return True


@contextmanager
def _open_signaler(process: EngineProcess) -> Iterator[Callable[[int], None]]:
    """Yield a function that signals this very process, never a later one of the same id."""
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        yield lambda _: None
        return
    except (AttributeError, OSError):
        # Not Linux, or a kernel without it: the id is checked before each signal.
        yield lambda number: os.kill(process.pid, number) if process.is_alive else None
        return
    # Compared after the handle is open: from now on the handle means one process.
    is_same = process.is_alive
    try:

        def send(number: int) -> None:
            with suppress(ProcessLookupError):
                if is_same:
                    signal.pidfd_send_signal(handle, number)

        yield send
    finally:
        os.close(handle)
