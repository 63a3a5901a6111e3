"""Tokens at which a model ends its answer, for clients that name none themselves."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from starchat_tui.engine.models.weights import Checkpoint
from starchat_tui.errors import ConfigError, ModelUnavailable
from starchat_tui.models.hub_files import read_model_json
from starchat_tui.templates.tokenizer import CHAT_TOKENS, END, Tokenizer


def find_end_ids(checkpoint: Checkpoint, tokenizer: Tokenizer) -> frozenset[int]:
    """Return the ids that end an answer.

    They are those of the generation config, else of the config, else the tokenizer's end of text.
    In a tokenizer that has StarChat's chat tokens, the one that ends a turn is added: the
    generation configs of StarChat's checkpoints name the end of text only.
    """
    found = set(_read_declared_ids(checkpoint))
    with suppress(ConfigError):
        found = found or {tokenizer.end_of_text_id}
    with suppress(ConfigError):
        chat_ids = {token: tokenizer.get_control_id(token) for token in CHAT_TOKENS}
        found.add(chat_ids[END])
    return frozenset(found)


def _read_declared_ids(checkpoint: Checkpoint) -> frozenset[int]:
    # An adapter's own come first: a fine-tune may end its answers with a token of its own.
    folders = [folder for folder in (checkpoint.adapter, checkpoint.folder) if folder]
    for path in (folder / "generation_config.json" for folder in folders):
        if os.path.isfile(path) and (found := _read_file(path)):
            return found
    # A multimodal model declares them in the section of its language model.
    section = checkpoint.config.get("text_config")
    sections = (checkpoint.config, section if isinstance(section, dict) else {})
    return next(filter(None, map(_parse_ids, sections)), frozenset())


def _read_file(path: Path) -> frozenset[int]:
    # The model computes without the file, and its clients may name their own stop tokens.
    try:
        config = read_model_json(path)
    except ModelUnavailable as error:
        logging.getLogger(__name__).warning("%s", error.message)
        return frozenset()
    found = _parse_ids(config)
    if not found and config.get("eos_token_id") is not None:
        logging.getLogger(__name__).warning(
            "`eos_token_id` in `%s` is not a token id or a list of them", path
        )
    return found


def _parse_ids(config: Mapping[str, Any]) -> frozenset[int]:
    """Return `eos_token_id`, a number or a list of them; nothing if any is not an id."""
    value = config.get("eos_token_id")
    found = value if isinstance(value, list) else [value]
    if not all(type(one) is int and one >= 0 for one in found):
        return frozenset()
    return frozenset(found)
