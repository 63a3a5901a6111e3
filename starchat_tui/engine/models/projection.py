"""Linear projections of a model: a product with a weight, in the number format it is held in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor
from torch.nn import functional as F


class Projection(Protocol):
    """Linear map from the last axis of a tensor to another size."""

    def __call__(self, x: Tensor) -> Tensor:
        """Return the product [..., out] of x [..., in] and the weight, plus the bias."""


@dataclass(frozen=True, slots=True)
class DenseProjection:
    """Projection with a weight in a floating-point format; implements `Projection`."""

    weight: Tensor
    """[out, in]."""
    bias: Tensor | None = None
    """[out]."""

    def __call__(self, x: Tensor) -> Tensor:
        """Return x [..., in] projected to [..., out]."""
        return F.linear(x, self.weight, self.bias)
