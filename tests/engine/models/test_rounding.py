"""Rounding of weights: what the levels stand for, and how far it is from the weight."""

from __future__ import annotations

import torch

from starchat_tui.engine.models.rounding import (
    GROUP_SIZE,
    restore_int4,
    round_groups_to_int4,
    round_rows_to_int8,
)


def create_weight(rows: int = 32, size: int = 4 * GROUP_SIZE) -> torch.Tensor:
    return torch.randn(rows, size, generator=torch.Generator().manual_seed(1)) * 0.02


def measure_error(restored: torch.Tensor, weight: torch.Tensor) -> float:
    """Return the error of a rounded weight relative to the weight, both as root mean squares."""
    return float((restored - weight).norm() / weight.norm())


def test_eight_bits_are_within_half_a_level() -> None:
    weight = create_weight()
    levels, scales = round_rows_to_int8(weight)
    restored = levels.float() * scales[:, None]
    assert ((restored - weight).abs() <= 0.5001 * scales[:, None]).all()
    assert levels.abs().amax(dim=1).eq(127).all(), "each row uses its whole range"


def test_a_row_of_zeros_stays_one() -> None:
    levels, scales = round_rows_to_int8(torch.zeros(2, GROUP_SIZE))
    assert not levels.any()
    assert torch.isfinite(scales).all()
    restored = restore_int4(*round_groups_to_int4(torch.zeros(2, GROUP_SIZE)))
    assert restored.abs().max() < 1e-6


def test_four_bits_keep_values_in_16_levels_of_their_group() -> None:
    weight = create_weight()
    levels, scales, offsets = round_groups_to_int4(weight)
    assert (int(levels.min()), int(levels.max())) == (0, 15)
    assert scales.shape == offsets.shape == (32, 4)
    assert measure_error(restore_int4(levels, scales, offsets), weight) < 0.1


def test_the_search_is_never_worse_than_the_whole_range() -> None:
    """An outlier in each group: the other weights decide the range, as they are many."""
    weight = create_weight()
    weight[:, ::GROUP_SIZE] = 0.12
    levels, scales, offsets = round_groups_to_int4(weight)
    groups = weight.view(32, 4, GROUP_SIZE)
    low, high = groups.amin(-1, keepdim=True), groups.amax(-1, keepdim=True)
    plain = ((groups - low) / (high - low) * 15).round() / 15 * (high - low) + low
    searched = restore_int4(levels, scales, offsets)
    assert measure_error(searched, weight) < 0.98 * measure_error(plain.view_as(weight), weight)


def test_large_weights_are_rounded_in_parts_with_the_same_result() -> None:
    weight = create_weight(rows=3 * 2**13 + 16, size=GROUP_SIZE)
    whole = round_groups_to_int4(weight)
    for part, rows in ((weight[:16], slice(0, 16)), (weight[-16:], slice(-16, None))):
        for found, expected in zip(round_groups_to_int4(part), whole, strict=True):
            assert torch.equal(found, expected[rows])
