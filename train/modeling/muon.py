"""Muon for the hidden matrices, AdamW for everything else.

Source: Keller Jordan et al., Muon: An optimizer for hidden layers in neural networks (2024).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from train.modeling.compute import matmul_dtype

# Jordan tuned the quintic for the steepest slope at zero: five steps bring singular values close to
# 1 (about 0.7 to 1.2), but never exactly to it, which the update does not need.
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Coefficients a, b, c of the iteration X <- a X + (b A + c A A) X with A = X X^T."""
MOMENTUM = 0.95
WEIGHT_DECAY = 0.01
"""Decoupled weight decay of both optimizers; position embeddings have none."""


def orthogonalize(matrix: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """Approximate the semi-orthogonal matrix nearest to `matrix` [M, N]; same shape and dtype.

    Computed in bfloat16 where the hardware multiplies it natively, else in float32.
    """
    a, b, c = NEWTON_SCHULZ
    # The Gram matrix is taken on the short side, which makes it the smaller of the two products.
    wide = matrix.size(0) <= matrix.size(1)
    # The iteration needs singular values of at most 1, and the Frobenius norm bounds the largest.
    x: torch.Tensor = (matrix if wide else matrix.T) / (matrix.norm() + 1e-7)
    x = x.to(matmul_dtype())
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x if wide else x.T).to(matrix.dtype)


class Muon(torch.optim.Optimizer):
    """Nesterov momentum with an orthogonalized update, for matrices only."""

    def __init__(self, params: Iterable[torch.nn.Parameter], lr: float) -> None:
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient."""
        for group in self.param_groups:
            for param in group["params"]:
                if param.grad is None:
                    continue
                state = self.state[param]
                momentum = state.setdefault("momentum", torch.zeros_like(param))
                momentum.lerp_(param.grad, 1 - MOMENTUM)
                update = orthogonalize(param.grad.lerp(momentum, MOMENTUM))
                # Tall matrices get a larger step, so that outputs of every width move alike.
                scale = max(1.0, param.size(0) / param.size(1)) ** 0.5
                decay = 1 - group["lr"] * WEIGHT_DECAY
                param.mul_(decay).add_(update, alpha=-group["lr"] * scale)


def create_muon_optimizers(
    model: torch.nn.Module,
    *,
    muon_rate: float,
    adam_rate: float,
    position_rate: float | None = None,
) -> list[torch.optim.Optimizer]:
    """Create Muon for the matrices of the blocks, and AdamW for all other parameters.

    Args:
        model: A GPT-2-like model: blocks are named `h`, position embeddings `wpe`.
        muon_rate: Peak rate of Muon.
        adam_rate: Peak rate of AdamW.
        position_rate: Peak AdamW rate of the position embeddings; None for `adam_rate`.

    Returns:
        Muon, then AdamW with two parameter groups: the rest, and the position embeddings.
    """
    hidden: list[torch.nn.Parameter] = []
    positions: list[torch.nn.Parameter] = []
    rest: list[torch.nn.Parameter] = []
    for name, param in model.named_parameters():
        matrix = param.ndim == 2 and ".h." in name
        (hidden if matrix else positions if ".wpe." in name else rest).append(param)
    position_group: dict[str, Any] = {
        "params": positions,
        "lr": adam_rate if position_rate is None else position_rate,
        "weight_decay": 0.0,
    }
    adamw = torch.optim.AdamW(
        [{"params": rest}, position_group],
        lr=adam_rate,
        betas=(0.9, 0.95),
        weight_decay=WEIGHT_DECAY,
        fused=True,
    )
    return [Muon(hidden, muon_rate), adamw]
