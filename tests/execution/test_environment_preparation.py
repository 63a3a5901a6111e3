"""An environment that a run needs: created with progress, cancelled, or not to be had."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from starchat_tui.errors import Interrupted, Unavailable
from starchat_tui.execution.environment_preparation import create_environment
from starchat_tui.sandbox.environments.store import EnvironmentStore
from starchat_tui.sandbox.outputs import Note, Preparation, RunEnded, StreamText
from starchat_tui.sandbox.run_state import RunControl
from tests.sandbox.environments.tiny_environment import RECIPE, create_store
from tests.scripted import ScriptedKernelFactory


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EnvironmentStore:
    return create_store(tmp_path, monkeypatch, "tiny==1.0")


async def read_to_end(steps: AsyncGenerator[Preparation, None]) -> None:
    async for _ in steps:
        pass


async def test_progress_begins_with_the_size_and_the_place(store: EnvironmentStore) -> None:
    steps = [one async for one in create_environment(store, RECIPE, RunControl())]
    assert steps[0].text.endswith(f"about 5 MB in {store.root / 'current'}")
    assert Preparation("environment current: creating the virtual environment", True) in steps
    assert store.find_installed(RECIPE) is not None


async def test_a_stop_leaves_no_environment(store: EnvironmentStore) -> None:
    control = RunControl()
    steps = create_environment(store, RECIPE, control)
    while "virtual environment" not in (await anext(steps)).text:
        pass
    control.request_stop()
    with pytest.raises(Interrupted):
        await read_to_end(steps)
    assert store.find_installed(RECIPE) is None


async def test_a_reader_that_leaves_ends_the_creation(store: EnvironmentStore) -> None:
    steps = create_environment(store, RECIPE, RunControl())
    await anext(steps)
    await anext(steps)
    await steps.aclose()
    assert store.find_installed(RECIPE) is None
    assert not list(store.root.glob(".creating-*"))


async def test_what_cannot_be_installed_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = create_store(tmp_path, monkeypatch, "absent==9.9")
    with pytest.raises(Unavailable, match="the package index has no"):
        await read_to_end(create_environment(store, RECIPE, RunControl()))


async def test_the_first_run_creates_it_and_the_second_finds_it(store: EnvironmentStore) -> None:
    factory = ScriptedKernelFactory(environments=store)
    manager = factory.create_manager("current")
    for is_first in (True, False):
        factory.enqueue("done")
        outputs = [one async for one in manager.run("1")]
        assert any(isinstance(one, Preparation) for one in outputs) is is_first
        assert StreamText("stdout", "done") in outputs
        assert isinstance(outputs[-1], RunEnded)
        assert (outputs[-1].status, outputs[-1].environment) == ("ok", "current")
    # It has no Matplotlib, which a person wants to know before the first plot.
    manager.select_environment("2023")
    manager.select_environment("current")
    factory.enqueue("again")
    notes = [one.text async for one in manager.run("1") if isinstance(one, Note)]
    assert any("has no Matplotlib" in text for text in notes), notes


async def test_a_run_without_its_environment_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    factory = ScriptedKernelFactory(environments=create_store(tmp_path, monkeypatch, "absent==9.9"))
    manager = factory.create_manager("current")
    outputs = [one async for one in manager.run("1")]
    end = outputs[-1]
    assert isinstance(end, RunEnded)
    assert end.status == "no-environment"
    assert "could not be created" in end.reason
    assert "current.log" in end.reason
    assert factory.kernels == []
