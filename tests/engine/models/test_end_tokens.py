"""Tokens that end an answer, by the files of a model and by its tokenizer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from starchat_tui.engine.models.end_tokens import find_end_ids
from starchat_tui.engine.models.weights import Checkpoint, read_checkpoint
from starchat_tui.models.registry import KNOWN_MODELS
from starchat_tui.templates.tokenizer import CHAT_TOKENS, END, END_OF_TEXT, Tokenizer
from tests.fakes import CHAT_IDS, END_OF_TEXT_ID, byte_tokenizer

TURN_END_ID = CHAT_IDS[3]


def load_tokenizer(folder: Path, *control_tokens: str) -> Tokenizer:
    """Return a tokenizer with some of the control tokens of the fakes' one."""
    state = byte_tokenizer()
    added = state["added_tokens"]
    assert isinstance(added, list)
    state["added_tokens"] = [token for token in added if token["content"] in control_tokens]
    path = folder / "plain.json"
    path.write_text(json.dumps(state), encoding="utf-8")
    return Tokenizer.load(path, add_chat_tokens=False)


def set_config(folder: Path, **fields: object) -> Checkpoint:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "eos_token_id": None, **fields}))
    return read_checkpoint(folder)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"eos_token_id": 7}', {7}),
        ('{"eos_token_id": [7, 8]}', {7, 8}),
        ('{"eos_token_id": "x"}', {5}),
        ('{"eos_token_id": [[1], -3, 1e9, true]}', {5}),
        ('{"eos_token_id": null}', {5}),
        ("[]", {5}),
        ("{", {5}),
        ("", {5}),
        ("[" * 100_000, {5}),
    ],
)
def test_they_are_those_of_the_generation_config_or_of_the_config(
    folder: Path, content: str, expected: set[int]
) -> None:
    (folder / "generation_config.json").write_text(content)
    tokenizer = load_tokenizer(folder, END_OF_TEXT)
    assert find_end_ids(set_config(folder, eos_token_id=5), tokenizer) == expected


@pytest.mark.parametrize("content", ["{", '{"eos_token_id": "x"}'])
def test_a_bad_generation_config_is_logged(
    folder: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "generation_config.json").write_text(content)
    find_end_ids(set_config(folder), load_tokenizer(folder, END_OF_TEXT))
    assert "generation_config.json" in caplog.text


def test_a_multimodal_model_declares_them_for_its_language_model(folder: Path) -> None:
    (folder / "generation_config.json").unlink()
    checkpoint = set_config(folder, text_config={"eos_token_id": [3, 4]})
    assert find_end_ids(checkpoint, load_tokenizer(folder, END_OF_TEXT)) == {3, 4}


def test_the_tokenizers_end_of_text_stands_in(folder: Path) -> None:
    (folder / "generation_config.json").unlink()
    checkpoint = set_config(folder)
    # The library numbers the added tokens of a file itself.
    tokenizer = load_tokenizer(folder, END_OF_TEXT)
    assert find_end_ids(checkpoint, tokenizer) == {tokenizer.end_of_text_id} == {END_OF_TEXT_ID}
    assert not find_end_ids(checkpoint, load_tokenizer(folder, CHAT_TOKENS[0]))


def test_the_end_of_a_turn_is_added_for_a_starchat(folder: Path) -> None:
    (folder / "generation_config.json").write_text('{"eos_token_id": 7}')
    checkpoint = set_config(folder)
    tokenizer = load_tokenizer(folder, END_OF_TEXT, *CHAT_TOKENS)
    assert find_end_ids(checkpoint, tokenizer) == {7, TURN_END_ID}
    assert tokenizer.get_control_id(END) == TURN_END_ID


def test_an_adapters_own_come_first(folder: Path, tmp_path: Path) -> None:
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "generation_config.json").write_text('{"eos_token_id": 9}')
    (folder / "generation_config.json").write_text('{"eos_token_id": 7}')
    read = read_checkpoint(folder)
    checkpoint = Checkpoint(folder, read.config, read.files, adapter)
    assert find_end_ids(checkpoint, load_tokenizer(folder, END_OF_TEXT)) == {9}


def test_the_demo_chat_ends_at_the_end_of_its_turn() -> None:
    folder = Path(KNOWN_MODELS["nano-chat"].weights)
    tokenizer = Tokenizer.load(folder.parent / "tokenizer.json", add_chat_tokens=False)
    found = find_end_ids(read_checkpoint(folder), tokenizer)
    assert found == {tokenizer.get_control_id(END), tokenizer.end_of_text_id}
