"""Preparation of a model for training on this machine."""

from __future__ import annotations

import pytest
import torch

from tests.train.random_trees import create_tiny_model
from train.modeling.attention import BLOCKWISE
from train.modeling.compute import prepare_for_training, training_device


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU uses sdpa")
def test_a_model_is_prepared_and_restored() -> None:
    model = create_tiny_model(64, dtype=torch.float32)
    model.config.use_cache = True
    model.train(False)
    with prepare_for_training(model):
        assert model.training
        assert model.device == training_device()
        assert not model.config.use_cache
        assert model.config._attn_implementation == BLOCKWISE
    assert model.config.use_cache
    assert model.config._attn_implementation == "sdpa"


def test_an_error_restores_the_configuration() -> None:
    model = create_tiny_model(64, dtype=torch.float32)
    with pytest.raises(KeyError), prepare_for_training(model):
        raise KeyError
    assert model.config._attn_implementation == "sdpa"
