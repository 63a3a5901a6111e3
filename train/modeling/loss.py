"""Weighted cross-entropy over a large vocabulary, computed in chunks."""

from __future__ import annotations

from typing import Any

import torch

from starchat_tui.templates.template import IGNORE_INDEX

CHUNK = 512
"""Tokens whose scores are in memory at a time."""


def total_weight(labels: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Return the total weight of the learned tokens in `labels` [B, T]: a scalar."""
    # Labels are not shifted: position t is scored on label t + 1, so the first is never a target.
    return weights[:, 1:][labels[:, 1:] != IGNORE_INDEX].sum()


class _CrossEntropySum(torch.autograd.Function):
    """Weighted sum of cross-entropies; computes its gradient along with its value."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: torch.Tensor,
        head: torch.Tensor,
        targets: torch.Tensor,
        weights: torch.Tensor,
    ) -> torch.Tensor:
        # One cast for all chunks: under autocast the head is float32 and the products are bfloat16.
        low = head.to(hidden.dtype)
        by_hidden = torch.empty_like(hidden)
        # float32, because many chunks are added up, whatever the dtype of the head.
        by_head = torch.zeros_like(head, dtype=torch.float32)
        total = torch.zeros((), device=hidden.device)
        for start in range(0, len(targets), CHUNK):
            piece = slice(start, start + CHUNK)
            h, t, w = hidden[piece], targets[piece, None], weights[piece, None].float()
            # logsumexp in bfloat16 would round the loss itself, at about 3 significant digits.
            scores = (h @ low.T).float()
            scale = scores.logsumexp(1, keepdim=True)
            total += ((scale - scores.gather(1, t)) * w).sum()
            if not any(ctx.needs_input_grad):
                continue
            # d loss / d scores = softmax - one-hot, written over the scores to save their memory.
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


def sum_cross_entropy(
    hidden: torch.Tensor, head: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor
) -> torch.Tensor:
    """Return the weighted sum of cross-entropies, a float32 scalar.

    The scores are the largest tensor of a large vocabulary. They are computed and released chunk by
    chunk, and the gradient is computed with them, so they never exist all at once.

    Args:
        hidden: Hidden states [N, D] of the positions that are scored.
        head: Output matrix [V, D].
        targets: Next ids [N].
        weights: Loss weights [N].
    """
    loss: torch.Tensor = _CrossEntropySum.apply(hidden, head, targets, weights)  # type: ignore[no-untyped-call]
    return loss
