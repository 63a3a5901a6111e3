"""The loss of rows whose tokens do not all count alike."""

from __future__ import annotations

import torch

from starchat_tui.template import IGNORED


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
