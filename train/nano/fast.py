"""The two parts of a training step that take the longest on a CPU, written for it.

Attention in blocks of queries does half the work of a whole square and folds the heads, which
share one key and value, into the rows of one product. The loss makes its gradient along with its
value, piece by piece, so that the logits are never kept. Together with bfloat16 products, where the
processor has them, training the 3.5M model is about twice as fast.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers import AttentionInterface, GPTBigCodeForCausalLM

CAUSAL = "causal_blocks"
"""The name of `attention` for transformers."""
SMALLEST_BLOCK, BLOCKS = 96, 8
PIECE = 512
"""Learned positions whose logits stand in memory at a time."""


def attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Causal attention of queries [B, H, T, D] over one key and value [B, 1, T, D]: [B, T, H, D].

    Every row is one conversation: there is no mask but the causal one.
    """
    assert attention_mask is None, "rows of one conversation have no mask"
    assert key.size(1) == 1, key.shape
    batch, heads, length, head = query.shape
    block = max(SMALLEST_BLOCK, length // BLOCKS)
    forbidden = torch.full((block, block), -torch.inf, dtype=query.dtype).triu(1)
    made = []
    for start in range(0, length, block):
        end = min(start + block, length)
        size = end - start
        rows = (query[:, :, start:end] * scaling).reshape(batch, heads * size, head)
        scores = (rows @ key[:, 0, :end].transpose(1, 2)).view(batch, heads, size, end)
        scores[..., start:] += forbidden[:size, :size]
        weights = scores.softmax(-1, dtype=torch.float32).to(value.dtype)
        out = weights.view(batch, heads * size, end) @ value[:, 0, :end]
        made.append(out.view(batch, heads, size, head).transpose(1, 2))
    return torch.cat(made, 1), None


AttentionInterface.register(CAUSAL, attention)


class _CrossEntropy(torch.autograd.Function):
    """Mean cross-entropy of hidden [N, D] against weight [V, D] and targets [N]."""

    @staticmethod
    def forward(
        ctx: Any, hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor
    ) -> torch.Tensor:
        count = max(len(targets), 1)
        low = weight.to(hidden.dtype)
        by_hidden = torch.empty_like(hidden)
        by_weight = torch.zeros_like(weight)
        total = torch.zeros((), device=hidden.device)
        for start in range(0, len(targets), PIECE):
            h, t = hidden[start : start + PIECE], targets[start : start + PIECE]
            logits = (h @ low.T).float()
            right = logits.gather(1, t[:, None])
            scale = logits.logsumexp(1, keepdim=True)
            total += (scale - right).sum()
            gradient = logits.sub_(scale).exp_()
            gradient.scatter_add_(1, t[:, None], torch.full_like(right, -1.0))
            small = gradient.to(hidden.dtype)
            by_hidden[start : start + PIECE] = small @ low
            by_weight += (small.T @ h).float()
        ctx.save_for_backward(by_hidden / count, by_weight / count)
        return total / count

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None]:
        by_hidden, by_weight = ctx.saved_tensors
        return by_hidden * gradient, by_weight * gradient, None


def cross_entropy(
    hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor
) -> torch.Tensor:
    """Mean cross-entropy of the head's `weight` [V, D] over `hidden` [N, D] and `targets` [N]."""
    loss: torch.Tensor = _CrossEntropy.apply(hidden, weight, targets)  # type: ignore[no-untyped-call]
    return loss


def device() -> torch.device:
    """Where training happens: a GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@functools.cache
def precision() -> torch.dtype:
    """The type of products: bfloat16 where the machine multiplies it itself.

    A processor without such instructions is several times slower in bfloat16 than in float32.
    """
    if torch.cuda.is_available():
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    own = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if own else torch.float32


@contextmanager
def prepared(model: GPTBigCodeForCausalLM) -> Iterator[None]:
    """The model ready to be trained: on its device, without a cache, with `attention` on a CPU."""
    config, where = model.config, device()
    before = config.use_cache, config._attn_implementation
    config.use_cache = False
    config._attn_implementation = CAUSAL if where.type == "cpu" else "sdpa"
    torch.nn.Module.to(model, where)
    model.train()
    try:
        yield
    finally:
        config.use_cache, config._attn_implementation = before
        torch.nn.Module.to(model, "cpu")
