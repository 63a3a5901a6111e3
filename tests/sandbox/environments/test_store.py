"""Environments on the disk: complete or not there, whatever happens on the way."""

from __future__ import annotations

import subprocess
import sys
import threading
import venv
from pathlib import Path

import pytest

from starchat_tui.errors import Interrupted, Unavailable, UsageError
from starchat_tui.sandbox.environments.inspection import inspect_environment
from starchat_tui.sandbox.environments.store import EnvironmentStore, require_ipython
from tests.sandbox.environments.tiny_environment import RECIPE, create_store

Texts = list[str]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EnvironmentStore:
    return create_store(tmp_path, monkeypatch, "tiny==1.0")


def leave_nothing(store: EnvironmentStore) -> bool:
    """Whether nothing that counts as an environment, and no part of one, is there."""
    names = {path.name for path in store.root.iterdir()}
    return store.find_installed(RECIPE) is None and names <= {".current.lock", "current.log"}


def test_an_environment_is_created_once_and_removed(store: EnvironmentStore) -> None:
    said: Texts = []
    assert store.find_interpreter("current") is None
    created = store.create(RECIPE, said.append)
    assert said[0] == "creating the virtual environment"
    assert (created.folder, created.is_outdated) == (store.root / "current", False)
    assert created.size > 100_000
    # Its scripts name its own Python, not that of the folder it was made in.
    ran = subprocess.run([created.folder / "bin" / "tiny"], capture_output=True, text=True)
    assert ran.stdout == "tiny runs\n", ran.stderr
    found = store.find_interpreter("current")
    assert found is not None
    assert (found.name, found.has_module("tiny")) == ("current", True)
    said.clear()
    assert store.create(RECIPE, said.append) == created
    assert said == []
    assert store.remove("current") == created.folder
    assert leave_nothing(store)


def test_new_pins_replace_an_environment(
    store: EnvironmentStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.create(RECIPE, lambda _: None)
    create_store(tmp_path, monkeypatch, "tiny==1.0 ")
    installed = store.find_installed(RECIPE)
    assert installed is not None
    assert installed.is_outdated
    assert not store.create(RECIPE, lambda _: None).is_outdated


def test_a_cancelled_creation_leaves_nothing(store: EnvironmentStore) -> None:
    cancelled = threading.Event()
    with pytest.raises(Interrupted):
        store.create(RECIPE, lambda _: cancelled.set(), cancelled.is_set)
    assert leave_nothing(store)


def test_a_killed_creation_leaves_nothing_that_counts(store: EnvironmentStore) -> None:
    """The next one starts afresh."""
    half = store.root / ".creating-current"
    (half / "bin").mkdir(parents=True)
    (store.root / "current").mkdir()
    assert store.find_interpreter("current") is None
    (store.root / "current").rmdir()
    store.create(RECIPE, lambda _: None)
    assert not half.exists()


def test_a_package_that_is_not_there_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = create_store(tmp_path, monkeypatch, "absent==9.9")
    with pytest.raises(Unavailable, match="could not be created: the package index has no") as told:
        store.create(RECIPE, lambda _: None)
    log = store.root / "current.log"
    assert str(log) in told.value.hint
    assert "absent" in log.read_text()
    assert leave_nothing(store)


def test_a_folder_that_cannot_be_written_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    store = create_store(tmp_path, monkeypatch, "tiny==1.0")
    blocked = EnvironmentStore(tmp_path / "file" / "environments", {})
    with pytest.raises(Unavailable, match="cannot be written") as told:
        blocked.create(RECIPE, lambda _: None)
    assert "STARCHAT_ENVIRONMENTS" in told.value.hint
    assert not store.root.exists()


def test_two_at_a_time_create_one(store: EnvironmentStore) -> None:
    said: dict[int, Texts] = {0: [], 1: []}
    threads = [
        threading.Thread(target=store.create, args=(RECIPE, said[number].append)) for number in said
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    first, second = sorted(said.values(), key=len, reverse=True)
    assert "creating the virtual environment" in first
    assert "creating the virtual environment" not in second
    assert store.find_installed(RECIPE) is not None


def test_waiting_for_another_process_can_be_cancelled(store: EnvironmentStore) -> None:
    store.root.mkdir(parents=True)
    code = "import fcntl, os, sys, time; f = os.open(sys.argv[1], os.O_CREAT | os.O_RDWR)\n"
    code += "fcntl.flock(f, fcntl.LOCK_EX); print('held', flush=True); time.sleep(600)"
    command = [sys.executable, "-c", code, str(store.root / ".current.lock")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as other:
        try:
            assert other.stdout
            assert other.stdout.readline() == b"held\n"
            cancelled = threading.Event()
            said: Texts = []

            def report(text: str) -> None:
                said.append(text)
                cancelled.set()

            with pytest.raises(Interrupted):
                store.create(RECIPE, report, cancelled.is_set)
            assert said == ["waiting for another StarChat that creates it"]
        finally:
            other.kill()


def test_mistyped_names_are_no_paths(store: EnvironmentStore, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No environment `2024`") as told:
        store.find_interpreter("2024")
    assert "2023, current" in told.value.hint
    with pytest.raises(UsageError, match="There is no environment"):
        store.find_interpreter(str(tmp_path / "none"))
    with pytest.raises(UsageError, match="has created no environment"):
        store.remove("mine")
    with pytest.raises(UsageError, match="does not exist"):
        store.remove("current")


@pytest.mark.parametrize("has_pip", [True, False])
def test_a_missing_library_is_named_with_its_command(tmp_path: Path, has_pip: bool) -> None:
    venv.create(tmp_path / ".venv", with_pip=False, symlinks=True)
    site = next((tmp_path / ".venv" / "lib").glob("python*/site-packages"))
    if has_pip:
        (site / "pip").mkdir()
    with pytest.raises(UsageError, match="has no IPython, which runs the code, and no Mat") as told:
        require_ipython(inspect_environment(tmp_path / ".venv"))
    python = tmp_path / ".venv" / "bin" / "python"
    expected = f"{python} -m pip install" if has_pip else f"uv pip install --python {python}"
    assert f"`{expected} ipython matplotlib`" in told.value.hint
    (site / "IPython").mkdir()
    # Without Matplotlib code still runs.
    require_ipython(inspect_environment(tmp_path / ".venv"))


def test_a_damaged_marker_is_no_environment(store: EnvironmentStore) -> None:
    folder = store.root / "current"
    folder.mkdir(parents=True)
    for text in ("", "{", "[]", '{"python": "3.11"}', '{"python": 1, "size": "x", "lock": ""}'):
        (folder / "environment.json").write_text(text)
        assert store.find_installed(RECIPE) is None
