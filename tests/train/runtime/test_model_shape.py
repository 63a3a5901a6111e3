"""Shape of a model, measured without its weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from starchat_tui.errors import ModelUnavailable
from tests.train.small_run import save_base
from train.config import Config
from train.runtime import model_shape


def test_the_shape_of_a_model_is_measured(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    base = save_base(tmp_path / "base")
    shape = model_shape.measure_shape(model_shape.load_model_config(str(base)), Config(lora_rank=4))
    model = AutoModelForCausalLM.from_pretrained(base)
    assert shape.parameters == sum(weight.numel() for weight in model.parameters())
    assert (shape.layers, shape.width, shape.inner, shape.keys) == (2, 32, 128, 8)
    # c_attn 32 to 48, c_proj 32 to 32 and 128 to 32, c_fc 32 to 128; twice.
    assert shape.adapter == 2 * 4 * ((32 + 48) + (32 + 32) + (32 + 128) + (128 + 32))


def test_a_folder_without_a_model_is_a_typed_error(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable):
        model_shape.load_model_config(str(tmp_path))
