"""Optimizers that transformers lacks: Muon with AdamW, and AdamW in the backward pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from train.config import Config
from train.modeling.muon import create_muon_optimizers

BETAS = (0.9, 0.999)
EPSILON = 1e-8


def create_optimizer(model: nn.Module, config: Config) -> torch.optim.Optimizer | None:
    """Return the optimizer of a configuration; None leaves it to transformers (AdamW)."""
    if config.optimizer == "muon":
        return JoinedOptimizer(
            create_muon_optimizers(
                model,
                muon_rate=config.muon_rate,
                adam_rate=config.learning_rate,
                position_rate=config.learning_rate / config.position_rate_divisor,
            )
        )
    if config.optimizer == "in_backward":
        return AdamWInBackward(
            [weight for weight in model.parameters() if weight.requires_grad],
            lr=config.learning_rate,
            weight_decay=config.weight_decay,
        )
    return None


class JoinedOptimizer(torch.optim.Optimizer):
    """Several optimizers as one, so that one schedule drives all their parameter groups."""

    def __init__(self, parts: Sequence[torch.optim.Optimizer]) -> None:
        self.parts = list(parts)
        super().__init__([group for part in self.parts for group in part.param_groups], {})
        self._share_groups()

    def _share_groups(self) -> None:
        """Expose the parts' own groups, so that a rate set here is set there."""
        self.param_groups = [group for part in self.parts for group in part.param_groups]

    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Take one step with each part."""
        assert closure is None, "a closure would be called by every part"
        for part in self.parts:
            part.step()

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clear the gradients of all parts."""
        for part in self.parts:
            part.zero_grad(set_to_none=set_to_none)

    def state_dict(self) -> dict[str, Any]:
        """Return the state of each part, in order."""
        return {"parts": [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        for part, state in zip(self.parts, state_dict["parts"], strict=True):
            part.load_state_dict(state)
        self._share_groups()


class AdamWInBackward(torch.optim.Optimizer):
    """AdamW that updates each parameter once its gradient exists, and frees the gradient.

    The gradients never exist all at once, so 6 bytes a parameter suffice in bfloat16 (the idea of
    LOMO, Lv et al., 2023, with AdamW's states). A step of 2e-5 is far below the resolution of
    bfloat16, so weights are rounded stochastically, which keeps the sum of many small steps
    unbiased. Gradients cannot be accumulated or clipped.
    """

    def __init__(
        self, params: Sequence[nn.Parameter], *, lr: float, weight_decay: float = 0.0
    ) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})
        for group in self.param_groups:
            for weight in group["params"]:
                weight.register_post_accumulate_grad_hook(self._update_weight)
        # By identity: hooks get the tensor only, and the schedule changes rates in the groups.
        self._group = {id(w): group for group in self.param_groups for w in group["params"]}

    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Do nothing: the backward pass has updated the weights."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore a saved state."""
        super().load_state_dict(state_dict)
        # torch replaces the group dictionaries, which the lookup must follow.
        self._group = {id(w): group for group in self.param_groups for w in group["params"]}

    @torch.no_grad()
    def _update_weight(self, weight: torch.Tensor) -> None:
        """Take one AdamW step (Loshchilov and Hutter, 2019, algorithm 2) with one parameter."""
        assert weight.grad is not None
        group, state = self._group[id(weight)], self.state[weight]
        if not state:
            state["step"] = 0
            state["mean"] = torch.zeros_like(weight)
            state["square"] = torch.zeros_like(weight)
        state["step"] += 1
        # The moments are kept in the dtype of the weight and computed in float32.
        gradient = weight.grad.float()
        mean = state["mean"].float().lerp_(gradient, 1 - BETAS[0])
        square = state["square"].float().lerp_(gradient.square(), 1 - BETAS[1])
        corrected = 1 - BETAS[0] ** state["step"]
        root = (square / (1 - BETAS[1] ** state["step"])).sqrt_().add_(EPSILON)
        # Decoupled decay first, as in torch.optim.AdamW, which a test compares with.
        moved = weight.float().mul_(1 - group["lr"] * group["weight_decay"])
        moved.addcdiv_(mean, root, value=-group["lr"] / corrected)
        store_rounded(weight, moved)
        store_rounded(state["mean"], mean)
        store_rounded(state["square"], square)
        weight.grad = None


def store_rounded(target: torch.Tensor, value: torch.Tensor) -> None:
    """Copy float32 `value` into `target`; in bfloat16 with stochastic rounding.

    bfloat16 drops the low 16 bits of a float32. Adding a random 16-bit number before truncating
    carries into the kept bits with exactly the probability that the dropped part is large.
    """
    if target.dtype != torch.bfloat16:
        target.copy_(value)
        return
    bits = value.contiguous().view(torch.int32)
    noise = torch.randint(0, 1 << 16, bits.shape, dtype=torch.int32, device=bits.device)
    target.copy_(((bits + noise) & -65536).view(torch.float32))
