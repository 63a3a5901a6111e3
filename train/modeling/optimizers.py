"""Optimizers that transformers does not bring: Muon with AdamW, and AdamW applied in backward."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from train.config import Config
from train.modeling.muon import optimizers as muon_and_adam

BETAS = (0.9, 0.999)
EPSILON = 1e-8


def chosen(model: nn.Module, config: Config) -> torch.optim.Optimizer | None:
    """The optimizer a configuration names; None leaves it to transformers (AdamW)."""
    if config.optimizer == "muon":
        made = muon_and_adam(model, muon=config.muon_rate, adam=config.learning_rate)
        return Joined(made)
    if config.optimizer == "in_backward":
        return InBackward(
            [weight for weight in model.parameters() if weight.requires_grad],
            lr=config.learning_rate,
            weight_decay=config.weight_decay,
        )
    return None


class Joined(torch.optim.Optimizer):
    """Several optimizers as one: their groups together, so that one schedule drives all."""

    def __init__(self, parts: Sequence[torch.optim.Optimizer]) -> None:
        self.parts = list(parts)
        super().__init__([group for part in self.parts for group in part.param_groups], {})
        self._share()

    def _share(self) -> None:
        """Let the groups be the parts' own, so that a rate set here is set there."""
        self.param_groups = [group for part in self.parts for group in part.param_groups]

    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One step of each part."""
        assert closure is None, "a closure would be called by every part"
        for part in self.parts:
            part.step()

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all."""
        for part in self.parts:
            part.zero_grad(set_to_none=set_to_none)

    def state_dict(self) -> dict[str, Any]:
        """The state of each part, in order."""
        return {"parts": [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the state that `state_dict` gave."""
        for part, state in zip(self.parts, state_dict["parts"], strict=True):
            part.load_state_dict(state)
        self._share()


class InBackward(torch.optim.Optimizer):
    """AdamW that moves each parameter as soon as its gradient is there, and then drops it.

    So the gradients never exist all at once, and 6 bytes a parameter are enough in bfloat16. A step
    of 2e-5 is far below bfloat16's resolution: weights are rounded at random, up or down in
    proportion, which keeps the sum of many small steps right. Gradients cannot be added up or
    clipped.
    """

    def __init__(
        self, params: Sequence[nn.Parameter], *, lr: float, weight_decay: float = 0.0
    ) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})
        for group in self.param_groups:
            for weight in group["params"]:
                weight.register_post_accumulate_grad_hook(self._arrived)
        self._group = {id(w): group for group in self.param_groups for w in group["params"]}

    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Nothing is left to do: backward has done it."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take a saved state; torch makes new groups of it."""
        super().load_state_dict(state_dict)
        self._group = {id(w): group for group in self.param_groups for w in group["params"]}

    @torch.no_grad()
    def _arrived(self, weight: torch.Tensor) -> None:
        """One AdamW step of one parameter (Loshchilov and Hutter, 2019, algorithm 2)."""
        assert weight.grad is not None
        group, state = self._group[id(weight)], self.state[weight]
        if not state:
            state["step"] = 0
            state["mean"] = torch.zeros_like(weight)
            state["square"] = torch.zeros_like(weight)
        state["step"] += 1
        gradient = weight.grad.float()
        mean = state["mean"].float().lerp_(gradient, 1 - BETAS[0])
        square = state["square"].float().lerp_(gradient.square(), 1 - BETAS[1])
        corrected = 1 - BETAS[0] ** state["step"]
        root = (square / (1 - BETAS[1] ** state["step"])).sqrt_().add_(EPSILON)
        moved = weight.float().mul_(1 - group["lr"] * group["weight_decay"])
        moved.addcdiv_(mean, root, value=-group["lr"] / corrected)
        store(weight, moved)
        store(state["mean"], mean)
        store(state["square"], square)
        weight.grad = None


def store(target: torch.Tensor, value: torch.Tensor) -> None:
    """Put float32 `value` in `target`; in bfloat16 rounded up or down at random, fairly.

    The 16 bits that bfloat16 drops are a number; adding a random one and cutting carries into the
    kept bits with exactly the probability that the dropped part is large.
    """
    if target.dtype != torch.bfloat16:
        target.copy_(value)
        return
    bits = value.contiguous().view(torch.int32)
    noise = torch.randint(0, 1 << 16, bits.shape, dtype=torch.int32, device=bits.device)
    target.copy_(((bits + noise) & -65536).view(torch.float32))
