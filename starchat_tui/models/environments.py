"""Environment of a model's code: the libraries that the model learned."""

from __future__ import annotations

import os
from pathlib import Path

from starchat_tui.config.settings import KnownEnvironment
from starchat_tui.errors import ModelUnavailable
from starchat_tui.models.hub_files import read_adapter_base, read_model_json
from starchat_tui.models.registry import KNOWN_MODELS, Model, find_model

_STARCODER_TYPE = "gpt_bigcode"
"""Architecture of StarCoder and of everything that was fine-tuned from it."""


def find_model_environment(name: str) -> KnownEnvironment:
    """Return the environment for the code of a model; only files on this machine are read."""
    try:
        model = find_model(name)
        return _find_by_weights(model)
    except ModelUnavailable:
        # A name that only the server behind `--url` knows.
        return "current"


def _find_by_weights(model: Model) -> KnownEnvironment:
    for known in KNOWN_MODELS.values():
        if model.weights == known.weights:
            return known.environment
    if not model.is_local:
        return model.environment
    adapter = Path(model.weights) / "adapter_config.json"
    if os.path.isfile(adapter):
        return find_model_environment(read_adapter_base(adapter, model.weights))
    config = read_model_json(Path(model.weights) / "config.json")
    return "2023" if config.get("model_type") == _STARCODER_TYPE else model.environment
