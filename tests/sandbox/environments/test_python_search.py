"""Search for a Python: the best version first, and only real ones."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from starchat_tui.errors import Unavailable
from starchat_tui.sandbox.environments import python_search
from starchat_tui.sandbox.environments.known import EnvironmentRecipe
from starchat_tui.sandbox.environments.python_search import find_python

OWN = sys.version_info[:2]


def test_the_python_that_runs_starchat_is_found() -> None:
    recipe = EnvironmentRecipe("current", "", (OWN, (3, 99)), 1)
    found = find_python(recipe, {"PATH": "/nowhere"})
    assert found.version == OWN
    # Not the virtual environment of the tests but its base, which stays.
    assert str(found.path).startswith(os.path.realpath(sys.base_prefix))


def test_a_program_that_is_another_python_is_passed_over(tmp_path: Path) -> None:
    """A shim may answer to any name."""
    for name, script in {
        "python3.98": "echo nonsense",
        "python3.97": "exit 1",
        "python3.96": f'exec {sys.executable} "$@"',
    }.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    recipe = EnvironmentRecipe("2023", "", ((3, 98), (3, 97), (3, 96)), 1)
    with pytest.raises(Unavailable, match=r"needs Python 3\.98, 3\.97, 3\.96") as told:
        find_python(recipe, {"PATH": str(tmp_path)})
    assert "uv python install 3.98" in told.value.hint
    nearest = EnvironmentRecipe("2023", "", ((3, 98), OWN), 1)
    assert find_python(nearest, {"PATH": str(tmp_path)}).version == OWN


def test_uv_is_asked_without_a_download(tmp_path: Path) -> None:
    uv = tmp_path / "uv"
    uv.write_text('#!/bin/sh\necho "$*" >"$0.asked"\necho /found/python\n')
    uv.chmod(0o755)
    environ = {"PATH": f"{tmp_path}:/bin:/usr/bin"}
    assert python_search.find_with_uv((3, 11), environ) == "/found/python"
    assert "--no-python-downloads" in (tmp_path / "uv.asked").read_text()
    assert python_search.find_with_uv((3, 11), {"PATH": "/nowhere"}) == ""
