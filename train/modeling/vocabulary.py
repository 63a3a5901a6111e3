"""The tokenizer of a model that is fine-tuned, and the model grown by its four control tokens.

Done once, before anything is sharded: rows that are added later differ from process to process, and
under ZeRO-3 no process has the whole matrix.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

from starchat_tui.errors import ConfigError
from starchat_tui.templates.tokenizer import CHAT_TOKENS, Vocabulary
from train.runtime import checkpoint

MULTIPLE = 64
"""Rows of the embedding are filled up to a multiple of this, which matrix units like."""
_NOISE = 0.1
"""How far new rows stray from the mean of the old ones, in their standard deviations."""


@dataclass(frozen=True, slots=True)
class Grown:
    """A model's tokenizer with StarChat's four tokens."""

    vocabulary: Vocabulary
    file: Path
    """The tokenizer.json it was read from, with or without the four."""
    rows: int
    """Rows that the embedding needs."""
    added: bool = False
    """Whether the model has fewer."""

    @property
    def control_ids(self) -> list[int]:
        """The ids of the four, in the order of `CHAT_TOKENS`."""
        return [self.vocabulary.control_id(token) for token in CHAT_TOKENS]


def read(file: Path, *, rows: int, keep_ids: bool = False) -> Grown:
    """The vocabulary in `file` for a model whose embedding has `rows` rows.

    Raises `ConfigError` where the file has some of the four tokens but not all, or has them under
    other ids than StarChat's: one behind the other, in its order.
    """
    vocabulary = Vocabulary.load(file)
    ids = [vocabulary.control_id(token) for token in CHAT_TOKENS]
    expected = list(range(ids[0], ids[0] + len(ids)))
    if ids != expected and not keep_ids:
        raise ConfigError(
            f"`{file}` has the dialogue tokens under other ids ({', '.join(map(str, ids))}) than "
            f"StarChat's, which follow each other in the order {' '.join(CHAT_TOKENS)}",
            "take a tokenizer without them, or `--keep-ids` to train on with these",
        )
    needed = max(len(vocabulary), max(ids) + 1)
    added = needed > rows
    return Grown(vocabulary, file, _filled(needed) if added else rows, added)


def _filled(rows: int) -> int:
    return -(-rows // MULTIPLE) * MULTIPLE


def grow(model: Any, rows: int, *, seed: int) -> None:
    """Give the model's embedding `rows` rows, and its head, tied or not.

    The new ones are the mean of the old and a little seeded noise: the model begins by giving its
    new tokens the score of an average token, and not one that a random row happens to have.
    """
    old = int(model.get_input_embeddings().weight.shape[0])
    if rows <= old:
        return
    tied = model.get_output_embeddings().weight is model.get_input_embeddings().weight
    model.resize_token_embeddings(rows, mean_resizing=False)
    generator = torch.Generator().manual_seed(seed)
    layers = [model.get_input_embeddings(), *([] if tied else [model.get_output_embeddings()])]
    with torch.no_grad():
        for layer in layers:
            known = layer.weight[:old].float()
            noise = torch.randn(rows - old, known.shape[1], generator=generator)
            fresh = known.mean(0) + _NOISE * known.std(0) * noise
            layer.weight[old:] = fresh.to(layer.weight)


def grown_copy(model: str, folder: Path, rows: int, *, seed: int, keep: bool = False) -> Path:
    """The model with `rows` rows in `folder`; with `keep`, one that is there already stays.

    Needs main memory for the whole model, once; raises what transformers raises for `model`.
    """
    from transformers import AutoModelForCausalLM

    if keep and (folder / "config.json").is_file():
        return folder
    made = AutoModelForCausalLM.from_pretrained(model, dtype="auto", trust_remote_code=False)
    grow(made, rows, seed=seed)
    # Whatever stands there is of an earlier run; the disk need not hold both.
    shutil.rmtree(folder, ignore_errors=True)
    with checkpoint.whole(folder) as part:
        made.save_pretrained(part)
    return folder


def write(grown: Grown, folder: Path, *, window: int, names: dict[str, Any]) -> None:
    """tokenizer.json with the four tokens, and the tokenizer_config.json transformers wants.

    `names` are the special tokens as the base model's tokenizer_config.json calls them.
    """
    from tokenizers import AddedToken

    tokenizer = Tokenizer.from_file(str(grown.file))
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in CHAT_TOKENS])
    tokenizer.save(str(folder / "tokenizer.json"))
    end_of_text = grown.vocabulary.visible([grown.vocabulary.end_of_text_id])
    spelled = {f"{role}_token": end_of_text for role in ("bos", "eos", "unk", "pad")}
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        **{role: names.get(role) or token for role, token in spelled.items()},
        "model_max_length": window,
        "clean_up_tokenization_spaces": False,
    }
    text = json.dumps(config, indent=2) + "\n"
    (folder / "tokenizer_config.json").write_text(text, encoding="utf-8")
