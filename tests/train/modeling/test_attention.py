"""Attention in blocks is attention: causal, packed, and as a tree."""

from __future__ import annotations

import pytest
import torch

from train.modeling.attention import attention
from train.modeling.masks import attention_4d


def exits(length: int) -> torch.Tensor:
    """Two rows [2, T]: three dialogues one behind the other; a root with two branches."""
    index = torch.arange(length)
    packed = torch.where(index < length // 3, length // 3, length)
    packed[length // 2 :] = length
    packed[length // 3 : length // 2] = max(length // 2, 1)
    tree = torch.full((length,), length)
    tree[length // 4 : length // 2] = max(length // 2, 1)
    return torch.maximum(torch.stack([packed, tree]), index + 1)


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("kinds", [1, 2, 4])
@pytest.mark.parametrize("length", [5, 96, 200, 800])
def test_attention_in_blocks_is_attention(length: int, kinds: int, masked: bool) -> None:
    dice = torch.Generator().manual_seed(length)
    query = torch.randn(2, 4, length, 8, generator=dice).requires_grad_()
    key, value = (torch.randn(2, kinds, length, 8, generator=dice).requires_grad_() for _ in "kv")
    mask = attention_4d(exits(length)) if masked else None
    out, _ = attention(torch.nn.Module(), query, key, value, mask, scaling=0.3)
    spread = [one.repeat_interleave(4 // kinds, 1) for one in (key, value)]
    whole = torch.nn.functional.scaled_dot_product_attention(
        query, *spread, attn_mask=mask, is_causal=not masked, scale=0.3
    ).transpose(1, 2)
    assert torch.allclose(out, whole, atol=1e-5)
    weights = torch.randn(whole.shape, generator=dice)
    ours = torch.autograd.grad((out * weights).sum(), [query, key, value])
    theirs = torch.autograd.grad((whole * weights).sum(), [query, key, value])
    assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(ours, theirs, strict=True))


def test_what_is_cached_is_refused() -> None:
    query, key = torch.zeros(1, 2, 3, 4), torch.zeros(1, 1, 5, 4)
    with pytest.raises(AssertionError, match="no cache"):
        attention(torch.nn.Module(), query, key, key, None, scaling=1.0)
