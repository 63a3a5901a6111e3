"""Actions after an import: in time, for every way to import, and invisible afterwards."""

from __future__ import annotations

import importlib
import importlib.resources
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from starchat_tui.sandbox.guest.import_hooks import ImportHooks


@pytest.fixture
def hooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ImportHooks]:
    (tmp_path / "watched").mkdir()
    (tmp_path / "watched" / "__init__.py").write_text("from watched.inner import value\n")
    (tmp_path / "watched" / "inner.py").write_text("value = 1\n")
    (tmp_path / "watched" / "text.txt").write_text("read")
    monkeypatch.syspath_prepend(str(tmp_path))
    one = ImportHooks()
    yield one
    for name in [name for name in sys.modules if name.startswith("watched")]:
        del sys.modules[name]


def test_an_action_runs_before_the_importer_goes_on(hooks: ImportHooks) -> None:
    hooks.add("watched.inner", lambda module: setattr(module, "value", 2))
    assert importlib.import_module("watched").value == 2


def test_a_module_that_is_there_is_changed_at_once(hooks: ImportHooks) -> None:
    module = importlib.import_module("watched")
    hooks.add("watched", lambda module: setattr(module, "value", 3))
    assert module.value == 3


def test_the_loader_is_the_original_one_afterwards(hooks: ImportHooks) -> None:
    seen: list[ModuleType] = []
    hooks.add("watched", seen.append)
    module = importlib.import_module("watched")
    assert seen == [module]
    assert module.__spec__ is not None
    assert type(module.__spec__.loader).__name__ == type(module.__loader__).__name__
    assert "SourceFileLoader" in type(module.__loader__).__name__
    assert importlib.resources.files("watched").joinpath("text.txt").read_text() == "read"


def test_a_missing_module_stays_missing(hooks: ImportHooks) -> None:
    hooks.add("watched_but_missing", lambda module: None)
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("watched_but_missing")


def test_a_module_of_an_unknown_shape_is_imported_all_the_same(hooks: ImportHooks) -> None:
    hooks.add("watched", lambda module: module.no_such_function())
    assert importlib.import_module("watched").value == 1
