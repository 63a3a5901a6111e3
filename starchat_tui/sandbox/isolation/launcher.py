"""Starts a command in its sandbox, and keeps control of everything that runs there."""

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
from starchat_tui.sandbox import attachments
from starchat_tui.sandbox.isolation import landlock, seatbelt, seccomp
from starchat_tui.sandbox.isolation.bubblewrap import (
    CELL_FOLDER,
    NOBODY,
    BwrapFds,
    SandboxSpec,
    get_machine,
    is_world_accessible,
)

_OUTER_ENVIRONMENT = {"PATH": "/usr/bin:/bin"}
"""Environment of bubblewrap and of the supervisor.

Not the host's: it stays readable in /proc/1/environ of the sandbox, `--clearenv` or not."""
_WRITABLE_FOLDERS = (CELL_FOLDER, "/tmp", "/home", "/dev/shm")


class SandboxProcess:
    """Command in a sandbox with everything it starts; all of it ends with this process."""

    def __init__(
        self,
        spec: SandboxSpec,
        process: subprocess.Popen[bytes],
        status: int,
        *,
        lifeline: int | None = None,
        scratch: Path | None = None,
        runner: int | None = None,
    ) -> None:
        """Take over a process that has just been started.

        Args:
            spec: The sandbox that it runs in.
            process: The outermost process.
            status: Descriptor on which the child's pid is reported; -1 for none.
            lifeline: Descriptor that ends the supervisor when it is closed.
            scratch: Folder on the disk that the code can write to.
            runner: Pid of the command, if it is known already.
        """
        self.process = process
        """Outermost process, which exits when the command does; its stderr is the command's."""
        self._isolated = spec.level == "isolated"
        self._status_fd = status
        self._status_data = b""
        self._runner_pid = runner
        self._lifeline = lifeline
        self._has_supervisor = lifeline is not None
        self.scratch = scratch
        """Folder on the disk that the code can write to; None if its folders are in memory."""

    def find_runner_pid(self) -> int | None:
        """Return the host's pid of the command; None while it has not been started."""
        if self._runner_pid is None and (init := self._read_child_pid()) is not None:
            below = landlock.list_children(init) if self._isolated else [init]
            self._runner_pid = below[0] if below else None
        return self._runner_pid

    def list_pids(self) -> list[int]:
        """Return the pids of everything in the sandbox, without the sandbox's own processes."""
        if self.process.poll() is not None:
            return []
        top = self._read_child_pid() if self._isolated else self.process.pid
        pending = landlock.list_children(top) if top is not None else []
        # The list grows while it is walked: a search breadth first.
        for pid in pending:
            pending.extend(landlock.list_children(pid))
        return pending

    def find_first_pid(self) -> int | None:
        """Return the pid of the process that inherits what the code leaves behind."""
        return self._read_child_pid() if self._isolated else self.process.pid

    def list_writable_folders(self) -> list[Path]:
        """Return the host paths of the folders that the code can write to.

        Paths below /proc are in memory; `scratch`, if there are no namespaces, is on the disk.
        """
        if self.scratch:
            return [self.scratch]
        runner = self.find_runner_pid() if self._isolated else None
        return (
            [Path(f"/proc/{runner}/root{folder}") for folder in _WRITABLE_FOLDERS] if runner else []
        )

    def interrupt(self) -> bool:
        """Send SIGINT to the command; return whether it was there to receive it."""
        runner = self.find_runner_pid()
        if runner is None or self.process.poll() is not None:
            return False
        with suppress(OSError):
            # From the host, as a message to the runner would wait for the GIL: a regular expression
            # or a product of huge integers holds it for minutes. The signal reaches both.
            os.kill(runner, signal.SIGINT)
            return True
        return False

    def kill(self) -> None:
        """Kill everything in the sandbox; `process.wait` then returns within milliseconds."""
        if self._has_supervisor:
            # The supervisor kills everything below it, and must live to do so: nothing else could
            # find the processes that have detached from the command.
            if self._lifeline is not None:
                os.close(self._lifeline)
            self._lifeline = None
        elif self.process.poll() is None:
            if (init := self._read_child_pid()) is not None:
                # The kernel kills a PID namespace with its first process. To kill bubblewrap alone
                # would leave that to PR_SET_PDEATHSIG.
                with suppress(OSError):
                    os.kill(init, signal.SIGKILL)
            self.process.kill()

    def close(self) -> None:
        """Kill everything, wait for it, and release descriptors and files."""
        self.kill()
        self.process.wait()
        if self.process.stderr:
            self.process.stderr.close()
        if self._status_fd >= 0:
            os.close(self._status_fd)
            self._status_fd = -1
        if self.scratch:
            # The supervisor removes it, unless it was killed itself. Apple's sandbox has none.
            shutil.rmtree(self.scratch, ignore_errors=True)

    def _read_child_pid(self) -> int | None:
        """Return the child's pid from the status pipe; None while it has not been reported."""
        with suppress(BlockingIOError):
            while self._status_fd >= 0 and (data := os.read(self._status_fd, 4096)):
                self._status_data += data
        for line in self._status_data.split(b"\n")[:-1]:
            if isinstance(pid := json.loads(line).get("child-pid"), int):
                return pid
        return None


