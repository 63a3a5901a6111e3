"""A tiny real model, made once; in memory, in a folder, and behind a socket."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fakes import save_tiny_model, tiny_model

if TYPE_CHECKING:
    from starchat_tui.engine.models.hub_model import Reference

# As the engine sets it, before torch is imported: tests, too, run on busy machines.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model's folder, as a user would have it."""
    return save_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def reference() -> Reference:
    """The model, as the engine asks it."""
    import torch

    from starchat_tui.engine.models.hub_model import Reference

    return Reference(tiny_model(), torch.device("cpu"))
