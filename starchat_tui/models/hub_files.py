"""Small files beside a model's weights: in its folder, or fetched from the Hugging Face Hub."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starchat_tui.config.hub_connection import is_hub_unreachable
from starchat_tui.config.json_file import read_json_object
from starchat_tui.errors import ModelUnavailable
from starchat_tui.models.registry import Model, find_model
from starchat_tui.templates.jinja_template import select_template
from starchat_tui.templates.tokenizer import find_tokenizer_file

_WINDOW_KEYS = (
    *("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "seq_length"),
    *("model_max_length", "context_length"),
)
"""Names of the context length in the configurations of transformers."""


def is_available(name: str) -> bool:
    """Return whether the files of a model are on this machine; nothing is downloaded."""
    try:
        model = find_model(name)
    except ModelUnavailable:
        return False
    if model.is_local or model.demo:
        return os.path.isfile(os.path.join(model.weights, "config.json"))
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(model.weights, "config.json"), str)


def find_model_file(model: Model, name: str) -> Path:
    """Return the path of a file beside the weights, downloaded if the model is on the Hub.

    An adapter that lacks the file takes it from its base model. Raises `ModelUnavailable` if there
    is none.
    """
    if model.demo and not model.is_local:
        raise ModelUnavailable(
            f"The demo model {model.name} is not installed", "build it with `make nano`"
        )
    if not model.is_local:
        return _fetch_from_hub(model.weights, name)
    path = Path(model.weights) / name
    if os.path.isfile(path):
        return path
    if name == "tokenizer.json" and (shared := find_tokenizer_file(Path(model.weights))):
        return shared
    adapter = Path(model.weights) / "adapter_config.json"
    if os.path.isfile(adapter):
        return find_model_file(find_model(read_adapter_base(adapter, model.weights)), name)
    raise ModelUnavailable(
        f"`{model.weights}` has no {name}", "is it a model's folder, and was it copied whole?"
    )


def read_adapter_base(adapter: Path, weights: str) -> str:
    """Return the base model that an adapter_config.json names.

    Raises `ModelUnavailable` if it names none, or an adapter, such as the one in `weights`.
    """
    base = str(read_model_json(adapter).get("base_model_name_or_path") or "")
    if not base or base == weights:
        raise ModelUnavailable(
            f"`{adapter}` does not name its base model", "set `base_model_name_or_path` in it"
        )
    # Two that name each other would be followed without end, and of a chain only the last one
    # would be applied.
    if os.path.isfile(os.path.join(base, "adapter_config.json")):
        raise ModelUnavailable(
            f"The adapter in `{weights}` stands on `{base}`, which is an adapter itself",
            "merge that one into its base model first, and name the merged model",
        )
    return base


def read_model_window(model: Model) -> int:
    """Return the context length in tokens by the model's config.json; 0 if it has none."""
    return get_declared_window(read_model_json(find_model_file(model, "config.json")))


def get_declared_window(config: Mapping[str, Any]) -> int:
    """Return the context length in tokens that a model's config.json declares; 0 if it does not.

    The keys are those of transformers' configurations; a multimodal model declares its window in
    the section of its language model.
    """
    section = config.get("text_config")
    text = section if isinstance(section, dict) else config
    declared = (text.get(key) for key in _WINDOW_KEYS)
    return next((int(value) for value in declared if isinstance(value, int) and value > 0), 0)


def read_chat_template(model: Model) -> str:
    """Return the Jinja source of the model's own chat template; empty if it has none."""
    # Newer versions of transformers save the template in a file of its own.
    try:
        return find_model_file(model, "chat_template.jinja").read_text(encoding="utf-8")
    except ModelUnavailable:
        return select_template(
            read_optional_json(model, "tokenizer_config.json").get("chat_template")
        )


def read_optional_json(model: Model, name: str) -> dict[str, Any]:
    """Return a JSON file beside the weights; empty if there is none."""
    try:
        return read_model_json(find_model_file(model, name))
    except ModelUnavailable:
        return {}


def read_model_json(path: Path) -> dict[str, Any]:
    """Return the object in a model's JSON file; raise `ModelUnavailable` if there is none."""
    try:
        return read_json_object(path)
    except (OSError, ValueError) as error:
        raise ModelUnavailable(
            f"`{path}` cannot be read ({error})", "copy or download the model again"
        ) from error


def _fetch_from_hub(repo: str, name: str) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
    )

    try:
        return Path(hf_hub_download(repo, name, local_files_only=is_hub_unreachable()))
    except GatedRepoError as error:  # a subclass of HfHubHTTPError
        raise ModelUnavailable(
            f"`{repo}` is gated",
            f"accept its license at https://huggingface.co/{repo}, then `hf auth login`",
        ) from error
    except HFValidationError as error:
        raise ModelUnavailable(f"`{repo}` is not a Hub id", "write it as OWNER/NAME") from error
    except LocalEntryNotFoundError as error:
        raise ModelUnavailable(
            f"`{repo}` is missing or incomplete on this machine, and the Hub cannot be reached",
            "connect and try again, or name a folder that holds the model",
        ) from error
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise ModelUnavailable(
            f"{name} of `{repo}` cannot be downloaded ({type(error).__name__})",
            "check the name and the connection; a folder with the model works offline",
        ) from error
