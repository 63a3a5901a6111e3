"""Muon for the hidden matrices, AdamW for the rest: about twice as far on the same CPU minutes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from train.modeling.compute import precision

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Coefficients of the quintic iteration; source: Keller Jordan, Muon (2024)."""
MOMENTUM = 0.95


def orthogonal(matrix: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """The nearest half-orthogonal matrix [M, N], approximately; in bfloat16 where that is fast."""
    a, b, c = NEWTON_SCHULZ
    wide = matrix.size(0) <= matrix.size(1)
    x: torch.Tensor = (matrix if wide else matrix.T) / (matrix.norm() + 1e-7)
    x = x.to(precision())
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x if wide else x.T).to(matrix.dtype)


class Muon(torch.optim.Optimizer):
    """Momentum whose update is made orthogonal; for matrices only."""

    def __init__(self, params: Iterable[torch.nn.Parameter], lr: float) -> None:
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        """One update of every parameter that has a gradient."""
        for group in self.param_groups:
            for param in group["params"]:
                if param.grad is None:
                    continue
                state = self.state[param]
                momentum = state.setdefault("momentum", torch.zeros_like(param))
                momentum.lerp_(param.grad, 1 - MOMENTUM)
                update = orthogonal(param.grad.lerp(momentum, MOMENTUM))
                scale = max(1.0, param.size(0) / param.size(1)) ** 0.5
                param.mul_(1 - group["lr"] * 0.01).add_(update, alpha=-group["lr"] * scale)


def optimizers(model: torch.nn.Module, *, muon: float, adam: float) -> list[torch.optim.Optimizer]:
    """Both optimizers, each with its peak rate.

    Positions learn a hundred times slower: AdamW moves each entry by about its rate at every step,
    and would wash out the waves that copying rests on (`circuit`).
    """
    hidden: list[torch.nn.Parameter] = []
    positions: list[torch.nn.Parameter] = []
    rest: list[torch.nn.Parameter] = []
    for name, param in model.named_parameters():
        matrix = param.ndim == 2 and ".h." in name
        (hidden if matrix else positions if ".wpe." in name else rest).append(param)
    slow: dict[str, Any] = {"params": positions, "lr": adam / 100, "weight_decay": 0.0}
    groups: list[dict[str, Any]] = [{"params": rest}, slow]
    adamw = torch.optim.AdamW(groups, lr=adam, betas=(0.9, 0.95), weight_decay=0.01, fused=True)
    return [Muon(hidden, muon), adamw]
