"""Attention of a chunk over what was read before: as with a mask, in every split."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from starchat_tui.engine.models.chunk_attention import attend_causally


def draw(*shape: int, seed: int, scale: float = 1.0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * scale


@pytest.mark.parametrize("scale", [1.0, 30.0])
@pytest.mark.parametrize(("size", "past"), [(2, 0), (7, 1), (40, 3), (3, 700), (130, 513)])
def test_the_output_is_that_of_a_mask(size: int, past: int, scale: float) -> None:
    total = past + size
    queries = draw(4, size, 16, seed=1, scale=scale)
    keys, values = draw(total, 16, seed=2), draw(total, 16, seed=3)
    mask = torch.ones(size, total, dtype=torch.bool).tril(past)
    expected = F.scaled_dot_product_attention(
        queries, keys.expand(4, total, 16), values.expand(4, total, 16), mask
    )
    # Large scores are rounded more coarsely, and so are their exponentials.
    assert (attend_causally(queries, keys, values) - expected).abs().max() < 2e-6 * scale


def test_sixteen_bits_lose_no_more_than_their_own() -> None:
    """The parts are put together in float32."""
    total, past = 600, 560
    queries, keys, values = (
        draw(*shape, seed=seed).bfloat16()
        for seed, shape in enumerate(((4, 40, 16), (total, 16), (total, 16)))
    )
    mask = torch.ones(40, total, dtype=torch.bool).tril(past)
    shape = (4, total, 16)
    exact = F.scaled_dot_product_attention(
        queries.float(), keys.float().expand(shape), values.float().expand(shape), mask
    )
    plain = F.scaled_dot_product_attention(queries, keys.expand(shape), values.expand(shape), mask)
    found = attend_causally(queries, keys, values)
    assert (found - exact).abs().max() <= 2 * (plain - exact).abs().max()


def test_no_token_sees_a_later_one() -> None:
    queries, keys, values = draw(2, 5, 8, seed=1), draw(9, 8, seed=2), draw(9, 8, seed=3)
    before = attend_causally(queries, keys, values)
    keys[7], values[7] = 5.0, 5.0
    after = attend_causally(queries, keys, values)
    assert torch.equal(before[:, :3], after[:, :3])
    assert not torch.equal(before[:, 3:], after[:, 3:])
