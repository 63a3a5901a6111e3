"""Muon with AdamW as one optimizer, and AdamW applied in backward."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import nn

from train.config import Config
from train.modeling.muon import optimizers as both
from train.modeling.optimizers import InBackward, Joined, chosen, store


def net(seed: int = 0) -> nn.Module:
    """Parameters named as a transformer's: hidden matrices, positions, the rest."""
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


def trained(model: nn.Module, optims: list[torch.optim.Optimizer], steps: range) -> None:
    for step in steps:
        loss_of(model, step).backward()  # type: ignore[no-untyped-call]
        for optim in optims:
            optim.step()
            optim.zero_grad()


def equal(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_joined_is_its_parts() -> None:
    one, other = net(), net()
    trained(one, [Joined(both(one, muon=0.02, adam=0.01))], range(5))
    trained(other, both(other, muon=0.02, adam=0.01), range(5))
    assert equal(one, other)
    assert not equal(one, net())


def test_joined_goes_on_from_its_state_and_obeys_a_schedule() -> None:
    one = net()
    optim = Joined(both(one, muon=0.02, adam=0.01))
    trained(one, [optim], range(3))
    other = deepcopy(one)
    again = Joined(both(other, muon=0.02, adam=0.01))
    again.load_state_dict(deepcopy(optim.state_dict()))
    for each in (optim, again):
        for group in each.param_groups:
            group["lr"] *= 0.5
    trained(one, [optim], range(3, 6))
    trained(other, [again], range(3, 6))
    assert equal(one, other)


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_in_backward_is_adamw(decay: float) -> None:
    one, other = net(), net()
    optim = InBackward(list(one.parameters()), lr=0.01, weight_decay=decay)
    trained(one, [optim], range(6))
    adam = torch.optim.AdamW(other.parameters(), lr=0.01, weight_decay=decay, eps=1e-8)
    trained(other, [adam], range(6))
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-6)
    assert all(weight.grad is None for weight in one.parameters())


def test_in_backward_keeps_no_gradient_between_the_layers() -> None:
    model = net()
    optim = InBackward(list(model.parameters()), lr=0.01)
    loss_of(model, 0).backward()  # type: ignore[no-untyped-call]
    assert all(weight.grad is None for weight in model.parameters())
    assert not equal(model, net()), "backward alone has moved them"
    optim.step()


def test_in_backward_goes_on_from_its_state() -> None:
    one = net()
    optim = InBackward(list(one.parameters()), lr=0.01)
    trained(one, [optim], range(3))
    other = net(1)
    other.load_state_dict(one.state_dict())
    again = InBackward(list(other.parameters()), lr=0.5)
    again.load_state_dict(deepcopy(optim.state_dict()))
    trained(one, [optim], range(3, 6))
    trained(other, [again], range(3, 6))
    assert equal(one, other)


def test_small_steps_in_bfloat16_are_not_lost() -> None:
    """A thousand steps of 1e-4 from 1.0, each a fortieth of what bfloat16 can tell apart there."""
    value = torch.ones(4000, dtype=torch.bfloat16)
    nearest = value.clone()
    for _ in range(1000):
        store(value, value.float() + 1e-4)
        nearest += 1e-4
    assert torch.equal(nearest, torch.ones_like(nearest)), "rounded to the nearest, nothing moves"
    assert float(value.float().mean()) == pytest.approx(1.1, abs=0.002)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_rounding_goes_to_a_neighbour_and_keeps_what_fits(sign: float) -> None:
    target = torch.empty(10_000, dtype=torch.bfloat16)
    store(target, torch.full((10_000,), sign * (1 + 2**-9)))
    assert set(target.float().abs().tolist()) == {1.0, 1 + 2**-7}
    store(target, torch.full((10_000,), sign * 1.5))
    assert set(target.float().tolist()) == {sign * 1.5}


def test_the_configuration_names_it() -> None:
    assert chosen(net(), Config()) is None
    assert isinstance(chosen(net(), Config(optimizer="in_backward")), InBackward)
    assert isinstance(chosen(net(), Config(optimizer="muon", muon_rate=0.01)), Joined)
