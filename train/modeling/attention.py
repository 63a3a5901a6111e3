"""Attention for a CPU, in blocks of queries, with or without a mask.

A block of queries looks at the keys up to its own end and at none behind it, which is half the work
of a whole square; heads that share a key and value are folded into the rows of one product. It is
exact, for the causal mask and for any mask within it: packed dialogues, and trees.
"""

from __future__ import annotations

from typing import Any

import torch

BLOCKWISE = "blockwise"
"""The name of `attention` for transformers."""
SMALLEST_BLOCK, BLOCKS = 96, 8


def attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Causal attention of queries [B, H, T, D] over keys and values [B, K, T, D]: [B, T, H, D].

    `attention_mask` is boolean [B, 1, T, T], True where attended, and True nowhere above the
    diagonal; None is the causal mask. H is a multiple of K.
    """
    batch, heads, length, head = query.shape
    kinds = key.size(1)
    assert heads % kinds == 0, (heads, kinds)
    assert key.size(2) == length, "training has no cache"
    block = max(SMALLEST_BLOCK, length // BLOCKS)
    forbidden = torch.full((block, block), -torch.inf, dtype=query.dtype).triu(1)
    made = []
    for start in range(0, length, block):
        end = min(start + block, length)
        size = end - start
        rows = (query[:, :, start:end] * scaling).reshape(batch * kinds, -1, head)
        scores = rows @ key[:, :, :end].flatten(0, 1).transpose(1, 2)
        scores = scores.view(batch, heads, size, end)
        if attention_mask is None:
            scores[..., start:] += forbidden[:size, :size]
        else:
            scores = scores.masked_fill(~attention_mask[:, :, start:end, :end], -torch.inf)
        weights = scores.softmax(-1, dtype=torch.float32).to(value.dtype)
        out = weights.view(batch * kinds, -1, end) @ value[:, :, :end].flatten(0, 1)
        made.append(out.view(batch, heads, size, head).transpose(1, 2))
    return torch.cat(made, 1), None


def register() -> None:
    """Let transformers know `attention` by its name.

    Only attention, no maker of masks: a mask is then handed on as it was given.
    """
    from transformers import AttentionInterface

    AttentionInterface.register(BLOCKWISE, attention)
