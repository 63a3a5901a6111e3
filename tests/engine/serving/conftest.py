"""One engine process for the tests of its HTTP interface."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from starchat_tui.client.http_client import EngineClient
from tests.engine.engine_server import RunningEngine, run_engine
from tests.fakes import save_tiny_model

LONG_WINDOW = 8192


@pytest.fixture(scope="session")
def engine() -> Iterator[RunningEngine]:
    with run_engine() as running:
        yield running


@pytest.fixture
def client(engine: RunningEngine) -> EngineClient:
    return EngineClient(engine.socket)


@pytest.fixture(scope="session")
def long_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose answers last long enough to be interrupted."""
    return save_tiny_model(tmp_path_factory.mktemp("models") / "long", window=LONG_WINDOW)