def start_sandbox(
    spec: SandboxSpec, command: Sequence[str], *, pass_fds: Sequence[int] = ()
) -> SandboxProcess:
    """Run `command` in the sandbox; it inherits `pass_fds`, and its stderr is a pipe.

    Return before it is known that the sandbox works: that is so once the command has sent
    something. All of it ends with the thread that calls this, not only with the process, since
    that is what PR_SET_PDEATHSIG watches.

    Raises:
        UsageError: An attached file is not available.
        Unavailable: There is no sandbox.
    """
    if spec.level == "isolated":
        return _start_bubblewrap(spec, command, pass_fds)
    if spec.level == "off":
        raise Unavailable("Running code is off", "`starchat doctor` says why")
    if sys.platform == "darwin":
        return _start_seatbelt(spec, command, pass_fds)
    return _start_supervised(spec, command, pass_fds)


def _start_bubblewrap(
    spec: SandboxSpec, command: Sequence[str], pass_fds: Sequence[int]
) -> SandboxProcess:
    # `inherited_fds` closes what bubblewrap has inherited by then; `on_failure` cleans up what the
    # returned process would otherwise own.
    with ExitStack() as inherited_fds, ExitStack() as on_failure:
        status, status_writer = _open_status_pipe(inherited_fds, on_failure)
        files = tuple(inherited_fds.enter_context(_snapshot_attachments(spec)))
        fds = BwrapFds(
            arguments=(arguments := _create_memfd(inherited_fds, "arguments")),
            status=status_writer,
            filter=_create_memfd(inherited_fds, "filter", seccomp.build_filter(get_machine())),
            private_folders=_create_memfd(inherited_fds, "private_folders", _build_drop_plan(spec))
            if spec.drop_to_nobody
            else -1,
            attached=files,
        )
        _write_from_start(arguments, _join_arguments(spec.build_bwrap_flags(fds)))
        inherited = [fds.arguments, fds.status, fds.filter, *(fd for _, fd in files), *pass_fds]
        if spec.drop_to_nobody:
            inherited.append(fds.private_folders)
        process = _spawn_process(spec.build_argv(command, fds), inherited)
        on_failure.pop_all()
    return SandboxProcess(spec, process, status)


def _start_supervised(
    spec: SandboxSpec, command: Sequence[str], pass_fds: Sequence[int]
) -> SandboxProcess:
    """Start under the supervisor: with Landlock or, at level `unsafe`, without any sandbox."""
    with ExitStack() as inherited_fds, ExitStack() as on_failure:
        scratch = Path(tempfile.mkdtemp(prefix="starchat-run-"))
        on_failure.callback(shutil.rmtree, scratch, ignore_errors=True)
        status, status_writer = _open_status_pipe(inherited_fds, on_failure)
        lifeline_reader, lifeline = os.pipe()
        inherited_fds.callback(os.close, lifeline_reader)
        on_failure.callback(os.close, lifeline)
        plan = _create_memfd(
            inherited_fds,
            "plan",
            _build_plan(spec, command, scratch, status_writer, lifeline_reader, pass_fds).to_json(),
        )
        # Our own interpreter: the supervisor runs outside the sandbox.
        program = [sys.executable, "-I", "-S", landlock.__file__, str(plan)]
        process = _spawn_process(program, [plan, status_writer, lifeline_reader, *pass_fds])
        on_failure.pop_all()
    return SandboxProcess(spec, process, status, lifeline=lifeline, scratch=scratch)


def _build_plan(
    spec: SandboxSpec,
    command: Sequence[str],
    scratch: Path,
    status: int,
    lifeline_reader: int,
    keep: Sequence[int],
) -> landlock.SupervisorPlan:
    """Create the folders of the code below `scratch`, and return what the supervisor has to do.

    Args:
        spec: The sandbox.
        command: The program and its arguments.
        scratch: An empty folder.
        status: Descriptor on which the supervisor reports the pid.
        lifeline_reader: Descriptor whose other end keeps the supervisor alive.
        keep: Descriptors that the program inherits.
    """
    folders = [scratch / name for name in ("cell", "home", "tmp", "attached")]
    for folder in folders:
        folder.mkdir(mode=0o700)
    cell, attached_folder = folders[0], folders[3]
    bytes_left = spec.limits.attached
    for name, path in attachments.map_names(spec.attached).items():
        bytes_left -= _copy_attachment(path, attached_folder / name, bytes_left)
        # The copy is in a folder that Landlock lets the code read only.
        (cell / name).symlink_to(attached_folder / name)
    # There are no mounts that could show NOBODY the parts of root's private folders it needs. If
    # the interpreter is in one of them, the code stays root, without capabilities.
    drop = spec.drop_to_nobody and all(map(is_world_accessible, spec.list_sources()))
    if drop:
        for path in (scratch, *folders, *attached_folder.iterdir()):
            os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    is_restricted = spec.level == "restricted"
    scoped = landlock.get_abi_version() >= landlock.SCOPES_SINCE_ABI
    return landlock.SupervisorPlan(
        argv=list(command),
        environment=dict(spec.build_environment(str(scratch))),
        folder=str(cell),
        # Read only: a shared writable mapping of /dev/zero is memory that no limit counts.
        readable=[
            *spec.list_system_paths(),
            *map(str, spec.list_sources()),
            str(attached_folder),
            "/dev/zero",
        ],
        writable=[str(folder) for folder in folders[:3]],
        devices=["/dev/null", "/dev/full", "/dev/random", "/dev/urandom"],
        seccomp_filter=seccomp.build_filter(
            get_machine(), has_namespaces=False, signals_scoped=scoped
        ).hex()
        if is_restricted
        else "",
        use_landlock=is_restricted,
        uid=NOBODY if drop else -1,
        status=status,
        lifeline=lifeline_reader,
        keep=list(keep),
        scratch=str(scratch),
    )


