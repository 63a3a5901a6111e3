"""Blockwise attention: causal, packed, and on trees."""

from __future__ import annotations

import pytest
import torch

from train.modeling.attention import blockwise_attention
from train.modeling.masks import build_dense_mask


def build_exits(length: int) -> torch.Tensor:
    """Return two rows [2, T]: three consecutive dialogues; a root with two branches."""
    index = torch.arange(length)
    packed = torch.where(index < length // 3, length // 3, length)
    packed[length // 2 :] = length
    packed[length // 3 : length // 2] = max(length // 2, 1)
    tree = torch.full((length,), length)
    tree[length // 4 : length // 2] = max(length // 2, 1)
    return torch.maximum(torch.stack([packed, tree]), index + 1)


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("key_heads", [1, 2, 4])
@pytest.mark.parametrize("length", [5, 96, 200, 800])
def test_blockwise_attention_equals_sdpa(length: int, key_heads: int, masked: bool) -> None:
    rng = torch.Generator().manual_seed(length)
    query = torch.randn(2, 4, length, 8, generator=rng).requires_grad_()
    key, value = (
        torch.randn(2, key_heads, length, 8, generator=rng).requires_grad_() for _ in "kv"
    )
    mask = build_dense_mask(build_exits(length)) if masked else None
    out, _ = blockwise_attention(torch.nn.Module(), query, key, value, mask, scaling=0.3)
    spread = [one.repeat_interleave(4 // key_heads, 1) for one in (key, value)]
    whole = torch.nn.functional.scaled_dot_product_attention(
        query, *spread, attn_mask=mask, is_causal=not masked, scale=0.3
    ).transpose(1, 2)
    assert torch.allclose(out, whole, atol=1e-5)
    weights = torch.randn(whole.shape, generator=rng)
    ours = torch.autograd.grad((out * weights).sum(), [query, key, value])
    theirs = torch.autograd.grad((whole * weights).sum(), [query, key, value])
    assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(ours, theirs, strict=True))


def test_a_kv_cache_is_refused() -> None:
    query, key = torch.zeros(1, 2, 3, 4), torch.zeros(1, 1, 5, 4)
    with pytest.raises(AssertionError, match="no cache"):
        blockwise_attention(torch.nn.Module(), query, key, key, None, scaling=1.0)
