"""A tiny real model, made once; in memory, in a folder, and behind a socket."""

from __future__ import annotations

from pathlib import Path

import pytest

from starchat_tui.engine.reference import Reference
from tests.fakes import save_tiny_model, tiny_model


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model's folder, as a user would have it."""
    return save_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def reference() -> Reference:
    """The model, as the engine asks it."""
    import torch

    return Reference(tiny_model(), torch.device("cpu"))
