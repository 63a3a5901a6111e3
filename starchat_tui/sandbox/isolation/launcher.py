"""Starts a command behind its wall, and holds on to all that runs there."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from starchat_tui.errors import Unavailable
from starchat_tui.sandbox.host import attachments
from starchat_tui.sandbox.isolation import landlock, seatbelt, seccomp
from starchat_tui.sandbox.isolation.bubblewrap import (
    FOLDER,
    NOBODY,
    Fds,
    Jail,
    machine,
    open_to_all,
)

_ENVIRONMENT = {"PATH": "/usr/bin:/bin"}
"""All that the wall itself is given: what runs behind it could read the rest."""
_WRITABLE = (FOLDER, "/tmp", "/home", "/dev/shm")


class Started:
    """A command behind a wall, with everything it starts; all of it ends with this process."""

    def __init__(
        self,
        jail: Jail,
        process: subprocess.Popen[bytes],
        status: int,
        *,
        lifeline: int | None = None,
        scratch: Path | None = None,
        runner: int | None = None,
    ) -> None:
        self.process = process
        """The wall: it ends when the command does. Its stderr is the command's, a pipe."""
        self._isolated = jail.level == "isolated"
        self._status = status
        self._told = b""
        self._first = runner
        self._lifeline = lifeline
        self._supervised = lifeline is not None
        self.scratch = scratch
        """The folder on the disk that the code can write to, where it is none in memory."""

    def runner(self) -> int | None:
        """The process number of the command as this machine counts; None while there is none."""
        if self._first is None and (init := self._child_pid()) is not None:
            below = landlock.children(init) if self._isolated else [init]
            self._first = below[0] if below else None
        return self._first

    def members(self) -> list[int]:
        """The process numbers of everything behind the wall, the wall's own left out."""
        if self.process.poll() is not None:
            return []
        top = self._child_pid() if self._isolated else self.process.pid
        pending = landlock.children(top) if top is not None else []
        for pid in pending:
            pending.extend(landlock.children(pid))
        return pending

    def folders(self) -> list[Path]:
        """Where this machine sees the folders that the code can write to.

        Those below /proc lie in memory; the other, where there are no namespaces, on the disk.
        """
        if self.scratch:
            return [self.scratch]
        runner = self.runner() if self._isolated else None
        return [Path(f"/proc/{runner}/root{folder}") for folder in _WRITABLE] if runner else []

    def interrupt(self) -> bool:
        """Send SIGINT to the command, which reaches C code too; whether it was there to get it."""
        runner = self.runner()
        if runner is None or self.process.poll() is not None:
            return False
        with suppress(OSError):
            os.kill(runner, signal.SIGINT)
            return True
        return False

    def kill(self) -> None:
        """End everything behind the wall, at once; `process.wait` then takes milliseconds."""
        if self._supervised:
            # The supervisor ends everything below it, and must live to do so.
            if self._lifeline is not None:
                os.close(self._lifeline)
            self._lifeline = None
        elif self.process.poll() is None:
            if (init := self._child_pid()) is not None:
                # The first process of a namespace takes all others with it.
                with suppress(OSError):
                    os.kill(init, signal.SIGKILL)
            self.process.kill()

    def close(self) -> None:
        """End everything, wait for it, and close what is open."""
        self.kill()
        self.process.wait()
        if self.process.stderr:
            self.process.stderr.close()
        if self._status >= 0:
            os.close(self._status)
            self._status = -1
        if self.scratch:
            # Where the wall did not remove it: it was killed itself, or is Apple's.
            shutil.rmtree(self.scratch, ignore_errors=True)

    def _child_pid(self) -> int | None:
        """What the wall says is its child, as soon as it has said so."""
        with suppress(BlockingIOError):
            while self._status >= 0 and (data := os.read(self._status, 4096)):
                self._told += data
        for line in self._told.split(b"\n")[:-1]:
            if isinstance(pid := json.loads(line).get("child-pid"), int):
                return pid
        return None


def start(jail: Jail, command: Sequence[str], *, pass_fds: Sequence[int] = ()) -> Started:
    """Run `command` behind the wall; it gets `pass_fds`, nothing to read, and a pipe as stderr.

    Raises `UsageError` for an attached file that is not to be had, `Unavailable` where there is no
    wall. That the wall stands is only known when the command has spoken. All of it ends with the
    thread that called this, not only with the process: PR_SET_PDEATHSIG has it so.
    """
    if jail.level == "isolated":
        return _isolated(jail, command, pass_fds)
    if jail.level == "off":
        raise Unavailable("Running code is off", "`starchat doctor` says why")
    if sys.platform == "darwin":
        return _seatbelt(jail, command, pass_fds)
    return _supervised(jail, command, pass_fds)


def _isolated(jail: Jail, command: Sequence[str], pass_fds: Sequence[int]) -> Started:
    with ExitStack() as stack, ExitStack() as ours:
        status, told = _pipe(stack, ours)
        files = tuple(stack.enter_context(_snapshots(jail)))
        fds = Fds(
            arguments=(arguments := _memory(stack, "arguments")),
            status=told,
            filter=_memory(stack, "filter", seccomp.build(machine())),
            covers=_memory(stack, "covers", _drop(jail)) if jail.drop else -1,
            attached=files,
        )
        _fill(arguments, _joined(jail.arguments(fds)))
        handed = [fds.arguments, fds.status, fds.filter, *(fd for _, fd in files), *pass_fds]
        if jail.drop:
            handed.append(fds.covers)
        process = _spawn(jail.argv(command, fds), handed)
        ours.pop_all()
    return Started(jail, process, status)


