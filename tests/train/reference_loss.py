"""Reference loss: the textbook formula that the trained loss is compared with."""

from __future__ import annotations

import torch

from starchat_tui.templates.template import IGNORE_INDEX


def mean_cross_entropy(
    logits: torch.Tensor,
    labels: torch.Tensor,
    weights: torch.Tensor,
    *,
    total: torch.Tensor | float | None = None,
) -> torch.Tensor:
    """Return the weighted mean cross-entropy, a scalar in at least float32.

    Args:
        logits: Scores [B, T, V].
        labels: Ids [B, T], not shifted: position t is scored on label t + 1.
        weights: Weights [B, T] of the labels, not shifted either.
        total: Divisor, such as the weight of a whole step; None for the weight of these labels.
    """
    targets, counts = labels[:, 1:], weights[:, 1:]
    learned = targets != IGNORE_INDEX
    scores = logits[:, :-1][learned]
    if scores.dtype not in (torch.float32, torch.float64):
        scores = scores.float()
    each = torch.nn.functional.cross_entropy(scores, targets[learned].long(), reduction="none")
    kept = counts[learned].to(each.dtype)
    # A row without learned tokens has loss and gradient 0, rather than 0 / 0.
    divisor = kept.sum().clamp_min(torch.finfo(each.dtype).tiny) if total is None else total
    return (each * kept).sum() / divisor
