"""Sandboxes as data: which command line confines some code, and what the code can see.

Covered: no network, none of the user's files but the attached ones, no process but its own, no
environment, no capability, nothing writable but memory of a fixed size. Not covered: a defect of
the kernel, which is shared; the time and the memory a run takes, which the host limits. Source of
the flags: bwrap(1), 0.8.0.

    isolated     bubblewrap: own namespaces, and the system call filter
    restricted   Landlock or Apple's sandbox, and the filter; the process numbers are the user's
    unsafe       no sandbox, because the user said so
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from starchat_tui.sandbox.environments.interpreter import (
    Interpreter,
    drop_nested,
    find_own_interpreter,
)
from starchat_tui.sandbox.isolation import drop_privileges
from starchat_tui.sandbox.limits import Limits
from starchat_tui.sandbox.outputs import IsolationLevel

NOBODY = 65534
"""User that runs the code if the host is root: RLIMIT_NPROC does not apply to root."""
SANDBOX_UID = 1000
"""User and group of the code as it sees itself."""
CELL_FOLDER = "/cell"
"""Working directory of the code, which also holds the attached files."""
BWRAP = tuple(
    Path(folder) / "bwrap"
    for folder in ("/usr/bin", "/bin", "/usr/local/bin", "/run/current-system/sw/bin")
)
"""Paths of bubblewrap. Not looked up in PATH, which may name the working directory.

Ubuntu's AppArmor profile allows user namespaces for the first one only."""
_SYSTEM_LINKS = ("bin", "sbin", "lib", "lib64", "lib32", "libx32")
_SYSTEM_PATHS = (
    *("/etc/ld.so.cache", "/etc/fonts", "/etc/localtime", "/etc/alternatives"),
    *("/nix/store", "/gnu/store"),
)
"""Paths that programs in /usr need, if they exist; they say nothing about the user."""