def _supervised(jail: Jail, command: Sequence[str], pass_fds: Sequence[int]) -> Started:
    """Behind Landlock; or, where the user said so, behind nothing but the same supervision."""
    with ExitStack() as stack, ExitStack() as ours:
        scratch = Path(tempfile.mkdtemp(prefix="starchat-run-"))
        ours.callback(shutil.rmtree, scratch, ignore_errors=True)
        status, told = _pipe(stack, ours)
        end, lifeline = os.pipe()
        stack.callback(os.close, end)
        ours.callback(os.close, lifeline)
        plan = _memory(stack, "plan", _plan(jail, command, scratch, told, end, pass_fds).dump())
        program = [str(jail.python), "-I", "-S", landlock.__file__, str(plan)]
        process = _spawn(program, [plan, told, end, *pass_fds])
        ours.pop_all()
    return Started(jail, process, status, lifeline=lifeline, scratch=scratch)


def _plan(
    jail: Jail, command: Sequence[str], scratch: Path, status: int, end: int, keep: Sequence[int]
) -> landlock.Plan:
    folders = [scratch / name for name in ("cell", "home", "tmp", "attached")]
    for folder in folders:
        folder.mkdir(mode=0o700)
    cell, given = folders[0], folders[3]
    left = jail.limits.attached
    for name, path in attachments.names(jail.attached).items():
        left -= _copy(path, given / name, left)
        (cell / name).symlink_to(given / name)
    drop = jail.drop and all(map(open_to_all, jail.sources()))
    if drop:
        for path in (scratch, *folders, *given.iterdir()):
            os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    wall = jail.level == "restricted"
    scoped = landlock.version() >= landlock.SCOPED_SINCE
    return landlock.Plan(
        argv=list(command),
        environment=dict(jail.environment(str(scratch))),
        folder=str(cell),
        # Who may not write to /dev/zero cannot share its memory, which no limit counts.
        seen=[*jail.system(), *map(str, jail.sources()), str(given), "/dev/zero"],
        changed=[str(folder) for folder in folders[:3]],
        devices=["/dev/null", "/dev/full", "/dev/random", "/dev/urandom"],
        filter=seccomp.build(machine(), alone=False, signals=scoped).hex() if wall else "",
        wall=wall,
        user=NOBODY if drop else -1,
        status=status,
        lifeline=end,
        keep=list(keep),
        scratch=str(scratch),
    )


def _seatbelt(jail: Jail, command: Sequence[str], pass_fds: Sequence[int]) -> Started:
    """Behind Apple's sandbox-exec, or behind nothing where the user said so."""
    scratch = Path(tempfile.mkdtemp(prefix="starchat-run-")).resolve()
    for name in ("cell", "home", "tmp"):
        (scratch / name).mkdir(mode=0o700)
    left = jail.limits.attached
    for name, path in attachments.names(jail.attached).items():
        left -= _copy(path, scratch / "cell" / name, left)
    program = list(command)
    if jail.level == "restricted":
        seen = [*map(str, jail.sources()), *jail.system()]
        program = seatbelt.argv(program, seen=seen, changed=[str(scratch)])
    environment = jail.environment(str(scratch))
    process = _spawn(program, pass_fds, environment, cwd=str(scratch / "cell"))
    return Started(jail, process, -1, scratch=scratch, runner=process.pid)


def _spawn(
    program: Sequence[str],
    fds: Sequence[int],
    environment: Mapping[str, str] = _ENVIRONMENT,
    cwd: str = "/",
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        program,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=environment,
        cwd=cwd,
        pass_fds=tuple(fds),
        # ^C in this terminal is the face's to handle; and no way leads back to the terminal.
        start_new_session=True,
    )


@contextmanager
def _snapshots(jail: Jail) -> Iterator[list[tuple[str, int]]]:
    """The attached files as they are now, each by its name and a descriptor of its copy."""
    left = jail.limits.attached
    with ExitStack() as stack:
        found = []
        for name, path in attachments.names(jail.attached).items():
            copied = _memory(stack, "attached")
            left -= _copy(path, copied, left)
            os.lseek(copied, 0, os.SEEK_SET)
            found.append((name, copied))
        yield found


def _copy(path: Path, target: Path | int, most: int) -> int:
    """Copy an attached file of at most `most` bytes; its size."""
    file, size = attachments.open_file(path, most)
    try:
        if isinstance(target, int):
            attachments.copy(file, size, target)
        else:
            with target.open("xb") as copied:
                attachments.copy(file, size, copied.fileno())
            target.chmod(0o400)
    finally:
        os.close(file)
    return size


def _pipe(stack: ExitStack, ours: ExitStack) -> tuple[int, int]:
    """A pipe whose reading end does not wait, and outlives the start."""
    read, write = os.pipe()
    ours.callback(os.close, read)
    stack.callback(os.close, write)
    os.set_blocking(read, False)
    return read, write


def _memory(stack: ExitStack, name: str, data: bytes = b"") -> int:
    """A descriptor of a file in memory that holds `data`, at its beginning."""
    file = os.memfd_create(name)
    stack.callback(os.close, file)
    _fill(file, data)
    return file


def _fill(file: int, data: bytes) -> None:
    os.write(file, data)
    os.lseek(file, 0, os.SEEK_SET)


def _drop(jail: Jail) -> bytes:
    """What `become` is told."""
    return json.dumps({"user": NOBODY, "covers": jail.covers()}).encode()


def _joined(words: Sequence[str]) -> bytes:
    """Arguments as bubblewrap reads them from a descriptor: each ends with a NUL."""
    return b"".join(os.fsencode(word) + b"\0" for word in words)
