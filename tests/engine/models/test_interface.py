"""Slices of keys and values."""

from __future__ import annotations

import torch

from starchat_tui.engine.models.interface import count_bytes, count_tokens, slice_tokens


def test_tokens_lie_on_the_axis_before_the_last() -> None:
    kv = (torch.arange(24.0).reshape(1, 2, 3, 4), torch.zeros(3, 8, dtype=torch.float16))
    assert count_tokens(kv) == 3
    assert count_bytes(kv) == 24 * 4 + 24 * 2
    first, second = slice_tokens(kv, 1, 3)
    assert torch.equal(first, kv[0][:, :, 1:3])
    assert second.shape == (2, 8)
    assert count_tokens((first, second)) == 2


def test_a_slice_shares_its_memory() -> None:
    kv = (torch.zeros(1, 5, 2),)
    slice_tokens(kv, 2, 3)[0].fill_(7)
    assert kv[0][0, 2].tolist() == [7, 7]
    assert kv[0].sum() == 14
