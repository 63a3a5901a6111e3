"""Hostile tokenizer.json files: nothing is cut, padded or inflated, and a panic is an error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from starchat_tui.errors import ConfigError
from starchat_tui.templates.tokenizer import Tokenizer
from tests.sample_tokenizers import build_byte_level, build_sentencepiece, save_tokenizer


def load_changed(folder: Path, **changes: Any) -> Tokenizer:
    path = save_tokenizer(build_byte_level(), folder / "tokenizer.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return Tokenizer.load(path, add_chat_tokens=False)


def replace_with(content: str, **pattern: str) -> dict[str, Any]:
    return {"type": "Replace", "pattern": pattern, "content": content}


def test_a_prompt_is_neither_cut_nor_padded(tmp_path: Path) -> None:
    truncation = {"direction": "Right", "max_length": 1, "strategy": "LongestFirst", "stride": 0}
    padding = {
        "strategy": {"Fixed": 10**8},
        "direction": "Right",
        "pad_to_multiple_of": None,
        "pad_id": 0,
        "pad_type_id": 0,
        "pad_token": "x",
    }
    tokenizer = load_changed(tmp_path, truncation=truncation, padding=padding)
    ids = tokenizer.encode("def f(x): return x")
    assert tokenizer.decode(ids) == "def f(x): return x"


@pytest.mark.parametrize(
    "normalizer",
    [
        replace_with("h" * 1000, String="h"),
        replace_with("h" * 1000, Regex="(?:)"),
        {"type": "Prepend", "prepend": "x" * 1000},
        {"type": "Sequence", "normalizers": [replace_with("hhhh", String="h")] * 20},
        {
            "type": "Sequence",
            "normalizers": [
                {"type": "Sequence", "normalizers": [replace_with("h" * 9, String="h")] * 2}
            ]
            * 2,
        },
    ],
    ids=["string", "regex", "prepend", "sequence", "nested"],
)
def test_a_normalizer_that_inflates_text_is_refused(tmp_path: Path, normalizer: Any) -> None:
    with pytest.raises(ConfigError, match="characters of one") as caught:
        load_changed(tmp_path, normalizer=normalizer)
    assert caught.value.hint


@pytest.mark.parametrize(
    "normalizer",
    [
        None,
        {"type": "NFC"},
        {"type": "Prepend", "prepend": "▁"},
        {"type": "Sequence", "normalizers": [{"type": "NFKC"}, replace_with("▁", Regex=" {2,}")]},
    ],
)
def test_a_real_normalizer_is_accepted(tmp_path: Path, normalizer: Any) -> None:
    assert load_changed(tmp_path, normalizer=normalizer).encode("x")


def test_sentencepiece_is_accepted(tmp_path: Path) -> None:
    path = save_tokenizer(build_sentencepiece(), tmp_path / "tokenizer.json")
    assert Tokenizer.load(path, add_chat_tokens=False).encode("x y")


def test_a_panic_of_the_library_is_an_error_of_the_model(tmp_path: Path) -> None:
    tokenizer = load_changed(tmp_path, normalizer=replace_with("x", Regex="(a+)+$"))
    with pytest.raises(ConfigError, match="tokenizer fails"):
        tokenizer.encode("a" * 40 + "!")
    assert tokenizer.encode("b")
