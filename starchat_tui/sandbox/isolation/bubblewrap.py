"""The walls as data: which command line holds which code, and what it can see.

Covered: no network, no file of the user's but those attached, no process but its own, no
environment, no capability, nothing it can write but sized memory. Not covered: a defect of the
kernel, which is shared; the time and the memory a run takes, which the kernel's host bounds.

    isolated     bubblewrap: own namespaces, and the system call filter
    restricted   Landlock or Apple's sandbox, and the filter; the process numbers are the user's
    unsafe       no wall, because the user said so
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from starchat_tui.sandbox.isolation import drop_privileges
from starchat_tui.sandbox.limits import Limits
from starchat_tui.sandbox.outputs import Level

NOBODY = 65534
"""The user whom root hands the code to: the number of processes is not bounded for root."""
INSIDE = 1000
"""The user and the group the code believes it is."""
FOLDER = "/cell"
"""The folder of the code, where attached files lie too."""
BWRAP = tuple(
    Path(folder) / "bwrap"
    for folder in ("/usr/bin", "/bin", "/usr/local/bin", "/run/current-system/sw/bin")
)
"""Where bubblewrap may lie: never the working directory. Ubuntu's profile names the first."""
_SYSTEM_LINKS = ("bin", "sbin", "lib", "lib64", "lib32", "libx32")
_SYSTEM = (
    *("/etc/ld.so.cache", "/etc/fonts", "/etc/localtime", "/etc/alternatives"),
    *("/nix/store", "/gnu/store"),
)
"""What programs in /usr lean on, where it exists; it says nothing about the user."""
_PARTS = ("bin", "lib", "lib64", "include", "share/proj", "pyvenv.cfg")
"""What of a prefix is seen that is the user's folder too."""
_ENVIRONMENT = {
    *("bin", "lib", "lib64", "include", "share", "etc", "man", "pyvenv.cfg"),
    *(".gitignore", "CACHEDIR.TAG", ".lock"),
}
"""What a virtual environment holds."""


