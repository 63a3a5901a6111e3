"""A tiny GPTBigCode with random weights, in memory and in a folder."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fakes import save_tiny_model, tiny_model

if TYPE_CHECKING:
    from starchat_tui.engine.models.hub_model import HubModel

# As the engine sets it, before torch is imported: tests, too, run on busy machines.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the tiny model, as a user would have it."""
    return save_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def folder(tiny_folder: Path, tmp_path: Path) -> Path:
    """A copy of the folder that a test may damage."""
    return Path(shutil.copytree(tiny_folder, tmp_path / "copy"))


@pytest.fixture(scope="session")
def reference() -> HubModel:
    """The tiny model, computed by transformers."""
    import torch

    from starchat_tui.engine.models.hub_model import HubModel

    return HubModel(tiny_model(), torch.device("cpu"))
