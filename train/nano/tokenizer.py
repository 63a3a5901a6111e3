"""The byte-level BPE tokenizer in StarCoder's scheme, with the dialogue tokens at its end."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from starchat_tui.vocabulary import CHAT_TOKENS, END_OF_TEXT

SPECIAL = (
    END_OF_TEXT,
    *"<fim_prefix> <fim_middle> <fim_suffix> <fim_pad> <filename> <gh_stars> <issue_start> "
    "<issue_comment> <issue_closed> <jupyter_start> <jupyter_text> <jupyter_code> <jupyter_output> "
    "<empty_output> <commit_before> <commit_msg> <commit_after> <reponame>".split(),
)
"""StarCoder's special tokens, ids 0 to 18."""


def trained(texts: Iterator[str], size: int) -> Tokenizer:
    """A tokenizer of exactly `size` ids where the texts are rich enough for it."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size - len(CHAT_TOKENS),
        special_tokens=[AddedToken(token, special=True) for token in SPECIAL],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in CHAT_TOKENS])
    return tokenizer


def save(tokenizer: Tokenizer, folder: Path, *, window: int) -> None:
    """tokenizer.json and the tokenizer_config.json that transformers wants beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": END_OF_TEXT,
        "eos_token": END_OF_TEXT,
        "unk_token": END_OF_TEXT,
        "model_max_length": window,
        "clean_up_tokenization_spaces": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")


def mixed(files: Sequence[str], dialogues: Sequence[str]) -> Iterator[str]:
    """What the tokenizer learns from: every file, and the dialogues."""
    yield from files
    yield from dialogues
