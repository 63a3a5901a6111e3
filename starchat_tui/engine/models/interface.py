"""Interface of a causal language model: read token ids, return logits, rewind the KV cache.

Two implementations exist: `hub_model.HubModel` runs any causal model through transformers, and
`bigcode.BigCodeModel` runs GPTBigCode (StarCoder, StarChat) in plain torch. The rest of the engine
knows these protocols only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, TypeAlias

from starchat_tui.config.settings import Quantization

if TYPE_CHECKING:
    import torch
    from torch import Tensor

# Left opaque: the two implementations lay out their caches differently, and whoever stores a slice
# needs to know no more than the axis of the tokens.
KVSlice: TypeAlias = "tuple[Tensor, ...]"
"""Keys and values of consecutive tokens: tensors of any layout with the tokens on axis -2."""


class KVCache(Protocol):
    """Keys and values of the one sequence that a model is reading."""

    @property
    def length(self) -> int:
        """Number of tokens read."""

    @property
    def rewindable(self) -> bool:
        """True if `crop`, `read_slice` and `append_slice` work.

        A recurrent state or a sliding window has lost the earlier tokens and cannot go back.
        """

    def crop(self, length: int) -> None:
        """Drop all but the first `length` tokens."""

    def read_slice(self, start: int, stop: int) -> KVSlice:
        """Return the keys and values of tokens `start` to `stop`, in memory of their own."""

    def append_slice(self, kv: KVSlice) -> None:
        """Append the keys and values of the tokens that follow."""


class CausalLM(Protocol):
    """Causal language model on its device."""

    # Both limits are checked before a request reaches the device: an index past an embedding table
    # is an exception on a CPU, but on CUDA an assertion of the kernel, after which every call of
    # the process fails.
    window: int
    """Context length in tokens: the longest sequence that the model can read."""
    vocabulary_size: int
    """Rows of the token embedding: ids are below it."""
    bytes: int
    """Memory of the weights, in bytes."""
    dtype: torch.dtype
    """Number format of the keys and values."""
    quantization: Quantization
    """Quantization of the weights."""
    device: torch.device
    """Device that takes the ids and holds the logits."""

    def new_cache(self) -> KVCache:
        """Return the cache of an empty sequence."""

    def forward(self, ids: Sequence[int], cache: KVCache) -> Tensor:
        """Read `ids` [T], T >= 1, after the tokens in `cache`; return the last float32 logits [V].

        There is no batch axis: a request has the device to itself for a forward pass.
        """

    def forward_all(self, ids: Sequence[int], cache: KVCache) -> Tensor:
        """Read `ids` [T], T >= 1, as `forward` does; return the float32 logits [T, V] of each."""


def count_tokens(kv: KVSlice) -> int:
    """Return the number of tokens in a slice."""
    return int(kv[0].shape[-2])


def count_bytes(kv: KVSlice) -> int:
    """Return the memory of a slice, in bytes."""
    return sum(part.numel() * part.element_size() for part in kv)


def slice_tokens(kv: KVSlice, start: int, stop: int) -> KVSlice:
    """Return tokens `start` to `stop` of a slice as views that share its memory."""
    return tuple(part[..., start:stop, :] for part in kv)
