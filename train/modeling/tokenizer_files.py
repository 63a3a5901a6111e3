"""Location of a model's tokenizer.json: a file, a folder or the Hub."""

from __future__ import annotations

import os
from pathlib import Path

from starchat_tui.config.paths import expand_user_path
from starchat_tui.errors import ModelUnavailable, Unavailable, UsageError
from starchat_tui.templates.tokenizer import Tokenizer, find_tokenizer_file


def read_tokenizer(source: str) -> Tokenizer:
    """Read the tokenizer of a tokenizer.json, a folder that contains one, or a Hub model.

    StarChat's four tokens are added if they are missing. Raises `ConfigError` for a damaged file,
    `UsageError` if there is none, and `Unavailable` if the Hub does not deliver it.
    """
    path = expand_user_path(source)
    if os.path.exists(path):
        if os.path.isdir(path):
            path = find_tokenizer_file(path) or path / "tokenizer.json"
        return Tokenizer.load(path)
    if source.count("/") != 1 or source.endswith(".json"):
        raise UsageError(
            f"There is no tokenizer `{source}`",
            "name a tokenizer.json, a folder that holds it, or a model as OWNER/NAME",
        )
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Tokenizer.load(Path(hf_hub_download(source, "tokenizer.json")))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        raise Unavailable(
            f"The tokenizer of `{source}` cannot be fetched ({type(error).__name__})",
            "check the name and the connection, or name a tokenizer.json",
        ) from error


def find_tokenizer(model: str) -> Path:
    """Return the path of the model's tokenizer.json; raises `ModelUnavailable` if it has none."""
    if found := find_tokenizer_file(Path(model)):
        return found
    hint = "copy one there; convert a tokenizer of an older format first"
    if Path(model).is_dir():
        raise ModelUnavailable(f"`{model}` has no tokenizer.json", hint)
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(model, "tokenizer.json"))
    except (OSError, ValueError) as error:
        raise ModelUnavailable(
            f"tokenizer.json of `{model}` cannot be fetched ({type(error).__name__})",
            "check its name and the connection, and whether it is gated",
        ) from error
