"""Inspection of an environment: which Python it has, and which folders that needs.

Files are read and nothing is executed: outside the sandbox, a program of the user's environment
would run the code of every package in it, at least its `.pth` files. What the files say is not
trusted either: `pyvenv.cfg` and the links of a folder that came with a project decide which folders
the code may read, so a base interpreter must be an installation of Python.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from starchat_tui.config.paths import expand_user_path
from starchat_tui.errors import UsageError
from starchat_tui.sandbox.environments.interpreter import (
    Interpreter,
    drop_nested,
    is_in_system,
    select_installation_parts,
    select_prefix_parts,
)

OLDEST_PYTHON = (3, 11)
"""Oldest Python that can run the part of StarChat in the sandbox."""
_MAX_LINKS = 40
"""Links followed from one path, as the kernel does."""
_MAX_CONFIG = 64 * 1024


def inspect_environment(path: Path) -> Interpreter:
    """Return the interpreter of a virtual environment, or of another installation of Python.

    Raises `UsageError` if there is none, or one that cannot run the code.

    Args:
        path: A folder, or the Python in it.
    """
    named = Path(os.path.abspath(expand_user_path(path)))
    if not os.path.lexists(named):
        hint = f"create it with `python3 -m venv {path}`, or name another one with `--env`"
        raise UsageError(f"There is no environment `{path}`", hint)
    prefix = named if os.path.isdir(named) else named.parent.parent
    if os.path.isfile(prefix / "pyvenv.cfg"):
        found = _inspect_virtual_environment(prefix, str(path))
    else:
        found = _inspect_installation(prefix, named, str(path))
    if found.version < OLDEST_PYTHON:
        raise UsageError(
            f"`{path}` has Python {_dotted(found.version)}; running code needs"
            f" {_dotted(OLDEST_PYTHON)} or later",
            f"create it anew with a later Python, for instance `python3.11 -m venv {path}`",
        )
    return found


def _inspect_virtual_environment(prefix: Path, name: str) -> Interpreter:
    config = _read_config(prefix / "pyvenv.cfg", name)
    python = _find_python(prefix)
    version = _find_version(prefix, config)
    if python is None or version is None:
        raise UsageError(
            f"The environment `{name}` is damaged: it has no working `bin/python`",
            f"create it anew: `python3 -m venv --clear {name}`",
        )
    real = Path(os.path.realpath(python))
    folders = select_prefix_parts(prefix)
    libraries = _list_libraries(prefix, version)
    links: list[tuple[Path, Path]] = []
    base = find_installation(real, version)
    # A copy of the interpreter in the environment leaves only `pyvenv.cfg` to name the base.
    home = Path(config.get("home", ""))
    if base is None or real.is_relative_to(os.path.realpath(prefix)):
        base = find_installation(Path(os.path.realpath(home)) / "python", version)
    if base is None:
        raise UsageError(
            f"The Python that `{name}` was created with is missing: `{home}`",
            f"create it anew: `python3 -m venv --clear {name}`",
        )
    folders += select_installation_parts(base)
    for outside in (*_follow_links(python), home / real.name):
        links += _find_link(outside, base, (prefix, *folders), version)
    if config.get("include-system-site-packages", "").lower() == "true":
        libraries += _list_libraries(base, version)
    return Interpreter(
        python, tuple(drop_nested(folders)), tuple(dict(links).items()), version, libraries, name
    )


def _inspect_installation(prefix: Path, named: Path, name: str) -> Interpreter:
    """Inspect an environment that is an installation itself, as those of conda are."""
    version = _find_version(prefix, {})
    python = _find_python(prefix) if os.path.isdir(named) else named
    real = Path(os.path.realpath(python)) if python else None
    base = find_installation(real, version) if real and version else None
    if python is None or version is None or base is None:
        raise UsageError(
            f"`{name}` is not a Python environment: it has no `pyvenv.cfg`",
            f"create one with `python3 -m venv {name}`, or name another one with `--env`",
        )
    folders = select_installation_parts(base)
    links = [
        link
        for outside in (python, *_follow_links(python))
        for link in _find_link(outside, base, folders, version)
    ]
    libraries = _list_libraries(base, version)
    return Interpreter(python, tuple(folders), tuple(dict(links).items()), version, libraries, name)


def find_installation(python: Path, version: tuple[int, int]) -> Path | None:
    """Return the prefix of an installation of Python by its program; None if it is no such one.

    Its standard library must be there: else any folder could pass for one.
    """
    prefix = python.parent.parent
    library = prefix / "lib" / f"python{_dotted(version)}" / "os.py"
    inside = Path(os.path.realpath(library)).is_relative_to(os.path.realpath(prefix))
    is_one = python.parent.name == "bin" and os.path.isfile(library) and inside
    return Path(os.path.realpath(prefix)) if is_one else None


def _find_link(
    outside: Path, base: Path, visible: tuple[Path, ...] | list[Path], version: tuple[int, int]
) -> Iterator[tuple[Path, Path]]:
    """Yield the link that the sandbox needs for a path to the interpreter, at most one."""
    if is_in_system(outside) or any(outside.is_relative_to(one) for one in visible):
        return
    if not os.path.exists(outside):
        return
    if find_installation(outside, version) == base:
        # The folder has another name, as `versions/3.11` has in pyenv.
        yield outside.parent.parent, base
    else:
        yield outside, Path(os.path.realpath(outside))


def _follow_links(path: Path) -> Iterator[Path]:
    """Yield the targets of a link one by one, as they are written."""
    for _ in range(_MAX_LINKS):
        if not os.path.islink(path):
            return
        path = Path(os.path.abspath(path.parent / os.readlink(path)))
        yield path


def _find_python(prefix: Path) -> Path | None:
    """Return the interpreter in a prefix that can be executed."""
    candidates = (prefix / "bin" / name for name in ("python", "python3"))
    return next((one for one in candidates if os.access(one, os.X_OK)), None)


def _find_version(prefix: Path, config: Mapping[str, str]) -> tuple[int, int] | None:
    """Return the version of Python, by `pyvenv.cfg` or by the folder of its libraries."""
    written = config.get("version") or config.get("version_info") or ""
    if match := re.match(r"(\d+)\.(\d+)", written):
        return int(match[1]), int(match[2])
    found = [
        (int(match[1]), int(match[2]))
        for folder in (prefix / "lib").glob("python*.*")
        if (match := re.fullmatch(r"python(\d+)\.(\d+)", folder.name))
    ]
    return max(found, default=None)


def _list_libraries(prefix: Path, version: tuple[int, int]) -> tuple[Path, ...]:
    """Return the folders of packages in a prefix."""
    number = _dotted(version)
    names = [f"{lib}/python{number}/site-packages" for lib in ("lib", "lib64")]
    if prefix == Path("/usr"):
        # Debian's own layout.
        names += ["lib/python3/dist-packages", f"local/lib/python{number}/dist-packages"]
    return tuple(prefix / name for name in names if os.path.isdir(prefix / name))


def _read_config(path: Path, name: str) -> dict[str, str]:
    """Return the keys of a `pyvenv.cfg`."""
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_CONFIG).decode("utf-8", "replace")
    except OSError as error:
        raise UsageError(
            f"The environment `{name}` cannot be read ({error.strerror})",
            "name another one with `--env`",
        ) from error
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {key.strip().lower(): value.strip() for key, _, value in pairs}


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"
