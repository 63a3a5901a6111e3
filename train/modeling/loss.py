"""The loss of rows whose tokens do not all count alike."""

from __future__ import annotations

from typing import Any

import torch

from starchat_tui.templates.template import IGNORED

PIECE = 512
"""Tokens whose scores stand in memory at a time."""


def weighted(
    logits: torch.Tensor,
    labels: torch.Tensor,
    weights: torch.Tensor,
    *,
    total: torch.Tensor | float | None = None,
) -> torch.Tensor:
    """Weighted mean cross-entropy, a scalar, in at least float32.

    `logits` [B, T, V]; `labels` and `weights` [B, T], not shifted: position t is scored on label
    t + 1 with weight t + 1. Divided by `total` where it is given (the weight of a whole step, over
    micro-batches and processes), else by the weight here.
    """
    targets, counts = labels[:, 1:], weights[:, 1:]
    learned = targets != IGNORED
    scores = logits[:, :-1][learned]
    if scores.dtype not in (torch.float32, torch.float64):
        scores = scores.float()
    each = torch.nn.functional.cross_entropy(scores, targets[learned].long(), reduction="none")
    kept = counts[learned].to(each.dtype)
    # A row in which nothing is learned has no loss and no gradient, rather than 0 / 0.
    divisor = kept.sum().clamp_min(torch.finfo(each.dtype).tiny) if total is None else total
    return (each * kept).sum() / divisor


def weight_of(labels: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """The weight that `weighted` counts in `labels` [B, T]: a scalar, to be summed for `total`."""
    return weights[:, 1:][labels[:, 1:] != IGNORED].sum()


class _Summed(torch.autograd.Function):
    """Weighted sum of cross-entropies, its gradient made along with its value."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: torch.Tensor,
        head: torch.Tensor,
        targets: torch.Tensor,
        weights: torch.Tensor,
    ) -> torch.Tensor:
        low = head.to(hidden.dtype)
        by_hidden = torch.empty_like(hidden)
        by_head = torch.zeros_like(head, dtype=torch.float32)
        total = torch.zeros((), device=hidden.device)
        for start in range(0, len(targets), PIECE):
            piece = slice(start, start + PIECE)
            h, t, w = hidden[piece], targets[piece, None], weights[piece, None].float()
            scores = (h @ low.T).float()
            scale = scores.logsumexp(1, keepdim=True)
            total += ((scale - scores.gather(1, t)) * w).sum()
            if not any(ctx.needs_input_grad):
                continue
            gradient = scores.sub_(scale).exp_()
            gradient.scatter_add_(1, t, torch.full_like(scale, -1.0))
            small = gradient.mul_(w).to(hidden.dtype)
            by_hidden[piece] = small @ low
            by_head += (small.T @ h).float()
        ctx.save_for_backward(by_hidden, by_head.to(head.dtype))
        return total

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None, None]:
        by_hidden, by_head = ctx.saved_tensors
        return by_hidden * gradient, by_head * gradient, None, None


def summed(
    hidden: torch.Tensor, head: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor
) -> torch.Tensor:
    """Weighted sum of the cross-entropies of `targets` [N], a float32 scalar.

    `hidden` [N, D] is scored by the matrix `head` [V, D], piece by piece: the scores, the largest
    tensor of a large vocabulary, never exist all at once, not even for the gradient.
    """
    loss: torch.Tensor = _Summed.apply(hidden, head, targets, weights)  # type: ignore[no-untyped-call]
    return loss
