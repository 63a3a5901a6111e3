"""Interpreter of an environment, and the folders that it needs in the sandbox."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

SYSTEM_FOLDERS = tuple(map(Path, ("/usr", "/bin", "/lib", "/lib64", "/nix/store", "/gnu/store")))
"""Folders of the system that the code sees in any case."""
_PREFIX_PARTS = ("bin", "lib", "lib64", "include", "share/proj", "pyvenv.cfg")
"""Parts of a prefix that are visible if it also holds files of the user's."""
_INSTALLATION_PARTS = ("bin", "lib", "lib64", "include", "share", "libexec", "ssl")
"""Parts of an installation of Python; conda's `etc` and `pkgs` may hold tokens of channels."""
_ENVIRONMENT_ENTRIES = {
    *("bin", "lib", "lib64", "include", "share", "etc", "man", "pyvenv.cfg"),
    *(".gitignore", "CACHEDIR.TAG", ".lock", "environment.json"),
}
"""Entries of a virtual environment that holds nothing else."""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python that runs in the sandbox, under the same path as outside."""

    python: Path
    """Program; it may be a symbolic link."""
    folders: tuple[Path, ...] = ()
    """Files and folders outside `SYSTEM_FOLDERS` that it needs, and that the code may read."""
    links: tuple[tuple[Path, Path], ...] = ()
    """Symbolic links outside these folders that lead to the interpreter, with their targets."""
    version: tuple[int, int] = sys.version_info[:2]
    libraries: tuple[Path, ...] = ()
    """Folders of packages, such as `site-packages`."""
    name: str = ""
    """Name of the environment, or its path, for the user."""

    def has_module(self, name: str) -> bool:
        """Return whether a top-level module lies in the libraries; nothing is imported."""
        candidates = ((folder / name, folder / f"{name}.py") for folder in self.libraries)
        return any(one.is_dir() or two.is_file() for one, two in candidates)


def find_own_interpreter() -> Interpreter:
    """Return the interpreter that runs StarChat, with the folders that it needs."""
    prefixes = dict.fromkeys((Path(sys.prefix), Path(sys.base_prefix)))
    folders = [part for prefix in prefixes for part in select_prefix_parts(prefix)]
    return Interpreter(Path(sys.executable), tuple(drop_nested(folders)))


def select_prefix_parts(prefix: Path) -> list[Path]:
    """Return the folders of a prefix that the code may see, none for one of the system.

    Of a prefix that holds other files too, such as a virtual environment in a home folder or in a
    project's, these are only the interpreter's parts.
    """
    if is_in_system(prefix):
        return []
    if not _has_foreign_entries(prefix):
        return [prefix]
    return _select_own_parts(prefix, _PREFIX_PARTS)


def select_installation_parts(prefix: Path) -> list[Path]:
    """Return the folders of an installation of Python that the code may see."""
    return [] if is_in_system(prefix) else _select_own_parts(prefix, _INSTALLATION_PARTS)


def _select_own_parts(prefix: Path, names: Iterable[str]) -> list[Path]:
    """Return the existing parts of a prefix that really lie in it.

    A part that is a link to another place, such as a home folder, would show that place.
    """
    real = os.path.realpath(prefix)
    return [
        prefix / name
        for name in names
        if (prefix / name).exists()
        and Path(os.path.realpath(prefix / name)).is_relative_to(real)
        and os.path.realpath(prefix / name) != real
    ]


def is_in_system(path: Path) -> bool:
    """Return whether a path lies in a folder of the system that the code sees in any case."""
    return any(path.is_relative_to(folder) for folder in SYSTEM_FOLDERS)


def _has_foreign_entries(prefix: Path) -> bool:
    """Return whether a prefix also holds files of the user's."""
    home = Path("~").expanduser()
    if home.is_relative_to(prefix) or home.resolve().is_relative_to(prefix.resolve()):
        return True
    # An interpreter's own prefix has folders of all kinds. Only a virtual environment is created
    # in places where other files are.
    made = (prefix / "pyvenv.cfg").exists()
    return made and any(path.name not in _ENVIRONMENT_ENTRIES for path in prefix.iterdir())


def drop_nested(paths: Sequence[Path]) -> list[Path]:
    """Return the paths that are not below another one of them, each once."""
    unique = list(dict.fromkeys(paths))
    return [p for p in unique if not any(p != q and p.is_relative_to(q) for q in unique)]
