"""A model's tokenizer and embeddings, extended by StarChat's four control tokens.

Done once, before anything is sharded: rows added later would differ from process to process, and
under ZeRO-3 no process has the whole matrix.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer as HFTokenizer

from starchat_tui.errors import ConfigError
from starchat_tui.templates.tokenizer import CHAT_TOKENS, Tokenizer
from train import atomic_files

MULTIPLE = 64
"""The rows of the embedding are padded to a multiple of this, which matrix units prefer."""
_NOISE = 0.1
"""Spread of new rows around the mean of the old ones, in their standard deviations."""


@dataclass(frozen=True, slots=True)
class ExtendedTokenizer:
    """A model's tokenizer with the four control tokens."""

    tokenizer: Tokenizer
    file: Path
    """tokenizer.json it was read from, with or without the four."""
    rows: int
    """Rows that the embedding needs."""
    added: bool = False
    """True if the model has fewer rows."""

    @property
    def control_ids(self) -> list[int]:
        """Ids of the four, in the order of `CHAT_TOKENS`."""
        return [self.tokenizer.get_control_id(token) for token in CHAT_TOKENS]


def extend_tokenizer(file: Path, *, rows: int, keep_ids: bool = False) -> ExtendedTokenizer:
    """Read the tokenizer in `file` for a model whose embedding has `rows` rows.

    Raises `ConfigError` if the file has some of the four tokens but not all, or has them under ids
    that do not follow each other in StarChat's order, unless `keep_ids` is set.
    """
    tokenizer = Tokenizer.load(file)
    ids = [tokenizer.get_control_id(token) for token in CHAT_TOKENS]
    expected = list(range(ids[0], ids[0] + len(ids)))
    if ids != expected and not keep_ids:
        raise ConfigError(
            f"The control tokens in `{file}` have the ids {', '.join(map(str, ids))}; StarChat's "
            f"follow each other in the order {' '.join(CHAT_TOKENS)}",
            "use a tokenizer without them, or pass `--keep-ids` to keep these ids",
        )
    needed = max(len(tokenizer), max(ids) + 1)
    # Unused rows of the base model, such as its padding, are taken before new ones are made.
    added = needed > rows
    return ExtendedTokenizer(tokenizer, file, _round_up(needed) if added else rows, added)


def _round_up(rows: int) -> int:
    return -(-rows // MULTIPLE) * MULTIPLE


def extend_embeddings(model: Any, rows: int, *, seed: int) -> None:
    """Extend the model's embedding to `rows` rows, and its head, tied or not.

    New rows are the mean of the old ones plus a little seeded noise, so that the new tokens start
    with the score of an average token rather than a random one.
    """
    old = int(model.get_input_embeddings().weight.shape[0])
    if rows <= old:
        return
    tied = model.get_output_embeddings().weight is model.get_input_embeddings().weight
    # transformers' own mean_resizing draws from the global generator: rows would differ by process.
    model.resize_token_embeddings(rows, mean_resizing=False)
    # On the CPU, so that the noise does not depend on the device either.
    generator = torch.Generator().manual_seed(seed)
    layers = [model.get_input_embeddings(), *([] if tied else [model.get_output_embeddings()])]
    with torch.no_grad():
        for layer in layers:
            old_rows = layer.weight[:old].float()
            noise = torch.randn(rows - old, old_rows.shape[1], generator=generator)
            new_rows = old_rows.mean(0) + _NOISE * old_rows.std(0) * noise
            layer.weight[old:] = new_rows.to(layer.weight)


def save_extended_model(
    model: str, folder: Path, rows: int, *, seed: int, keep: bool = False
) -> Path:
    """Save the model with `rows` embedding rows in `folder`; `keep` reuses an existing copy.

    Needs main memory for the whole model once. Raises what transformers raises for `model`.
    """
    from transformers import AutoModelForCausalLM

    if keep and (folder / "config.json").is_file():
        return folder
    loaded = AutoModelForCausalLM.from_pretrained(model, dtype="auto", trust_remote_code=False)
    extend_embeddings(loaded, rows, seed=seed)
    # An existing copy is of an earlier run; deleting it first, the disk need not hold both.
    shutil.rmtree(folder, ignore_errors=True)
    with atomic_files.replace_folder(folder) as part:
        loaded.save_pretrained(part)
    return folder


def save_tokenizer(
    extended: ExtendedTokenizer, folder: Path, *, window: int, names: dict[str, Any]
) -> None:
    """Write tokenizer.json with the four tokens, and transformers' tokenizer_config.json.

    Args:
        extended: The tokenizer.
        folder: Destination.
        window: Positions that the model has.
        names: Special tokens by role, from the base model's tokenizer_config.json.
    """
    from tokenizers import AddedToken

    tokenizer = HFTokenizer.from_file(str(extended.file))
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in CHAT_TOKENS])
    tokenizer.save(str(folder / "tokenizer.json"))
    end_of_text = extended.tokenizer.decode_with_controls([extended.tokenizer.end_of_text_id])
    defaults = {f"{role}_token": end_of_text for role in ("bos", "eos", "unk", "pad")}
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        **{role: names.get(role) or token for role, token in defaults.items()},
        "model_max_length": window,
        "clean_up_tokenization_spaces": False,
    }
    text = json.dumps(config, indent=2) + "\n"
    (folder / "tokenizer_config.json").write_text(text, encoding="utf-8")