def _start_seatbelt(
    spec: SandboxSpec, command: Sequence[str], pass_fds: Sequence[int]
) -> SandboxProcess:
    """Start under Apple's sandbox-exec or, at level `unsafe`, without any sandbox."""
    scratch = Path(tempfile.mkdtemp(prefix="starchat-run-")).resolve()
    for name in ("cell", "home", "tmp"):
        (scratch / name).mkdir(mode=0o700)
    bytes_left = spec.limits.attached
    for name, path in attachments.map_names(spec.attached).items():
        bytes_left -= _copy_attachment(path, scratch / "cell" / name, bytes_left)
    program = list(command)
    if spec.level == "restricted":
        readable = [*map(str, spec.list_sources()), *spec.list_system_paths()]
        program = seatbelt.build_argv(program, readable=readable, writable=[str(scratch)])
    environment = spec.build_environment(str(scratch))
    process = _spawn_process(program, pass_fds, environment, cwd=str(scratch / "cell"))
    return SandboxProcess(spec, process, -1, scratch=scratch, runner=process.pid)


def _spawn_process(
    program: Sequence[str],
    fds: Sequence[int],
    environment: Mapping[str, str] = _OUTER_ENVIRONMENT,
    cwd: str = "/",
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        program,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=environment,
        cwd=cwd,
        # Every other descriptor of this process is closed: history, sockets and logs stay here.
        pass_fds=tuple(fds),
        # Ctrl+C in this terminal is for the front end to handle. And without a controlling terminal
        # code can neither type into it (TIOCSTI) nor write escape sequences to /dev/tty.
        start_new_session=True,
    )


@contextmanager
def _snapshot_attachments(spec: SandboxSpec) -> Iterator[list[tuple[str, int]]]:
    """Yield the attached files by name, each with a descriptor of a copy of its content."""
    # Copies: a bind of the user's file would show later changes, and follow a replaced symlink.
    bytes_left = spec.limits.attached
    with ExitStack() as inherited_fds:
        found = []
        for name, path in attachments.map_names(spec.attached).items():
            copy = _create_memfd(inherited_fds, "attached")
            bytes_left -= _copy_attachment(path, copy, bytes_left)
            os.lseek(copy, 0, os.SEEK_SET)
            found.append((name, copy))
        yield found


def _copy_attachment(path: Path, target: Path | int, max_size: int) -> int:
    """Copy an attached file of at most `max_size` bytes; return its size."""
    file, size = attachments.open_attachment(path, max_size)
    try:
        if isinstance(target, int):
            attachments.copy_bytes(file, size, target)
        else:
            with target.open("xb") as copy:
                attachments.copy_bytes(file, size, copy.fileno())
            target.chmod(0o400)
    finally:
        os.close(file)
    return size


def _open_status_pipe(inherited_fds: ExitStack, on_failure: ExitStack) -> tuple[int, int]:
    """Return a pipe whose reading end is non-blocking and survives a successful start."""
    read, write = os.pipe()
    on_failure.callback(os.close, read)
    inherited_fds.callback(os.close, write)
    os.set_blocking(read, False)
    return read, write


def _create_memfd(inherited_fds: ExitStack, name: str, data: bytes = b"") -> int:
    """Return a descriptor of a file in memory that holds `data`, at its beginning."""
    file = os.memfd_create(name)
    inherited_fds.callback(os.close, file)
    _write_from_start(file, data)
    return file


def _write_from_start(file: int, data: bytes) -> None:
    os.write(file, data)
    # The offset is shared with the process that inherits the descriptor and reads on from there.
    os.lseek(file, 0, os.SEEK_SET)


def _build_drop_plan(spec: SandboxSpec) -> bytes:
    """Return the plan that `drop_privileges` reads, as JSON."""
    return json.dumps({"user": NOBODY, "private_folders": spec.find_private_folders()}).encode()


def _join_arguments(words: Sequence[str]) -> bytes:
    """Return arguments in the format of bubblewrap's `--args`: each ends with a NUL."""
    return b"".join(os.fsencode(word) + b"\0" for word in words)
