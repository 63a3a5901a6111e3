"""Training of the byte-level BPE tokenizer, with StarCoder's special tokens."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from starchat_tui.templates.tokenizer import CHAT_TOKENS, END_OF_TEXT

SPECIAL_TOKENS = (
    END_OF_TEXT,
    *"<fim_prefix> <fim_middle> <fim_suffix> <fim_pad> <filename> <gh_stars> <issue_start> "
    "<issue_comment> <issue_closed> <jupyter_start> <jupyter_text> <jupyter_code> <jupyter_output> "
    "<empty_output> <commit_before> <commit_msg> <commit_after> <reponame>".split(),
)
"""StarCoder's special tokens, ids 0 to 18."""

COMMON_WORDS = (
    "a an the and or not but is are was be been am do does did has have had can could should would "
    "will may must in of to on at by for from with without into as than then if else elif while "
    "import return def class lambda print assert try except raise del pass break continue yield "
    "it its this that these those they them he she you your i me my we us our what which who how "
    "why when where there here all any each every some no only also so very just more most other "
    "one two three first second last next same give gives show shows write writes make makes use "
    "uses using used call called calls need needs want please thanks let go see get gets put set "
    "adds add draws draw prints returns takes take finds find counts checks check sorts keeps "
    "turns function list dictionary string number numbers loop code test tests line lines file "
    "program answer question example result again once up out over now yes"
).split()
"""Words that no answer copies from its question. Only they include their leading space."""

SPLIT_PATTERN = Regex(
    rf" (?:{'|'.join(COMMON_WORDS)})(?![\p{{L}}_])"
    r"|\p{L}+|\p{N}+(?:\.\p{N}+)?| (?=[\p{L}\p{N}])"
    r"| ?[^\s\p{L}\p{N}]+|\n+ *|\s+"
)
"""Pre-tokenization: no token crosses the end of a match.

The space before a word is a token of its own, so that a name has the same tokens in prose, in a
table and in quotes, and can be copied token by token. Unlike StarCoder's, a number is split like a
word and not into digits: from a single digit the copying heads could not tell the items of a list
apart.
"""


def train_tokenizer(texts: Iterator[str], size: int) -> Tokenizer:
    """Train a tokenizer of `size` ids, fewer if the texts have too few pairs to merge."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(SPLIT_PATTERN, behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        # The dialogue tokens come last, as in StarChat, where they extended StarCoder's vocabulary.
        vocab_size=size - len(CHAT_TOKENS),
        special_tokens=[AddedToken(token, special=True) for token in SPECIAL_TOKENS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in CHAT_TOKENS])
    return tokenizer


def save_tokenizer(tokenizer: Tokenizer, folder: Path, *, window: int) -> None:
    """Write tokenizer.json, and the tokenizer_config.json that transformers expects beside it."""
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


def chain_texts(files: Sequence[str], dialogues: Sequence[str]) -> Iterator[str]:
    """Yield the training texts of the tokenizer: every file, then every dialogue."""
    yield from files
    yield from dialogues
