"""Packed weights on disk: the same model from the file, and a new file for a damaged one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from starchat_tui.config.settings import Quantization
from starchat_tui.engine.models import bigcode, packed_file
from starchat_tui.engine.models.bigcode import BigCodeModel
from starchat_tui.engine.models.packed_file import read_packed_weights, write_packed_weights
from starchat_tui.engine.models.packed_weights import (
    Int4Weight,
    Int8Weight,
    PackedWeight,
    pack_weight,
)
from starchat_tui.engine.models.placement import choose_placement
from starchat_tui.engine.models.weights import find_checkpoint
from starchat_tui.models.registry import find_model
from tests.engine.requests import ignore_progress


def load(file: Path, quantize: str = "int4") -> BigCodeModel:
    checkpoint = find_checkpoint(find_model("nano-chat"), ignore_progress)
    placement = choose_placement(checkpoint, device="cpu", quantize=quantize)
    return bigcode.load_model(checkpoint, placement, ignore_progress, file)


def pack(rows: int, quantization: Quantization) -> PackedWeight:
    packed = pack_weight(torch.randn(rows, 64), quantization)
    assert not isinstance(packed, torch.Tensor)
    return packed


def compute_logits(model: BigCodeModel) -> torch.Tensor:
    return model.forward(list(range(300, 340)), model.new_cache())


def test_the_second_load_rounds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "packed" / "one.safetensors"
    first = load(file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert os.listdir(file.parent) == ["one.safetensors"]
    monkeypatch.setattr(bigcode, "pack_weight", lambda *_: pytest.fail("rounded again"))
    second = load(file)
    assert torch.equal(compute_logits(first), compute_logits(second))
    assert first.bytes == second.bytes


@pytest.mark.parametrize("content", [b"", b"nonsense", "cut"])
def test_a_damaged_file_is_written_again(tmp_path: Path, content: bytes | str) -> None:
    file = tmp_path / "one.safetensors"
    expected = compute_logits(load(file))
    whole = file.read_bytes()
    file.write_bytes(content if isinstance(content, bytes) else whole[: len(whole) // 2])
    assert torch.equal(compute_logits(load(file)), expected)
    assert len(file.read_bytes()) == len(whole)


def test_other_quantizations_write_no_file(tmp_path: Path) -> None:
    for quantize in ("none", "int8"):
        load(tmp_path / "one.safetensors", quantize)
    assert os.listdir(tmp_path) == []


def test_a_file_holds_both_kinds_of_weights(tmp_path: Path) -> None:
    weights = {"a.weight": pack(32, "int4"), "b.weight": pack(5, "int8")}
    write_packed_weights(tmp_path / "one.safetensors", weights)
    found = read_packed_weights(tmp_path / "one.safetensors")
    a, b = found["a.weight"], found["b.weight"]
    assert isinstance(a, Int4Weight)
    assert isinstance(b, Int8Weight)
    for name, x in (("a.weight", torch.randn(2, 64)), ("b.weight", torch.randn(2, 64))):
        assert torch.equal(found[name].multiply(x), weights[name].multiply(x))


def test_a_disk_without_space_or_permission_keeps_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packed_file, "_FREE_SHARE", 0.0)
    load(tmp_path / "one.safetensors")
    monkeypatch.undo()
    (tmp_path / "file").touch()
    load(tmp_path / "file" / "one.safetensors")
    assert os.listdir(tmp_path) == ["file"]
