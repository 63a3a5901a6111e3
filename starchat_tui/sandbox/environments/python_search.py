"""Search for the Python that a new environment is created with."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from starchat_tui.errors import Unavailable
from starchat_tui.sandbox.environments.known import EnvironmentRecipe, PythonVersion

_TIMEOUT = 20.0
"""Seconds that a Python may take to say what it is."""
# The base, not the virtual environment it may belong to: that one may be removed.
_PROGRAM = "import json, sys; print(json.dumps([sys._base_executable, sys.version_info[:2]]))"


@dataclass(frozen=True, slots=True)
class FoundPython:
    """A Python on this machine."""

    path: Path
    version: PythonVersion


def find_python(recipe: EnvironmentRecipe, environ: Mapping[str, str]) -> FoundPython:
    """Return the best Python for an environment; raise `Unavailable` if there is none."""
    for version in _order_versions(recipe):
        for candidate in _list_candidates(version, environ):
            found = _inspect_python(candidate)
            if found is not None and found.version == version:
                return found
    wanted = ", ".join(f"{major}.{minor}" for major, minor in recipe.pythons)
    first = f"{recipe.pythons[0][0]}.{recipe.pythons[0][1]}"
    raise Unavailable(
        f"The environment {recipe.name} needs Python {wanted}, and none of them was found",
        f"install one, for instance `uv python install {first}` or `sudo apt install python{first}"
        f" python{first}-venv`, and try again",
    )


def _order_versions(recipe: EnvironmentRecipe) -> Sequence[PythonVersion]:
    """Return the versions in the order in which they are tried.

    Where all are equally good, the one that runs StarChat is there for certain.
    """
    own = sys.version_info[:2]
    if recipe.name == "2023" or own not in recipe.pythons:
        return recipe.pythons
    return (own, *(version for version in recipe.pythons if version != own))


def _list_candidates(version: PythonVersion, environ: Mapping[str, str]) -> Iterator[str]:
    """Yield programs that may be this version of Python."""
    if sys.version_info[:2] == version:
        yield sys.executable
    name = f"python{version[0]}.{version[1]}"
    if found := shutil.which(name, path=environ.get("PATH")):
        yield found
    if found := find_with_uv(version, environ):
        yield found
    for folder in ("/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"):
        if os.access(f"{folder}/{name}", os.X_OK):
            yield f"{folder}/{name}"


def find_with_uv(version: PythonVersion, environ: Mapping[str, str]) -> str:
    """Return the Python of this version that uv knows; empty if there is none, or no uv."""
    uv = shutil.which("uv", path=environ.get("PATH"))
    if uv is None:
        return ""
    wanted = f"{version[0]}.{version[1]}"
    # Nothing is downloaded: the user has not been asked for another interpreter.
    command = [uv, "python", "find", "--system", "--no-python-downloads", wanted]
    return _run_for_line(command, environ)


def _inspect_python(path: str) -> FoundPython | None:
    """Return the Python that a program is, with its version; None if it is none."""
    # -S: without the packages of an environment it may belong to, which could run code.
    answer = _run_for_line([path, "-I", "-S", "-c", _PROGRAM], None)
    try:
        base, (major, minor) = json.loads(answer)
        return FoundPython(Path(os.path.realpath(base)), (major, minor))
    except (ValueError, TypeError):
        return None


def _run_for_line(command: Sequence[str], environ: Mapping[str, str] | None) -> str:
    """Return the last line that a command prints; empty if it fails."""
    try:
        ran = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT,
            check=False,
            env=None if environ is None else dict(environ),
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    lines = ran.stdout.split("\n")
    return next((line for line in reversed(lines) if line), "") if not ran.returncode else ""