@dataclass(frozen=True, slots=True)
class Jail:
    """A wall of a level, and what lies behind it."""

    level: Level
    bwrap: Path = BWRAP[0]
    drop: bool = False
    """Whether root hands the code to `NOBODY`."""
    limits: Limits = field(default_factory=Limits)
    mounts: tuple[tuple[Path, str], ...] = ()
    """Files and folders of ours, and where the code finds them, read-only."""
    attached: tuple[Path, ...] = ()
    """The user's files, copied to `FOLDER` by their names, read-only."""
    python: Path = field(default_factory=lambda: Path(sys.executable))
    """The interpreter; it has the same path inside."""
    prefixes: tuple[Path, ...] = field(default_factory=lambda: prefixes())
    """The folders of the interpreter and its libraries; they have the same paths inside."""

    def argv(self, command: Sequence[str], fds: Fds) -> list[str]:
        """The command line that runs `command` behind bubblewrap.

        Next to nothing of it can be read from a process list, or from inside: the rest is in
        `arguments`, which is handed over by `fds.arguments`.
        """
        inner = [str(self.bwrap), "--args", str(fds.arguments), "--", *command]
        if not self.drop:
            return inner
        return [str(self.python), "-I", "-S", drop_privileges.__file__, str(fds.covers), *inner]

    def arguments(self, fds: Fds) -> list[str]:
        """The flags of bubblewrap, in their order: what is mounted later lies over the earlier."""
        return [
            *_NAMESPACES,
            *("--ro-bind", "/usr", "/usr"),
            *_system_links(),
            *(word for path in _SYSTEM if os.path.exists(path) for word in _seen(path)),
            *("--dir", "/proc", "--dev", "/dev"),
            # It gives zeros too, and cannot be mapped: shared memory of no file is not counted.
            *("--dev-bind", "/dev/full", "/dev/zero"),
            *self._tmpfs(),
            *(word for path in self.prefixes for word in _seen(str(path))),
            *(word for path, seen in self.mounts for word in ("--ro-bind", str(path), seen)),
            *(word for name, fd in fds.attached for word in _copied(name, fd)),
            *(word for item in self.environment().items() for word in ("--setenv", *item)),
            *("--json-status-fd", str(fds.status), "--seccomp", str(fds.filter)),
            # Last: nothing can be mounted below afterwards. These two have no size of their own.
            *("--remount-ro", "/dev", "--remount-ro", "/"),
        ]

    def covers(self) -> Mapping[str, Sequence[str]]:
        """Folders that only root may enter, and what in them nobody has to read all the same.

        Such as /root, where root's interpreter lies in it: see `become`.
        """
        found: dict[str, list[str]] = {}
        for source in _outermost(self.sources()):
            if closed := _closed(source):
                found.setdefault(str(closed), []).append(str(source))
        return found

    def environment(self, root: str = "") -> Mapping[str, str]:
        """All that the code finds in its environment; `root` stands before every folder."""
        return {
            "PATH": f"{self.python.parent}:/usr/local/bin:/usr/bin:/bin",
            "HOME": f"{root}/home",
            "USER": "user",
            "LANG": "C.UTF-8",
            "TERM": "dumb",
            "TMPDIR": f"{root}/tmp",
            "MPLBACKEND": "agg",
            "MPLCONFIGDIR": f"{root}/tmp/matplotlib",
            "IPYTHONDIR": f"{root}/tmp/ipython",
            # More threads than one would count against the number of processes.
            **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def resources(self) -> Mapping[str, int]:
        """The limits of a single process, by the names of the `resource` module.

        The number of processes is counted by user: without a namespace, with those the user has
        already.
        """
        found = dict(self.limits.resources())
        if self.level != "isolated" and not self.drop:
            found["RLIMIT_NPROC"] += _tasks(os.getuid())
        return found

    def sources(self) -> list[Path]:
        """What of the interpreter and of ours the code sees, as this machine calls it."""
        return [*self.prefixes, *(path for path, _ in self.mounts)]

    def system(self) -> list[str]:
        """What of the system the code sees."""
        names = (f"/{name}" for name in _SYSTEM_LINKS)
        return [path for path in ("/usr", *names, *_SYSTEM) if os.path.exists(path)]

    def at(self, seen: str) -> str:
        """Where the code finds what is mounted at `seen`; without namespaces, where it lies."""
        if self.level == "isolated":
            return seen
        return next((str(path) for path, inside in self.mounts if inside == seen), seen)

    def _tmpfs(self) -> list[str]:
        limits = self.limits
        sizes = {
            "/tmp": limits.temporary,
            "/dev/shm": limits.shared,
            "/home": limits.shared,
            FOLDER: limits.folder,
        }
        flags = [
            word for path, size in sizes.items() for word in ("--size", str(size), "--tmpfs", path)
        ]
        return [*flags, "--chdir", FOLDER]


@dataclass(frozen=True, slots=True)
class Fds:
    """The descriptors bubblewrap is handed, by what they hold."""

    arguments: int
    status: int
    filter: int
    covers: int = -1
    attached: tuple[tuple[str, int], ...] = ()


_NAMESPACES = (
    *("--unshare-all", "--unshare-user", "--disable-userns"),
    *("--uid", str(INSIDE), "--gid", str(INSIDE), "--cap-drop", "ALL"),
    *("--die-with-parent", "--new-session", "--clearenv", "--hostname", "sandbox"),
)


def find_bwrap(candidates: Iterable[Path] = BWRAP) -> Path | None:
    """The bubblewrap of the system."""
    return next((path for path in candidates if os.access(path, os.X_OK)), None)


def prefixes() -> tuple[Path, ...]:
    """The folders of this interpreter and its libraries that lie outside /usr.

    A prefix that holds more than they (a virtual environment made in a home folder, or in that of
    a project) is seen in parts.
    """
    found: list[Path] = []
    for prefix in dict.fromkeys((Path(sys.prefix), Path(sys.base_prefix), *_library_folders())):
        if not prefix.is_relative_to("/usr"):
            found += [prefix / part for part in _PARTS] if _holds_more(prefix) else [prefix]
    return tuple(_outermost([path for path in found if path.exists()]))


def _holds_more(prefix: Path) -> bool:
    """Whether a prefix is the user's folder too, and not the libraries' alone."""
    if Path("~").expanduser().is_relative_to(prefix):
        return True
    # An interpreter's own prefix holds what it likes; only an environment is made anywhere.
    made = (prefix / "pyvenv.cfg").exists()
    return made and any(path.name not in _ENVIRONMENT for path in prefix.iterdir())


def _outermost(paths: Sequence[Path]) -> list[Path]:
    """The paths that lie below no other of them."""
    return [p for p in paths if not any(p != q and p.is_relative_to(q) for q in paths)]


def _library_folders() -> list[Path]:
    """Where packages are found besides the prefixes, such as a user's own site-packages."""
    names = ("site-packages", "dist-packages")
    return [Path(entry) for entry in sys.path if Path(entry).name in names]


def machine() -> str:
    """This machine, as the system call filter calls it."""
    return {"arm64": "aarch64", "amd64": "x86_64"}.get(platform.machine(), platform.machine())


def _seen(path: str) -> list[str]:
    return ["--ro-bind", path, path]


def _copied(name: str, fd: int) -> list[str]:
    return ["--perms", "0444", "--ro-bind-data", str(fd), f"{FOLDER}/{name}"]


def _system_links() -> list[str]:
    """/bin, /lib and their like as the host has them: links into /usr, or folders."""
    found: list[str] = []
    for name in _SYSTEM_LINKS:
        path = Path("/") / name
        if path.is_symlink():
            found += ["--symlink", os.readlink(path), str(path)]
        elif path.is_dir():
            found += _seen(str(path))
    return found


def _tasks(user: int) -> int:
    """How many processes and threads a user has; 0 where the system does not say."""
    count = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if folder.stat().st_uid == user:
                count += sum(1 for _ in (folder / "task").iterdir())
    return count


def open_to_all(path: Path) -> bool:
    """Whether everybody may come as far as `path`."""
    return _closed(path) is None


def _closed(path: Path) -> Path | None:
    """The first folder on the way to `path` that not everybody may enter."""
    for folder in reversed(path.parents):
        if not folder.stat().st_mode & 0o001:
            return folder
    return None
