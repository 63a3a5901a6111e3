"""Validation of DeepSpeed files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from starchat_tui.errors import ConfigError
from train.config import Config
from train.runtime import deepspeed_file

GATHERED = "stage3_gather_16bit_weights_on_model_save"


@pytest.mark.parametrize("name", ["optimizer", "scheduler"])
def test_a_deepspeed_file_that_overrides_the_recipe_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "zero.json"
    path.write_text(json.dumps({"zero_optimization": {"stage": 3}, name: {"type": "x"}}))
    with pytest.raises(ConfigError, match=f"has `{name}`"):
        deepspeed_file.read_deepspeed_file(str(path))


@pytest.mark.parametrize("zero", [{"stage": 3}, {"stage": 3, GATHERED: False}, [3]])
def test_a_deepspeed_file_that_would_save_no_weights_is_refused(tmp_path: Path, zero: Any) -> None:
    path = tmp_path / "zero.json"
    path.write_text(json.dumps({"zero_optimization": zero}))
    with pytest.raises(ConfigError, match=r"zero_optimization|gather the weights"):
        deepspeed_file.read_deepspeed_file(str(path))
    path.write_text(json.dumps({"zero_optimization": {"stage": 3, GATHERED: True}}))
    assert deepspeed_file.read_deepspeed_file(str(path))


def test_our_deepspeed_file_is_valid() -> None:
    found = deepspeed_file.read_deepspeed_file("train/configs/zero3.json")
    assert found["zero_optimization"][GATHERED]
    assert deepspeed_file.resolve_sharding(Config(deepspeed="train/configs/zero3.json")) == (
        "zero3",
        False,
    )


GATHERED = "stage3_gather_16bit_weights_on_model_save"