@dataclass(frozen=True, slots=True)
class SandboxSpec:
    """Sandbox of one level: what the code sees, and what it may use."""

    level: IsolationLevel
    bwrap: Path = BWRAP[0]
    drop_to_nobody: bool = False
    """True if the host is root and runs the code as `NOBODY`."""
    limits: Limits = field(default_factory=Limits)
    mounts: tuple[tuple[Path, str], ...] = ()
    """Files and folders of StarChat with their paths in the sandbox; read-only."""
    attached: tuple[Path, ...] = ()
    """The user's files, copied to `CELL_FOLDER` under their own names; read-only."""
    interpreter: Interpreter = field(default_factory=find_own_interpreter)
    """Python that runs the code, and the folders that it needs."""

    def build_argv(self, command: Sequence[str], fds: BwrapFds) -> list[str]:
        """Return the command line that runs `command` in bubblewrap.

        The flags are not in it: bubblewrap reads them from `fds.arguments`. A command line can be
        read by every user of the machine, and by the code itself, and would show host paths.
        """
        inner = [str(self.bwrap), "--args", str(fds.arguments), "--", *command]
        if not self.drop_to_nobody:
            return inner
        # Our own interpreter: that of the user's environment would run as root, outside.
        own = [sys.executable, "-I", "-S", drop_privileges.__file__]
        return [*own, str(fds.private_folders), *inner]

    def build_bwrap_flags(self, fds: BwrapFds) -> list[str]:
        """Return the flags of bubblewrap; a later mount covers an earlier one."""
        return [
            *_NAMESPACES,
            *("--ro-bind", "/usr", "/usr"),
            *_system_link_flags(),
            *(word for path in _SYSTEM_PATHS if os.path.exists(path) for word in _bind_flags(path)),
            # No procfs: /proc/1/environ and cmdline would show the host's environment and paths.
            # The empty folder is for programs that expect one.
            *("--dir", "/proc", "--dev", "/dev"),
            # Reads as zeros like the real one, but cannot be mapped: a shared mapping of /dev/zero
            # is memory of no file and no process, which no limit counts.
            *("--dev-bind", "/dev/full", "/dev/zero"),
            # No terminals, which the machine has 4,096 of: `/dev/ptmx` is a link into here.
            *("--tmpfs", "/dev/pts", "--remount-ro", "/dev/pts"),
            # Before the binds: a library below /home or /tmp must lie over the empty folder.
            *self._tmpfs_flags(),
            *(word for path in self.interpreter.folders for word in _bind_flags(str(path))),
            *(
                word
                for path, target in self.interpreter.links
                for word in ("--symlink", str(target), str(path))
            ),
            *(word for path, inside in self.mounts for word in ("--ro-bind", str(path), inside)),
            *(word for name, fd in fds.attached for word in _data_flags(name, fd)),
            *(word for item in self.build_environment().items() for word in ("--setenv", *item)),
            *("--json-status-fd", str(fds.status), "--seccomp", str(fds.filter)),
            # Last, as bubblewrap could create no mount point below afterwards. These two tmpfs have
            # no size of their own: writable, they would take all memory of the host.
            *("--remount-ro", "/dev", "--remount-ro", "/"),
        ]

    def find_private_folders(self) -> Mapping[str, Sequence[str]]:
        """Return folders that only root may enter, each with the paths below that `NOBODY` needs.

        For instance /root, if root's interpreter is installed there; see `drop_privileges`.
        """
        found: dict[str, list[str]] = {}
        for source in drop_nested(self.list_sources()):
            if private := find_private_parent(source):
                found.setdefault(str(private), []).append(str(source))
        return found

    def build_environment(self, root: str = "") -> Mapping[str, str]:
        """Return the whole environment of the code; `root` is put before every folder."""
        return {
            "PATH": f"{self.interpreter.python.parent}:/usr/local/bin:/usr/bin:/bin",
            "HOME": f"{root}/home",
            "USER": "user",
            "LANG": "C.UTF-8",
            "TERM": "dumb",
            "TMPDIR": f"{root}/tmp",
            "MPLBACKEND": "agg",
            "MPLCONFIGDIR": f"{root}/tmp/matplotlib",
            "IPYTHONDIR": f"{root}/tmp/ipython",
            # Threads count as processes: one pool per library and core would use up the limit.
            **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
            "PYTHONDONTWRITEBYTECODE": "1",
            # Without a network: else each package is tried for ten seconds.
            **{"PIP_NO_INDEX": "1", "PIP_RETRIES": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
            **{"UV_OFFLINE": "1", "CONDA_OFFLINE": "true"},
        }

    def build_rlimits(self) -> Mapping[str, int]:
        """Return the limits of a single process, by the names of the `resource` module."""
        found = dict(self.limits.process_rlimits())
        if self.level != "isolated" and not self.drop_to_nobody:
            # The kernel counts by user: without a user namespace of its own, the code is counted
            # together with the user's other processes.
            found["RLIMIT_NPROC"] += _count_tasks(os.getuid())
        return found

    def list_sources(self) -> list[Path]:
        """Return the host paths of the interpreter and of StarChat's files that the code sees."""
        return [*self.interpreter.folders, *(path for path, _ in self.mounts)]

    def list_system_paths(self) -> list[str]:
        """Return the paths of the system that the code sees."""
        names = (f"/{name}" for name in _SYSTEM_LINKS)
        return [path for path in ("/usr", *names, *_SYSTEM_PATHS) if os.path.exists(path)]

    def resolve_path(self, mount_point: str) -> str:
        """Return the path under which the code finds a mount; without namespaces, the host's."""
        if self.level == "isolated":
            return mount_point
        found = (str(path) for path, inside in self.mounts if inside == mount_point)
        return next(found, mount_point)

    def _tmpfs_flags(self) -> list[str]:
        limits = self.limits
        # Every writable folder has a size: an unsized tmpfs may take half of the host's memory.
        sizes = {
            "/tmp": limits.temporary,
            "/dev/shm": limits.shared,
            "/home": limits.shared,
            CELL_FOLDER: limits.folder,
        }
        flags = [
            word for path, size in sizes.items() for word in ("--size", str(size), "--tmpfs", path)
        ]
        return [*flags, "--chdir", CELL_FOLDER]


@dataclass(frozen=True, slots=True)
class BwrapFds:
    """Descriptors that bubblewrap inherits, by what they hold."""

    arguments: int
    status: int
    filter: int
    private_folders: int = -1
    attached: tuple[tuple[str, int], ...] = ()


_NAMESPACES = (
    # --unshare-all only tries a user namespace (as root it goes without one, and root's
    # capabilities would be those of the host); --unshare-user demands it. --disable-userns keeps
    # code from nesting another one, in which it would have all capabilities again.
    *("--unshare-all", "--unshare-user", "--disable-userns"),
    *("--uid", str(SANDBOX_UID), "--gid", str(SANDBOX_UID), "--cap-drop", "ALL"),
    # --die-with-parent: a kernel must not outlive a host that is killed. --new-session: with the
    # host's terminal, code pushed input into it with TIOCSTI, or wrote escape sequences to it.
    *("--die-with-parent", "--new-session", "--clearenv", "--hostname", "sandbox"),
)


def find_bwrap(candidates: Iterable[Path] = BWRAP) -> Path | None:
    """Return the first executable bubblewrap; None if there is none."""
    return next((path for path in candidates if os.access(path, os.X_OK)), None)


def get_machine() -> str:
    """Return this machine's architecture as `seccomp.ARCHITECTURES` names it."""
    return {"arm64": "aarch64", "amd64": "x86_64"}.get(platform.machine(), platform.machine())


def _bind_flags(path: str) -> list[str]:
    return ["--ro-bind", path, path]


def _data_flags(name: str, fd: int) -> list[str]:
    return ["--perms", "0444", "--ro-bind-data", str(fd), f"{CELL_FOLDER}/{name}"]


def _system_link_flags() -> list[str]:
    """Return the flags for /bin, /lib and so on, which may be links into /usr or folders."""
    found: list[str] = []
    for name in _SYSTEM_LINKS:
        path = Path("/") / name
        if path.is_symlink():
            found += ["--symlink", os.readlink(path), str(path)]
        elif path.is_dir():
            found += _bind_flags(str(path))
    return found


def _count_tasks(user: int) -> int:
    """Return how many processes and threads a user has; 0 if /proc does not show it."""
    count = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if folder.stat().st_uid == user:
                count += sum(1 for _ in (folder / "task").iterdir())
    return count


def is_world_accessible(path: Path) -> bool:
    """Return whether every user can reach `path`."""
    return find_private_parent(path) is None


def find_private_parent(path: Path) -> Path | None:
    """Return the first folder above `path` that not every user may enter; None if there is none."""
    for folder in reversed(path.parents):
        if not folder.stat().st_mode & 0o001:
            return folder
    return None
