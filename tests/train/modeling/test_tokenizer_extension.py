"""Extension of a tokenizer and of embeddings by the control tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from starchat_tui.errors import ConfigError
from starchat_tui.templates.tokenizer import CHAT_TOKENS
from tests.sample_tokenizers import build_byte_level, save_tokenizer
from tests.train.small_run import ROWS, save_base
from train.modeling import tokenizer_extension


def test_the_vocabulary_is_extended_and_padded(base: Path) -> None:
    found = tokenizer_extension.extend_tokenizer(base / "tokenizer.json", rows=ROWS)
    assert found.control_ids == [1024, 1025, 1026, 1027]
    assert found.rows == 1088
    assert found.rows % tokenizer_extension.MULTIPLE == 0
    again = tokenizer_extension.extend_tokenizer(base / "tokenizer.json", rows=2000)
    assert again.rows == 2000, "rows that are there already are left as they are"


def test_new_rows_do_not_depend_on_the_process(base: Path, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    copy = tokenizer_extension.save_extended_model(str(base), tmp_path / "grown", 1088, seed=7)
    one: Any = AutoModelForCausalLM.from_pretrained(copy)
    other: Any = AutoModelForCausalLM.from_pretrained(base)
    old = other.get_input_embeddings().weight.clone()
    torch.manual_seed(99)
    tokenizer_extension.extend_embeddings(other, 1088, seed=7)
    rows = one.get_input_embeddings().weight
    assert torch.equal(rows, other.get_input_embeddings().weight)
    assert torch.equal(rows[:1024], old)
    assert len({tuple(row.tolist()) for row in rows[1024:]}) == 64
    assert one.get_output_embeddings().weight is rows


def test_an_existing_copy_is_reused_only_on_request(base: Path, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file

    def read_embedding(folder: Path) -> torch.Tensor:
        return load_file(folder / "model.safetensors")["transformer.wte.weight"][:ROWS].clone()

    def copy_embedding(model: Path, *, keep: bool) -> torch.Tensor:
        folder = tmp_path / "base"
        return read_embedding(
            tokenizer_extension.save_extended_model(str(model), folder, 1088, seed=7, keep=keep)
        )

    other = save_base(tmp_path / "other", seed=1)
    assert torch.equal(copy_embedding(base, keep=True), read_embedding(base)), (
        "made where there is none"
    )
    assert torch.equal(copy_embedding(other, keep=True), read_embedding(base))
    assert torch.equal(copy_embedding(other, keep=False), read_embedding(other))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["base", "other"]


def test_tokens_under_other_ids_are_refused(tmp_path: Path) -> None:
    from tokenizers import AddedToken

    system, user, assistant, end = CHAT_TOKENS
    order = (system, assistant, user, end)
    path = save_tokenizer(
        build_byte_level(*(AddedToken(token, special=True) for token in order)), tmp_path / "t.json"
    )
    with pytest.raises(ConfigError, match="have the ids") as caught:
        tokenizer_extension.extend_tokenizer(path, rows=1088)
    assert "--keep-ids" in caught.value.hint
    found = tokenizer_extension.extend_tokenizer(path, rows=1088, keep_ids=True)
    assert found.control_ids == [1024, 1026, 1025, 1027]


def test_some_of_the_tokens_are_not_enough(tmp_path: Path) -> None:
    from tokenizers import AddedToken

    path = save_tokenizer(
        build_byte_level(AddedToken(CHAT_TOKENS[0], special=True)), tmp_path / "t.json"
    )
    with pytest.raises(ConfigError, match="but not"):
        tokenizer_extension.extend_tokenizer(path, rows=1088)
