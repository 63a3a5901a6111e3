"""Weights of 8 and 4 bits in the layout of torch's packed products, and projections by them.

A decode step reads every weight once and computes little with it, so its speed is that of the
memory: half or a quarter of the bytes take about as much less time. torch's products for a CPU are
fast for activations in bfloat16 only; for float32 they fall back to one number at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from starchat_tui.config.settings import Quantization
from starchat_tui.engine.models.projection import DenseProjection, Projection
from starchat_tui.engine.models.rounding import (
    GROUP_SIZE,
    round_groups_to_int4,
    round_rows_to_int8,
)

_ROW_BLOCK = 16
"""Number of which the rows have to be a multiple in torch's product for 4 bits."""
_INNER_TILES = 1
"""Argument of torch's packing, without effect on a CPU."""


class PackedWeight(Protocol):
    """Quantized weight [out, in]."""

    @property
    def bytes(self) -> int:
        """Memory of the levels and scales, in bytes."""

    def multiply(self, x: Tensor) -> Tensor:
        """Return the bfloat16 product [T, out] of x [T, in] and the transposed weight.

        `out` may be larger than that of the weight: the rows are padded.
        """


@dataclass(frozen=True, slots=True)
class Int8Weight:
    """Weight in 8 bits, a scale for each row; implements `PackedWeight`."""

    levels: Tensor
    """int8 [out, in]."""
    scales: Tensor
    """bfloat16 [out]."""

    @property
    def bytes(self) -> int:
        """Memory in bytes."""
        return self.levels.nbytes + self.scales.nbytes

    def multiply(self, x: Tensor) -> Tensor:
        """Return the bfloat16 product [T, out] of x [T, in] and the transposed weight."""
        return torch._weight_int8pack_mm(x.bfloat16(), self.levels, self.scales)


@dataclass(frozen=True, slots=True)
class Int4Weight:
    """Weight in 4 bits, a scale and an offset for each group; implements `PackedWeight`."""

    packed: Tensor
    """Levels, two in a byte, in torch's order."""
    scales_and_offsets: Tensor
    """bfloat16 [in / GROUP_SIZE, out, 2]."""

    @property
    def bytes(self) -> int:
        """Memory in bytes."""
        return self.packed.nbytes + self.scales_and_offsets.nbytes

    def multiply(self, x: Tensor) -> Tensor:
        """Return the bfloat16 product [T, out] of x [T, in] and the transposed weight."""
        return torch._weight_int4pack_mm_for_cpu(
            x.bfloat16(), self.packed, GROUP_SIZE, self.scales_and_offsets
        )


@dataclass(frozen=True, slots=True)
class PackedProjection:
    """Projection by a quantized weight; implements `Projection`."""

    weight: PackedWeight
    bias: Tensor
    """[out]."""

    def __call__(self, x: Tensor) -> Tensor:
        """Return x [..., in] projected to [..., out], in the number format of x."""
        # The product takes exactly two axes.
        product = self.weight.multiply(x.reshape(-1, x.shape[-1]))[:, : len(self.bias)]
        return (product.to(x.dtype) + self.bias).view(*x.shape[:-1], len(self.bias))


def pack_weight(weight: Tensor, quantization: Quantization) -> PackedWeight | Tensor:
    """Round a weight [out, in] to 8 or 4 bits and pack it, its rows padded with zeros.

    Returns a weight in float32 whose `in` is no multiple of the group: torch's product for 8 bits,
    too, reads past the end of such rows.
    """
    rows, size = weight.shape
    if size % GROUP_SIZE:
        return weight.float()
    weight = functional.pad(weight, (0, 0, 0, -rows % _ROW_BLOCK))
    if quantization == "int4":
        levels, scales, offsets = round_groups_to_int4(weight)
        pairs = torch.stack((scales, offsets), dim=-1).transpose(0, 1).contiguous()
        packed = torch._convert_weight_to_int4pack_for_cpu(levels, _INNER_TILES)
        return Int4Weight(packed, pairs.bfloat16())
    levels, scales = round_rows_to_int8(weight)
    return Int8Weight(levels, scales.bfloat16())


def create_projection(weight: Tensor | PackedWeight, bias: Tensor) -> Projection:
    """Return the projection by a weight [out, in], packed or not, and a bias [out]."""
    if isinstance(weight, Tensor):
        return DenseProjection(weight, bias)
    return PackedProjection(weight, bias)
