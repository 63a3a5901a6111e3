"""Output head of a model that returns the loss of learned tokens instead of all scores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from starchat_tui.templates.template import IGNORE_INDEX
from train.modeling.loss import sum_cross_entropy

Batch = dict[str, torch.Tensor]


class LossHead:
    """Replacement of a model's output head that returns a loss while a batch is set.

    The scores of all tokens are the largest tensor of a small model, and of one with a large
    vocabulary, and a fifth to a half of them belongs to tokens that are not learned. While a batch
    is set, the head sees only hidden states whose next token is learned, and a plain matrix returns
    their loss directly (`loss.sum_cross_entropy`). A head that is sharded, or replaced by PEFT,
    returns scores [N, V] of those.
    """

    def __init__(self, model: Any, *, sharded: bool) -> None:
        self._batch: Batch | None = None
        self._head: nn.Module = model.get_output_embeddings()
        plain = type(self._head) is nn.Linear and self._head.bias is None
        # DeepSpeed and FSDP gather a sharded weight around the forward and backward of its module.
        self._plain = plain and not sharded
        if self._plain:
            self._scores = self._head.forward
            self._head.forward = self._head_forward
        else:
            self._head.register_forward_pre_hook(self._select_hidden)

    def sum_losses(self, model: Callable[..., Any], batch: Batch) -> torch.Tensor:
        """Return the weighted sum of the losses of a batch, a float32 scalar."""
        self._batch = batch
        try:
            kept = ("input_ids", "position_ids", "attention_mask")
            given = {name: batch[name] for name in kept if name in batch}
            found: torch.Tensor = model(**given, use_cache=False).logits
        finally:
            self._batch = None
        if self._plain:
            return found
        labels, weights = select_targets(batch)
        each = nn.functional.cross_entropy(found.float(), labels, reduction="none")
        return (each * weights).sum()

    def _head_forward(self, hidden: torch.Tensor) -> torch.Tensor:
        if self._batch is None:
            scores: torch.Tensor = self._scores(hidden)
            return scores
        kind = hidden.device.type
        # The final norm returns float32 under autocast; cast it, as a linear layer would.
        if torch.is_autocast_enabled(kind):
            hidden = hidden.to(torch.get_autocast_dtype(kind))
        head: torch.Tensor = self._head.weight  # type: ignore[assignment]
        return sum_cross_entropy(
            hidden[:, :-1][learned_positions(self._batch)], head, *select_targets(self._batch)
        )

    def _select_hidden(self, head: nn.Module, given: tuple[torch.Tensor, ...]) -> Any:
        if self._batch is None:
            return None
        return (given[0][:, :-1][learned_positions(self._batch)], *given[1:])


def learned_positions(batch: Batch) -> torch.Tensor:
    """Return a mask [B, T - 1], True where the next token is learned."""
    return batch["labels"][:, 1:] != IGNORE_INDEX


def select_targets(batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the learned labels [N] of a batch, and their weights [N]."""
    chosen = learned_positions(batch)
    return batch["labels"][:, 1:][chosen], batch["weights"][:, 1:][chosen]
