"""Loading of the model to train."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from starchat_tui.errors import ConfigError, ModelUnavailable
from tests.train.small_run import ROWS
from train.config import Config
from train.modeling.model_loading import adapter_base_name, load_model
from train.modeling.tokenizer_extension import ExtendedTokenizer, extend_tokenizer
from train.run_setup import TrainingSetup

CPU = TrainingSetup(1, 1, 1, gpu=False, half=False, tokens=1, block=1, masked=True)


@pytest.fixture
def tokenizer(base: Path) -> ExtendedTokenizer:
    return extend_tokenizer(base / "tokenizer.json", rows=ROWS)


def test_a_model_is_ready_to_train(base: Path, tokenizer: ExtendedTokenizer) -> None:
    config = Config(dropout=0.25)
    model = load_model(str(base), config, CPU, tokenizer)
    assert model.get_input_embeddings().weight.shape[0] == tokenizer.rows
    assert not model.config.use_cache
    rates = {module.p for module in model.modules() if isinstance(module, torch.nn.Dropout)}
    assert rates == {0.25}
    assert {model.config.attn_pdrop, model.config.resid_pdrop} == {0.25}


@pytest.mark.parametrize(
    ("changes", "dtype"),
    [
        ({}, torch.float32),
        ({"half": True}, torch.float32),
        ({"half": True, "in_backward": True}, torch.bfloat16),
    ],
)
def test_weights_are_bfloat16_only_where_no_update_is_lost(
    base: Path, tokenizer: ExtendedTokenizer, changes: dict[str, Any], dtype: torch.dtype
) -> None:
    assert load_model(str(base), Config(), replace(CPU, **changes), tokenizer).dtype == dtype


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_an_adapter_trains_its_matrices_and_the_control_tokens(
    base: Path, tokenizer: ExtendedTokenizer
) -> None:
    model = load_model(str(base), Config(model=str(base), lora_rank=2), CPU, tokenizer)
    trained = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert trained
    assert all("lora_" in name or "trainable_tokens" in name for name in trained)
    assert model.peft_config["default"].base_model_name_or_path == adapter_base_name(str(base))


def test_unknown_matrices_and_missing_models_are_typed_errors(
    base: Path, tokenizer: ExtendedTokenizer, tmp_path: Path
) -> None:
    config = Config(lora_rank=2, lora_targets=("q_proj",))
    with pytest.raises(ConfigError, match="no `q_proj`"):
        load_model(str(base), config, CPU, tokenizer)
    with pytest.raises(ModelUnavailable, match="cannot be loaded"):
        load_model(str(tmp_path), Config(), CPU, tokenizer)


def test_a_base_model_on_the_hub_keeps_its_name() -> None:
    assert adapter_base_name("owner/absent") == "owner/absent"
