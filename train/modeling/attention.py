"""Causal attention for a CPU, computed in blocks of queries.

A block of queries attends only to keys up to its own end, half the work of the full square, and
query heads that share a key head are folded into the rows of one matrix product. Exact for the
causal mask and any mask within it: packed dialogues and trees.
"""

from __future__ import annotations

from typing import Any

import torch

BLOCKWISE = "blockwise"
"""Name under which `blockwise_attention` is registered with transformers."""
# Eight blocks do 9/16 of the square's work; rows shorter than 8 x 96 get fewer, larger ones.
SMALLEST_BLOCK, BLOCKS = 96, 8


def blockwise_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Return the attention output [B, T, H, D], and None for the weights.

    The signature is that of transformers' `AttentionInterface`.

    Args:
        module: The attention layer; not used.
        query: Queries [B, H, T, D].
        key: Keys [B, K, T, D], where K divides H.
        value: Values [B, K, T, D].
        attention_mask: Boolean [B, 1, T, T], True where attended and never above the
            diagonal; None for the causal mask.
        scaling: Factor of the scores.
    """
    batch, heads, length, head = query.shape
    key_heads = key.size(1)
    assert heads % key_heads == 0, (heads, key_heads)
    assert key.size(2) == length, "training has no cache"
    block = max(SMALLEST_BLOCK, length // BLOCKS)
    future = torch.full((block, block), -torch.inf, dtype=query.dtype).triu(1)
    outputs = []
    for start in range(0, length, block):
        end = min(start + block, length)
        size = end - start
        # Queries are scaled instead of scores: T x D numbers instead of T x T.
        rows = (query[:, :, start:end] * scaling).reshape(batch * key_heads, -1, head)
        scores = rows @ key[:, :, :end].flatten(0, 1).transpose(1, 2)
        scores = scores.view(batch, heads, size, end)
        if attention_mask is None:
            # Keys before the block are all visible: only its diagonal square is masked.
            scores[..., start:] += future[:size, :size]
        else:
            scores = scores.masked_fill(~attention_mask[:, :, start:end, :end], -torch.inf)
        # In float32 as transformers does it: bfloat16 has too few bits for sums over long rows.
        weights = scores.softmax(-1, dtype=torch.float32).to(value.dtype)
        out = weights.view(batch * key_heads, -1, end) @ value[:, :, :end].flatten(0, 1)
        outputs.append(out.view(batch, heads, size, head).transpose(1, 2))
    return torch.cat(outputs, 1), None


def register_attention() -> None:
    """Register `blockwise_attention` with transformers.

    No mask function is registered with it, so transformers passes a given mask on unchanged.
    """
    from transformers import AttentionInterface

    AttentionInterface.register(BLOCKWISE, blockwise_attention)
