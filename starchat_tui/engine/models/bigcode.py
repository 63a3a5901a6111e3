"""StarCoder's forward pass (GPTBigCode) in plain torch, over a static cache, without transformers.

Importing transformers takes longer than everything else that an engine does before the first answer
of a small model, and each of its decode steps walks a tree of modules. Here a layer is a few matrix
products. Keys and values lie in one tensor [layers, 2, positions, head size], because all heads
share one key and one value (multi-query attention: Shazeer, Fast Transformer Decoding: One
Write-Head Is All You Need, 2019).

Source of the formulas and the names of the weights: `GPTBigCodeForCausalLM` of transformers, which
the tests compare with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import torch
from safetensors import safe_open
from torch import Tensor
from torch.nn import functional as F

from starchat_tui.engine.models.chunk_attention import attend_causally
from starchat_tui.engine.models.interface import KVCache, KVSlice
from starchat_tui.engine.models.load_progress import ProgressCallback
from starchat_tui.engine.models.packed_file import read_packed_weights, write_packed_weights
from starchat_tui.engine.models.packed_weights import (
    PackedWeight,
    create_projection,
    pack_weight,
)
from starchat_tui.engine.models.placement import Placement
from starchat_tui.engine.models.projection import DenseProjection, Projection
from starchat_tui.engine.models.weights import GELU_APPROXIMATIONS, Checkpoint
from starchat_tui.errors import ModelUnavailable

Weight: TypeAlias = Tensor | PackedWeight

_HEAD = "lm_head.weight"
_EMBEDDINGS = ("wte.weight", "wpe.weight")
"""Names of the tables of token and position embeddings, less `transformer.`."""
_INITIAL_CAPACITY = 256
"""Positions that a new cache has memory for; it at least doubles when they are used up."""


@dataclass(frozen=True, slots=True)
class _Layer:
    """Weights of one transformer block; D is the model width, d the size of a head.

    A norm is a pair of weight [D] and bias [D].
    """

    attention_norm: tuple[Tensor, Tensor]
    qkv_proj: Projection
    """D to D + 2 d: the queries of all heads, then the one key and the one value."""
    out_proj: Projection
    mlp_norm: tuple[Tensor, Tensor]
    up_proj: Projection
    down_proj: Projection


def _build_layer(weights: Mapping[str, Weight], prefix: str) -> _Layer:
    """Return the layer whose weights have names that begin with `prefix`."""
    return _Layer(
        attention_norm=_take_pair(weights, f"{prefix}ln_1"),
        qkv_proj=_take_projection(weights, f"{prefix}attn.c_attn"),
        out_proj=_take_projection(weights, f"{prefix}attn.c_proj"),
        mlp_norm=_take_pair(weights, f"{prefix}ln_2"),
        up_proj=_take_projection(weights, f"{prefix}mlp.c_fc"),
        down_proj=_take_projection(weights, f"{prefix}mlp.c_proj"),
    )


def _take_tensor(weights: Mapping[str, Weight], name: str) -> Tensor:
    weight = weights[name]
    if not isinstance(weight, Tensor):
        # In the file it has the two axes of a weight that is multiplied with.
        raise ValueError(f"{name} is a matrix")
    return weight


def _take_pair(weights: Mapping[str, Weight], name: str) -> tuple[Tensor, Tensor]:
    return _take_tensor(weights, f"{name}.weight"), _take_tensor(weights, f"{name}.bias")


def _take_projection(weights: Mapping[str, Weight], name: str) -> Projection:
    return create_projection(weights[f"{name}.weight"], _take_tensor(weights, f"{name}.bias"))


def _count_bytes(weights: Mapping[str, Weight]) -> int:
    """Return the memory of weights, in bytes."""
    packed = sum(part.bytes for part in weights.values() if not isinstance(part, Tensor))
    # By address, so that a tied tensor counts once.
    dense = {part.data_ptr(): part.nbytes for part in weights.values() if isinstance(part, Tensor)}
    return packed + sum(dense.values())


class StaticCache:
    """Keys and values in one tensor [layers, 2, capacity, head size], allocated ahead of use."""

    def __init__(self, layers: int, head: int, dtype: torch.dtype, device: torch.device) -> None:
        """Create the cache of an empty sequence.

        Args:
            layers: Number of layers.
            head: Size of a head.
            dtype: Number format of the keys and values.
            device: Device that holds them.
        """
        self.kv = torch.empty(layers, 2, _INITIAL_CAPACITY, head, dtype=dtype, device=device)
        self.length = 0
        self.rewindable = True

    def reserve_capacity(self, length: int) -> None:
        """Allocate memory for at least `length` tokens."""
        capacity = self.kv.size(2)
        if length <= capacity:
            return
        layers, both, _, head = self.kv.shape
        # Doubling keeps the copying linear in the length, and a short chat does not pay for the
        # memory of the whole window.
        grown = self.kv.new_empty(layers, both, max(length, 2 * capacity), head)
        grown[:, :, : self.length] = self.kv[:, :, : self.length]
        self.kv = grown

    def crop(self, length: int) -> None:
        """Drop all but the first `length` tokens."""
        # What lies beyond is overwritten before it is read again.
        self.length = length

    def read_slice(self, start: int, stop: int) -> KVSlice:
        """Return a copy of tokens `start` to `stop`: one tensor [layers, 2, T, head size]."""
        return (self.kv[:, :, start:stop].clone(),)

    # Where `forward` has grown the cache, `kv` is an inference tensor, and torch refuses to write
    # to one outside inference mode.
    @torch.inference_mode()
    def append_slice(self, kv: KVSlice) -> None:
        """Append a slice returned by `read_slice`."""
        (part,) = kv
        stop = self.length + part.size(2)
        self.reserve_capacity(stop)
        self.kv[:, :, self.length : stop] = part
        self.length = stop


class BigCodeModel:
    """GPTBigCode on its device; implements `interface.CausalLM`."""

    def __init__(
        self, weights: Mapping[str, Weight], config: Mapping[str, Any], placement: Placement
    ) -> None:
        """Take the weights by their names in a checkpoint, less `transformer.`, where they lie.

        Raises `KeyError` if one is missing.
        """
        self.device = placement.device
        self.quantization = placement.quantize
        self._token_embeddings = _take_tensor(weights, "wte.weight")
        self._position_embeddings = _take_tensor(weights, "wpe.weight")
        # StarCoder ties the head to the token embedding, and its files hold the tensor once.
        head = weights.get(_HEAD, self._token_embeddings)
        self._lm_head = (
            DenseProjection(head)
            if isinstance(head, Tensor)
            else create_projection(head, torch.zeros(len(self._token_embeddings)))
        )
        self._final_norm = _take_pair(weights, "ln_f")
        self._layers = [
            _build_layer(weights, f"h.{index}.") for index in range(int(config["n_layer"]))
        ]
        self._head_count = int(config["n_head"])
        self._epsilon = float(config.get("layer_norm_epsilon", 1e-5))
        activation = str(config.get("activation_function", "gelu_pytorch_tanh"))
        self._gelu_approximation = GELU_APPROXIMATIONS[activation]
        # From the tensors and not from the config: these are the limits of the look-ups.
        self.window = self._position_embeddings.size(0)
        self.vocabulary_size = self._token_embeddings.size(0)
        # Not of the embeddings: beside quantized weights they stay in the format of the file.
        self.dtype = self._final_norm[0].dtype
        self.bytes = _count_bytes(weights)

    def new_cache(self) -> StaticCache:
        """Return the cache of an empty sequence."""
        head = self._token_embeddings.size(1) // self._head_count
        return StaticCache(len(self._layers), head, self.dtype, self.device)

    @torch.inference_mode()
    def forward(self, ids: Sequence[int], cache: KVCache) -> Tensor:
        """Read `ids` [T], T >= 1, after the tokens in `cache`; return the last float32 logits [V].

        Raises `AssertionError` where the sequence would outgrow the window.
        """
        # The head is the largest product of all, and only the last position's logits are used.
        return self._compute_logits(self._read_tokens(ids, cache)[-1])

    @torch.inference_mode()
    def forward_all(self, ids: Sequence[int], cache: KVCache) -> Tensor:
        """Read `ids` [T], T >= 1, as `forward` does; return the float32 logits [T, V] of each."""
        return self._compute_logits(self._read_tokens(ids, cache))

    def _read_tokens(self, ids: Sequence[int], cache: KVCache) -> Tensor:
        """Read `ids` [T] after the tokens in `cache`; return the last hidden states [T, D]."""
        assert isinstance(cache, StaticCache)
        start, stop = cache.length, cache.length + len(ids)
        # Positions are learned, a row for each: past the last there is nothing to look up. The ids
        # are checked by the caller; on CUDA one without a row is a device-side assertion, after
        # which every call of the process fails.
        assert start < stop <= self.window, (len(ids), start, self.window)
        cache.reserve_capacity(stop)
        index = torch.tensor(ids, device=self.device)
        tokens, positions = self._token_embeddings[index], self._position_embeddings[start:stop]
        x = tokens.to(self.dtype) + positions.to(self.dtype)
        for number, layer in enumerate(self._layers):
            attended = self._attend(layer, self._normalize(x, layer.attention_norm), cache, number)
            x = x + layer.out_proj(attended)
            hidden = layer.up_proj(self._normalize(x, layer.mlp_norm))
            hidden = F.gelu(hidden, approximate=self._gelu_approximation)
            x = x + layer.down_proj(hidden)
        # Only now, because every layer writes at the old length.
        cache.length = stop
        return x

    def _compute_logits(self, x: Tensor) -> Tensor:
        """Return the float32 logits [..., V] of hidden states [..., D]."""
        return self._lm_head(self._normalize(x, self._final_norm)).float()

    def _normalize(self, x: Tensor, scale: tuple[Tensor, Tensor]) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], *scale, eps=self._epsilon)

    def _attend(self, layer: _Layer, x: Tensor, cache: StaticCache, number: int) -> Tensor:
        """Compute attention and write the keys and values of x to the cache.

        Args:
            layer: Weights of the block.
            x: Normalized hidden states [T, D].
            cache: Cache with capacity for T more tokens; its length is left to the caller.
            number: Number of the layer in the cache.

        Returns:
            Output of all heads side by side [T, D], before the output projection.
        """
        size, width = x.shape
        head = width // self._head_count
        mixed = layer.qkv_proj(x)
        query, key, value = mixed[:, :width], mixed[:, width:-head], mixed[:, -head:]
        stop = cache.length + size
        # Views of the cache: [stop, d] each, the new tokens included.
        keys, values = cache.kv[number, :, :stop]
        keys[cache.length :], values[cache.length :] = key, value
        if size == 1:
            # The last token sees all positions, so no mask is needed; and since the heads share
            # their keys, they are the rows of one product [heads, d] x [d, stop].
            scores = query.view(self._head_count, head) @ keys.T * head**-0.5
            # In 16 bits thousands of small shares would not add up to one; transformers computes
            # this softmax in float32 as well.
            shares = scores.softmax(-1, torch.float32).to(x.dtype)
            return torch.mm(shares, values).view(1, width)
        queries = query.view(size, self._head_count, head).transpose(0, 1)
        return attend_causally(queries, keys, values).transpose(0, 1).reshape(size, width)


def load_model(
    checkpoint: Checkpoint,
    placement: Placement,
    report: ProgressCallback,
    packed_file: Path | None = None,
) -> BigCodeModel:
    """Load a checkpoint for which `is_bigcode` is true.

    Args:
        checkpoint: Files in safetensors, read one tensor at a time.
        placement: Device that will hold the weights, their number format and quantization.
        report: Called with the stage `loading` and the tensors read, of all in the file.
        packed_file: File of its packed weights, which is written if it does not exist.

    Raises `ModelUnavailable` if the files do not hold the model that config.json describes.
    """
    # In 8 bits they are rounded about as fast as they are read.
    keeps_file = packed_file is not None and placement.quantize == "int4"
    known = read_packed_weights(packed_file) if packed_file and keeps_file else {}
    try:
        weights = _read_weights(checkpoint, placement, report, known)
        model = BigCodeModel(weights, checkpoint.config, placement)
        # Weights of another shape than the config's are found here and not in the first answer.
        model.forward([0], model.new_cache())
    except (KeyError, ValueError, RuntimeError, IndexError) as error:
        # A `RuntimeError` too, but the caller's to translate: the files are not at fault.
        if isinstance(error, torch.OutOfMemoryError):
            raise
        reason = " ".join(str(error).split())[:200]
        raise ModelUnavailable(
            f"`{checkpoint.folder}` does not hold the model of its config.json: {reason}",
            "copy or download the model again",
        ) from error
    packed = {name: one for name, one in weights.items() if not isinstance(one, Tensor)}
    if packed_file and keeps_file and packed.keys() != known.keys():
        write_packed_weights(packed_file, packed)
    return model


def _read_weights(
    checkpoint: Checkpoint,
    placement: Placement,
    report: ProgressCallback,
    known: Mapping[str, PackedWeight],
) -> dict[str, Weight]:
    """Return the weights by their names, less `transformer.`, in their format on the device.

    Those in `known` are not read again.
    """
    weights: dict[str, Weight] = dict(known)
    for file in checkpoint.files:
        with safe_open(file, framework="pt", device=str(placement.device)) as opened:
            names = list(opened.keys())
            for done, name in enumerate(names, 1):
                key = name.removeprefix("transformer.")
                if key not in known:
                    # Converted at once, so that no more than one tensor exists in two formats.
                    weights[key] = _convert_weight(key, opened.get_tensor(name), placement)
                report("loading", done, len(names))
    if placement.quantize != "none" and _HEAD not in weights:
        # The tied tensor twice: a row is looked up in the format of the file, and the product with
        # all rows, a tenth of the time of a decode step, is one of 8 bits.
        weights[_HEAD] = pack_weight(_take_tensor(weights, "wte.weight"), "int8")
    return weights


def _convert_weight(name: str, weight: Tensor, placement: Placement) -> Weight:
    """Return a weight in the number format of a placement, or packed."""
    if placement.quantize == "none":
        return weight.to(placement.dtype)
    if name in _EMBEDDINGS:
        return weight
    if weight.ndim < 2:
        return weight.to(placement.dtype)
    # The head decides between tokens that are almost equally likely, and 4 bits would confuse them.
    return pack_weight(weight, "int8" if name == _HEAD else placement.quantize)
