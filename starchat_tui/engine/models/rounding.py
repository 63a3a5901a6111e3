"""Rounding of weights to 8 and 4 bits, with scales that keep the error small.

Only weights are rounded; activations are computed in floating point. 8 bits have a scale for each
row, symmetric about 0. 4 bits have a scale and an offset for each group of a row: those with the
least squared error among several clipped ranges, since a single outlier would else coarsen its
whole group (AWQ searches alike: Lin et al., 2023), then fitted to the levels by least squares.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

GROUP_SIZE = 32
"""Weights of a row that share a scale and an offset, in 4 bits."""
_CLIP_RATIOS = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7)
"""Shares of a group's range that are tried as the range of its 16 levels."""
_LEVELS = 15
"""Highest level of 4 bits."""
_MIDDLE = 8
"""Level of 4 bits that stands for the offset."""
_FITS = 4
"""Times that scales and offsets are fitted to the levels, and these chosen anew."""
_LEAST_SCALE = 1e-12
"""Scale of a group whose weights are equal."""
_CHUNK_SIZE = 2**18
"""Weights that are rounded at a time: their temporary copies stay in the processor's cache."""


def round_rows_to_int8(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Round a weight [out, in]; return int8 levels [out, in] and float32 scales [out].

    A weight is its level times the scale of its row.
    """
    scales = weight.abs().amax(dim=1).float() / 127
    # A row of zeros has any scale but 0.
    scales = torch.where(scales > 0, scales, torch.ones_like(scales))
    levels = (weight.float() / scales[:, None]).round_().clamp_(-127, 127)
    return levels.to(torch.int8), scales


def round_groups_to_int4(weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Round a weight [out, in]; return int32 levels, 0 to 15, float32 scales and offsets.

    `in` is a multiple of `GROUP_SIZE`, the scales and offsets are [out, in / GROUP_SIZE]. A weight
    is (level - 8) * scale + offset.
    """
    count = max(1, _CHUNK_SIZE // weight.shape[1])
    starts = range(0, len(weight), count)
    threads = torch.get_num_threads()
    # The parts are small: where another program has a core, threads would wait for each other at
    # the end of every operation, and a minute become an hour.
    torch.set_num_threads(1)
    try:
        chunks = [_round_chunk(weight[start : start + count].float()) for start in starts]
    finally:
        torch.set_num_threads(threads)
    levels, scales, offsets = (torch.cat(parts) for parts in zip(*chunks, strict=True))
    return levels, scales, offsets


def _round_chunk(weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    rows, size = weight.shape
    groups = weight.view(rows, size // GROUP_SIZE, GROUP_SIZE)
    best = _Candidate.create(groups, *_clip_range(groups, _CLIP_RATIOS[0]))
    for ratio in _CLIP_RATIOS[1:]:
        best = best.choose_better(_Candidate.create(groups, *_clip_range(groups, ratio)))
    for _ in range(_FITS):
        best = best.choose_better(_Candidate.create(groups, *_fit_scales(groups, best)))
    return best.levels.to(torch.int32).view(rows, size), best.scale, best.offset


class _Candidate(NamedTuple):
    """Levels [out, groups, GROUP_SIZE], and a scale, an offset and an error [out, groups]."""

    levels: Tensor
    scale: Tensor
    offset: Tensor
    error: Tensor

    @classmethod
    def create(cls, groups: Tensor, scale: Tensor, offset: Tensor) -> _Candidate:
        """Return the nearest levels for a scale and an offset, with the squared error."""
        # As the products hold them: the levels are chosen for the rounded scale and offset.
        scale = scale.bfloat16().float().clamp(min=_LEAST_SCALE)
        offset = offset.bfloat16().float()
        levels = _find_levels(groups, scale, offset)
        error = (_restore_groups(levels, scale, offset) - groups).square_().sum(-1)
        return cls(levels, scale, offset, error)

    def choose_better(self, other: _Candidate) -> _Candidate:
        """Return for each group the candidate with the smaller error."""
        is_better = other.error < self.error
        return _Candidate(
            torch.where(is_better[..., None], other.levels, self.levels),
            torch.where(is_better, other.scale, self.scale),
            torch.where(is_better, other.offset, self.offset),
            torch.where(is_better, other.error, self.error),
        )


def _clip_range(groups: Tensor, ratio: float) -> tuple[Tensor, Tensor]:
    """Return scale and offset for a share of the range of each group, about its middle."""
    low, high = groups.amin(-1), groups.amax(-1)
    half = (high - low) / 2 * ratio
    scale = 2 * half / _LEVELS
    return scale, (low + high) / 2 - half + scale * _MIDDLE


def _fit_scales(groups: Tensor, found: _Candidate) -> tuple[Tensor, Tensor]:
    """Return scale and offset of the line through levels and weights with the least error."""
    level_mean, weight_mean = found.levels.mean(-1), groups.mean(-1)
    deviation = found.levels - level_mean[..., None]
    variance = deviation.square().sum(-1)
    slope = (deviation * (groups - weight_mean[..., None])).sum(-1) / variance
    # Where all levels are equal, any slope is as good.
    scale = torch.where(variance > 0, slope, found.scale)
    return scale, weight_mean - (level_mean - _MIDDLE) * scale


def _find_levels(groups: Tensor, scale: Tensor, offset: Tensor) -> Tensor:
    levels = (groups - offset[..., None]) / scale[..., None] + _MIDDLE
    return levels.round_().clamp_(0, _LEVELS)


def _restore_groups(levels: Tensor, scale: Tensor, offset: Tensor) -> Tensor:
    return (levels - _MIDDLE) * scale[..., None] + offset[..., None]


def restore_int4(levels: Tensor, scales: Tensor, offsets: Tensor) -> Tensor:
    """Return the float32 weight [out, in] that levels, scales and offsets stand for."""
    rows, size = levels.shape
    groups = levels.view(rows, size // GROUP_SIZE, GROUP_SIZE).float()
    return _restore_groups(groups, scales, offsets).view(rows, size)
