"""Muon: an orthogonalized update, and the rate of every group of parameters."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.sample_tokenizers import ROOT
from tests.train.random_trees import create_tiny_model
from train.config import Config, load_config
from train.modeling.muon import Muon, create_muon_optimizers, orthogonalize
from train.modeling.optimizers import create_optimizer

DEMO = ROOT / "train" / "configs" / "demo.yaml"


def rates_of(config: Config) -> tuple[float, float, float]:
    """Return the peak rates of a block matrix, the embedding, and the position embedding."""
    model = create_tiny_model(64, dtype=torch.float32)
    optimizer = create_optimizer(model, config)
    assert optimizer is not None
    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    assert len(rates) == len(list(model.parameters()))
    body = model.transformer
    layers = (body.h[0].mlp.c_fc.weight, body.wte.weight, body.wpe.weight)
    hidden, embedding, positions = (rates[id(weight)] for weight in layers)
    return hidden, embedding, positions


def test_position_embeddings_are_trained_at_the_full_rate() -> None:
    config = Config(optimizer="muon", muon_rate=0.02, learning_rate=2e-5)
    assert rates_of(config) == (0.02, 2e-5, 2e-5)


def test_the_demo_keeps_its_position_embeddings(tmp_path: Path) -> None:
    config = load_config(DEMO, ["--muon-rate", "0.02", "--learning-rate", "2e-5"])
    assert rates_of(config) == (0.02, 2e-5, 2e-5 / 100)


@pytest.mark.parametrize("shape", [(24, 60), (60, 24), (40, 40)])
def test_an_orthogonalized_matrix_has_singular_values_near_one(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0)) * 7
    found = orthogonalize(matrix)
    assert found.shape == shape
    values = torch.linalg.svdvals(found)
    assert values.max() < 1.3
    assert values.median() > 0.6


def test_muon_ignores_the_size_of_the_gradient() -> None:
    """Its steps have one size, whatever the scale of the loss."""
    gradient = torch.randn(8, 8, generator=torch.Generator().manual_seed(1))
    moved = []
    for scale in (1.0, 1000.0):
        weight = torch.nn.Parameter(torch.zeros(8, 8))
        weight.grad = scale * gradient
        Muon([weight], lr=0.1).step()
        moved.append(weight.detach())
    assert torch.allclose(moved[0], moved[1], atol=1e-3)
    assert moved[0].abs().max() > 0


def test_an_explicit_position_rate_counts_for_positions_alone() -> None:
    model = create_tiny_model(64, dtype=torch.float32)
    _, adamw = create_muon_optimizers(model, muon_rate=1, adam_rate=0.3, position_rate=0.01)
    assert [group["lr"] for group in adamw.param_groups] == [0.3, 0.01]
    (positions,) = adamw.param_groups[1]["params"]
    assert positions is model.transformer.wpe.weight
