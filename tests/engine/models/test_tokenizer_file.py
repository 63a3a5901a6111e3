"""The tokenizer.json of a checkpoint."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from starchat_tui.engine.models.tokenizer_file import prepare_tokenizer_file
from starchat_tui.engine.models.weights import read_checkpoint
from starchat_tui.errors import ModelUnavailable


def test_a_model_without_a_tokenizer_is_a_typed_error(folder: Path, tmp_path: Path) -> None:
    (folder / "tokenizer.json").unlink()
    with pytest.raises(ModelUnavailable, match="tokenizer"):
        prepare_tokenizer_file(read_checkpoint(folder), tmp_path / "converted")


def test_an_adapters_tokenizer_goes_before_that_of_its_base(folder: Path, tmp_path: Path) -> None:
    checkpoint = read_checkpoint(folder)
    converted = tmp_path / "converted"
    assert prepare_tokenizer_file(checkpoint, converted) == folder / "tokenizer.json"
    adapted = replace(checkpoint, adapter=tmp_path)
    assert prepare_tokenizer_file(adapted, converted) == folder / "tokenizer.json"
    (tmp_path / "tokenizer.json").write_text((folder / "tokenizer.json").read_text())
    assert prepare_tokenizer_file(adapted, converted) == tmp_path / "tokenizer.json"
    assert not converted.exists()


def test_an_older_format_is_converted(folder: Path, tmp_path: Path) -> None:
    (folder / "tokenizer.json").unlink()
    (folder / "config.json").write_text(json.dumps({"model_type": "gpt2"}))
    vocabulary = {token: number for number, token in enumerate(["a", "b", "ab", "<|endoftext|>"])}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\na b\n")
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "GPT2Tokenizer"}))
    path = prepare_tokenizer_file(read_checkpoint(folder), tmp_path / "converted")
    assert path.parent == tmp_path / "converted"
    assert json.loads(path.read_text())["model"]["vocab"]["ab"] == 2
