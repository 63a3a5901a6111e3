"""A real, tiny StarCoder made in memory, and the folder it is saved to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from starchat_tui.templates.tokenizer import CHAT_TOKENS, END_OF_TEXT, build_byte_alphabet

if TYPE_CHECKING:
    from transformers import GPTBigCodeForCausalLM

WINDOW = 512
BYTES = 256
END_OF_TEXT_ID = BYTES
CHAT_IDS = tuple(range(BYTES + 1, BYTES + 5))
VOCABULARY_SIZE = BYTES + 8
"""Rows of the embedding: more than the tokenizer has ids, as in real models."""


def byte_tokenizer() -> dict[str, object]:
    """Return a tokenizer.json with a token per byte, end of text and StarChat's four tokens."""
    alphabet = build_byte_alphabet()
    special = [END_OF_TEXT, *CHAT_TOKENS]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": BYTES + index,
                "content": token,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
            for index, token in enumerate(special)
        ],
        "normalizer": None,
        "pre_tokenizer": {
            "type": "ByteLevel",
            "add_prefix_space": False,
            "trim_offsets": True,
            "use_regex": True,
        },
        "post_processor": None,
        "decoder": {
            "type": "ByteLevel",
            "add_prefix_space": True,
            "trim_offsets": True,
            "use_regex": True,
        },
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": alphabet,
            "merges": [],
        },
    }


def tiny_model(*, window: int = WINDOW, seed: int = 0) -> GPTBigCodeForCausalLM:
    """Build a model of two layers of width 32 with multi-query attention.

    The random weights are large enough that logits differ clearly.
    """
    import torch
    from transformers import GPTBigCodeConfig, GPTBigCodeForCausalLM

    config = GPTBigCodeConfig(
        vocab_size=VOCABULARY_SIZE,
        n_positions=window,
        n_embd=32,
        n_layer=2,
        n_head=4,
        n_inner=64,
        initializer_range=0.4,
        bos_token_id=END_OF_TEXT_ID,
        eos_token_id=END_OF_TEXT_ID,
    )
    torch.manual_seed(seed)
    model = GPTBigCodeForCausalLM(config)
    model.train(False)
    # Without these, `generate` of transformers does not stop at the end of text.
    model.generation_config.eos_token_id = END_OF_TEXT_ID
    model.generation_config.pad_token_id = END_OF_TEXT_ID
    return model


def save_tiny_model(folder: Path, *, window: int = WINDOW, seed: int = 0) -> Path:
    """Save the model's weights, config and tokenizer to a folder, and return it."""
    tiny_model(window=window, seed=seed).save_pretrained(folder)
    (folder / "tokenizer.json").write_text(json.dumps(byte_tokenizer()), encoding="utf-8")
    return folder
