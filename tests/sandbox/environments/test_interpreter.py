"""Interpreter of an environment: the folders that the code may see, and nothing beside them."""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path

import pytest

from starchat_tui.sandbox.environments.interpreter import find_own_interpreter


def test_the_interpreter_and_its_libraries_are_visible() -> None:
    found = find_own_interpreter().folders
    for needed in map(Path, (sys.executable, sysconfig.get_path("purelib"), os.__file__)):
        assert needed.is_relative_to("/usr") or any(needed.is_relative_to(one) for one in found)
    assert all(path.is_absolute() and path.exists() for path in found)


def test_an_environment_in_the_home_folder_does_not_expose_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "bin").mkdir()
    (tmp_path / ".ssh").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    found = find_own_interpreter().folders
    assert tmp_path / "lib" in found
    assert tmp_path / "bin" in found
    assert not any((tmp_path / ".ssh").is_relative_to(path) for path in found)


def test_an_environment_in_a_project_does_not_expose_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("lib", "bin"):
        (tmp_path / name).mkdir()
    (tmp_path / "pyvenv.cfg").touch()
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert tmp_path in find_own_interpreter().folders
    (tmp_path / ".env").touch()
    found = find_own_interpreter().folders
    assert {tmp_path / "lib", tmp_path / "bin", tmp_path / "pyvenv.cfg"} <= set(found)
    assert not any((tmp_path / ".env").is_relative_to(path) for path in found)
