"""A small environment for tests: one package, from a wheel that is made here."""

from __future__ import annotations

import os
import sys
import zipfile
from pathlib import Path

import pytest

from starchat_tui.sandbox.environments import known
from starchat_tui.sandbox.environments.known import EnvironmentRecipe
from starchat_tui.sandbox.environments.store import EnvironmentStore

RECIPE = EnvironmentRecipe("current", "a test", (sys.version_info[:2],), 5)


def write_wheel(folder: Path) -> None:
    """Write a wheel with a module and a script."""
    record = "tiny-1.0.dist-info/"
    files = {
        "tiny.py": "def main(): print('tiny runs')\n",
        f"{record}METADATA": "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n",
        f"{record}WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{record}entry_points.txt": "[console_scripts]\ntiny = tiny:main\n",
    }
    with zipfile.ZipFile(folder / "tiny-1.0-py3-none-any.whl", "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
        wheel.writestr(f"{record}RECORD", "".join(f"{name},,\n" for name in [*files, "RECORD"]))


def create_store(folder: Path, monkeypatch: pytest.MonkeyPatch, pin: str) -> EnvironmentStore:
    """Return a store whose environment `current` has one package, installed with pip."""
    (folder / "locks").mkdir(exist_ok=True)
    (folder / "locks" / "current.txt").write_text(f"{pin}  # a test\n")
    monkeypatch.setattr(known, "_LOCKS", folder / "locks")
    write_wheel(folder)
    environ = {
        **{name: os.environ[name] for name in ("HOME", "LANG")},
        # Without uv, wherever it is: the tests are the same on every machine.
        **{"PATH": "/usr/bin:/bin", "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder)},
    }
    return EnvironmentStore(folder / "environments", environ)
