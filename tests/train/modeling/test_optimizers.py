"""Muon and AdamW as one optimizer, and AdamW in the backward pass."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import nn

from train.config import Config
from train.modeling.muon import create_muon_optimizers
from train.modeling.optimizers import (
    AdamWInBackward,
    JoinedOptimizer,
    create_optimizer,
    store_rounded,
)


def create_net(seed: int = 0) -> nn.Module:
    """Return parameters named as in a transformer: block matrices, positions, the rest."""
    torch.manual_seed(seed)
    layers = {
        "wte": nn.Embedding(11, 8),
        "wpe": nn.Embedding(5, 8),
        "h": nn.ModuleList([nn.Linear(8, 16), nn.Linear(16, 8)]),
    }
    return nn.ModuleDict({"transformer": nn.ModuleDict(layers)})


def loss_of(model: nn.Module, step: int) -> torch.Tensor:
    torch.manual_seed(step)
    ids = torch.randint(0, 11, (4, 5))
    layers: Any = model.get_submodule("transformer")
    hidden = layers["wte"](ids) + layers["wpe"](torch.arange(5))
    for block in layers["h"]:
        hidden = block(hidden).tanh()
    scores = hidden @ layers["wte"].weight.T
    return nn.functional.cross_entropy(scores.flatten(0, 1), ids.flatten())


def train_steps(model: nn.Module, optims: list[torch.optim.Optimizer], steps: range) -> None:
    for step in steps:
        loss_of(model, step).backward()  # type: ignore[no-untyped-call]
        for optim in optims:
            optim.step()
            optim.zero_grad()


def are_equal(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_a_joined_optimizer_equals_its_parts() -> None:
    one, other = create_net(), create_net()
    train_steps(
        one,
        [JoinedOptimizer(create_muon_optimizers(one, muon_rate=0.02, adam_rate=0.01))],
        range(5),
    )
    train_steps(other, create_muon_optimizers(other, muon_rate=0.02, adam_rate=0.01), range(5))
    assert are_equal(one, other)
    assert not are_equal(one, create_net())


def test_a_joined_optimizer_resumes_and_follows_a_schedule() -> None:
    one = create_net()
    optim = JoinedOptimizer(create_muon_optimizers(one, muon_rate=0.02, adam_rate=0.01))
    train_steps(one, [optim], range(3))
    other = deepcopy(one)
    again = JoinedOptimizer(create_muon_optimizers(other, muon_rate=0.02, adam_rate=0.01))
    again.load_state_dict(deepcopy(optim.state_dict()))
    for each in (optim, again):
        for group in each.param_groups:
            group["lr"] *= 0.5
    train_steps(one, [optim], range(3, 6))
    train_steps(other, [again], range(3, 6))
    assert are_equal(one, other)


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_in_backward_equals_adamw(decay: float) -> None:
    one, other = create_net(), create_net()
    optim = AdamWInBackward(list(one.parameters()), lr=0.01, weight_decay=decay)
    train_steps(one, [optim], range(6))
    adam = torch.optim.AdamW(other.parameters(), lr=0.01, weight_decay=decay, eps=1e-8)
    train_steps(other, [adam], range(6))
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-6)
    assert all(weight.grad is None for weight in one.parameters())


def test_in_backward_keeps_no_gradient_between_the_layers() -> None:
    model = create_net()
    optim = AdamWInBackward(list(model.parameters()), lr=0.01)
    loss_of(model, 0).backward()  # type: ignore[no-untyped-call]
    assert all(weight.grad is None for weight in model.parameters())
    assert not are_equal(model, create_net()), "backward alone has moved them"
    optim.step()


def test_in_backward_resumes_from_its_state() -> None:
    one = create_net()
    optim = AdamWInBackward(list(one.parameters()), lr=0.01)
    train_steps(one, [optim], range(3))
    other = create_net(1)
    other.load_state_dict(one.state_dict())
    again = AdamWInBackward(list(other.parameters()), lr=0.5)
    again.load_state_dict(deepcopy(optim.state_dict()))
    train_steps(one, [optim], range(3, 6))
    train_steps(other, [again], range(3, 6))
    assert are_equal(one, other)


def test_small_steps_in_bfloat16_are_not_lost() -> None:
    """A thousand steps of 1e-4 from 1.0, each a fortieth of what bfloat16 can tell apart there."""
    value = torch.ones(4000, dtype=torch.bfloat16)
    nearest = value.clone()
    for _ in range(1000):
        store_rounded(value, value.float() + 1e-4)
        nearest += 1e-4
    assert torch.equal(nearest, torch.ones_like(nearest)), "rounded to the nearest, nothing moves"
    assert float(value.float().mean()) == pytest.approx(1.1, abs=0.002)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_stochastic_rounding_picks_a_neighbour(sign: float) -> None:
    target = torch.empty(10_000, dtype=torch.bfloat16)
    store_rounded(target, torch.full((10_000,), sign * (1 + 2**-9)))
    assert set(target.float().abs().tolist()) == {1.0, 1 + 2**-7}
    store_rounded(target, torch.full((10_000,), sign * 1.5))
    assert set(target.float().tolist()) == {sign * 1.5}


def test_the_configuration_selects_the_optimizer() -> None:
    assert create_optimizer(create_net(), Config()) is None
    assert isinstance(
        create_optimizer(create_net(), Config(optimizer="in_backward")), AdamWInBackward
    )
    assert isinstance(
        create_optimizer(create_net(), Config(optimizer="muon", muon_rate=0.01)), JoinedOptimizer
    )
