"""What the engine asks of a model: read ids, give the next token's logits, rewind.

Two implementations fit: `reference.py` (any causal model, through transformers) and `bigcode.py`
(StarCoder alone, our own). Everything else in the engine knows only these protocols.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Run: TypeAlias = "tuple[Tensor, ...]"
"""Keys and values of a run of tokens: tensors of any layout with the tokens on axis -2."""


class Cache(Protocol):
    """Keys and values of the one sequence a model is reading."""

    @property
    def length(self) -> int:
        """The number of tokens read."""

    @property
    def rewindable(self) -> bool:
        """Whether `crop`, `read` and `append` are possible (not for recurrent states)."""

    def crop(self, length: int) -> None:
        """Forget all but the first `length` tokens."""

    def read(self, start: int, stop: int) -> Run:
        """The keys and values of tokens `start` to `stop`, in memory of their own."""

    def append(self, run: Run) -> None:
        """Put keys and values of the following tokens at the end."""


class Model(Protocol):
    """A causal language model on its device."""

    window: int
    """The most tokens it can read: a longer sequence must never reach the device."""
    vocabulary_size: int
    """Rows of the embedding: an id beyond must never reach the device."""
    bytes: int
    """Memory of the weights."""
    dtype: torch.dtype
    """The number format of its keys and values."""
    device: torch.device
    """Where ids go in and logits come out."""

    def new_cache(self) -> Cache:
        """The cache of an empty sequence."""

    def extend(self, ids: Sequence[int], cache: Cache) -> Tensor:
        """Read `ids` [T], T >= 1, after what `cache` holds; the last one's float32 logits [V]."""


def run_length(run: Run) -> int:
    """The number of tokens in a run."""
    return int(run[0].shape[-2])


def run_bytes(run: Run) -> int:
    """Memory of a run."""
    return sum(part.numel() * part.element_size() for part in run)


def cut(run: Run, start: int, stop: int) -> Run:
    """Tokens `start` to `stop` of a run, sharing its memory."""
    return tuple(part[..., start:stop, :] for part in run)
