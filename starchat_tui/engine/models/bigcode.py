"""StarCoder's forward (GPTBigCode) in plain torch, over a static cache, without transformers.

Importing transformers takes longer than everything else an engine does before its first answer from
a small model; and each of its decode steps goes through a tree of modules. Here a layer is a few
products, and keys and values lie in one tensor [layer, 2, position, head size], because all heads
share one key and one value (Shazeer, Fast Transformer Decoding: One Write-Head Is All You Need,
2019). `reference.py` is the truth it is tested against.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor
from torch.nn import functional as F

from starchat_tui.engine.models.interface import Cache, Run
from starchat_tui.engine.models.weights import Checkpoint, Report
from starchat_tui.errors import ModelUnavailable

_ROOM = 256
"""Positions that a cache makes room for at first; it doubles from there."""
_GELU = {"gelu_pytorch_tanh": "tanh", "gelu": "none"}
"""Activations by their names in a configuration, in torch's words."""


def fits(checkpoint: Checkpoint) -> bool:
    """Whether this forward computes the model: a plain GPTBigCode with multi-query attention."""
    config = checkpoint.config
    return (
        config.get("model_type") == "gpt_bigcode"
        and bool(config.get("multi_query", True))
        and bool(config.get("scale_attn_weights", True))
        and config.get("activation_function", "gelu_pytorch_tanh") in _GELU
        and "quantization_config" not in config
        and checkpoint.adapter is None
        and all(file.suffix == ".safetensors" for file in checkpoint.files)
    )


@dataclass(frozen=True, slots=True)
class _Layer:
    """The weights of a block, each of a linear map as [out, in]."""

    before: tuple[Tensor, Tensor]
    """Weight and bias [D] of the norm before attention; so for `between`."""
    attend: tuple[Tensor, Tensor]
    """To queries of all heads, one key and one value: [D + 2 head size, D]."""
    merge: tuple[Tensor, Tensor]
    between: tuple[Tensor, Tensor]
    widen: tuple[Tensor, Tensor]
    narrow: tuple[Tensor, Tensor]


_PARTS = ("ln_1", "attn.c_attn", "attn.c_proj", "ln_2", "mlp.c_fc", "mlp.c_proj")
"""Their names in a checkpoint, in the order of `_Layer`."""


class StaticCache:
    """Keys and values [layer, 2, position, head size] with room for what follows."""

    def __init__(self, layers: int, head: int, dtype: torch.dtype, device: torch.device) -> None:
        self.room = torch.empty(layers, 2, _ROOM, head, dtype=dtype, device=device)
        self.length = 0
        self.rewindable = True

    def reserve(self, length: int) -> None:
        """Make room for `length` tokens."""
        have = self.room.size(2)
        if length <= have:
            return
        layers, both, _, head = self.room.shape
        more = self.room.new_empty(layers, both, max(length, 2 * have), head)
        more[:, :, : self.length] = self.room[:, :, : self.length]
        self.room = more

    def crop(self, length: int) -> None:
        """Forget all but the first `length` tokens."""
        self.length = length

    def read(self, start: int, stop: int) -> Run:
        """Keys and values [layer, 2, T, head size] of tokens `start` to `stop`."""
        return (self.room[:, :, start:stop].clone(),)

    @torch.inference_mode()
    def append(self, run: Run) -> None:
        """Put a run that `read` gave at the end."""
        (part,) = run
        stop = self.length + part.size(2)
        self.reserve(stop)
        self.room[:, :, self.length : stop] = part
        self.length = stop


class BigCode:
    """A GPTBigCode on its device, as the engine asks it."""

    def __init__(
        self, weights: Mapping[str, Tensor], config: Mapping[str, Any], device: torch.device
    ) -> None:
        self.device = device
        self._tokens = weights["wte.weight"]
        self._places = weights["wpe.weight"]
        self._head = weights.get("lm_head.weight", self._tokens)
        self._last = weights["ln_f.weight"], weights["ln_f.bias"]
        self._layers = [
            _Layer(
                *(
                    (weights[f"h.{index}.{part}.weight"], weights[f"h.{index}.{part}.bias"])
                    for part in _PARTS
                )
            )
            for index in range(int(config["n_layer"]))
        ]
        self._heads = int(config["n_head"])
        self._epsilon = float(config.get("layer_norm_epsilon", 1e-5))
        self._gelu = _GELU[str(config.get("activation_function", "gelu_pytorch_tanh"))]
        self.window = self._places.size(0)
        self.vocabulary_size = self._tokens.size(0)
        self.dtype = self._tokens.dtype
        held = {part.data_ptr(): part.numel() * part.element_size() for part in weights.values()}
        self.bytes = sum(held.values())

    def new_cache(self) -> StaticCache:
        """The cache of an empty sequence."""
        head = self._tokens.size(1) // self._heads
        return StaticCache(len(self._layers), head, self.dtype, self.device)

    @torch.inference_mode()
    def extend(self, ids: Sequence[int], cache: Cache) -> Tensor:
        """Read `ids` [T] after what `cache` holds; the last one's float32 logits [V]."""
        assert isinstance(cache, StaticCache)
        start, stop = cache.length, cache.length + len(ids)
        assert start < stop <= self.window, (len(ids), start, self.window)
        cache.reserve(stop)
        x = self._tokens[torch.tensor(ids, device=self.device)] + self._places[start:stop]
        for index, layer in enumerate(self._layers):
            attended = self._attention(layer, self._norm(x, layer.before), cache, index)
            x = x + F.linear(attended, *layer.merge)
            wide = F.linear(self._norm(x, layer.between), *layer.widen)
            x = x + F.linear(F.gelu(wide, approximate=self._gelu), *layer.narrow)
        cache.length = stop
        return F.linear(self._norm(x[-1], self._last), self._head).float()

    def _norm(self, x: Tensor, scale: tuple[Tensor, Tensor]) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], *scale, eps=self._epsilon)

    def _attention(self, layer: _Layer, x: Tensor, cache: StaticCache, index: int) -> Tensor:
        """What each of x [T, D] finds in itself and what came before, of all heads: [T, D]."""
        size, width = x.shape
        head = width // self._heads
        mixed = F.linear(x, *layer.attend)
        query, key, value = mixed[:, :width], mixed[:, width:-head], mixed[:, -head:]
        stop = cache.length + size
        keys, values = cache.room[index, :, :stop]
        keys[cache.length :], values[cache.length :] = key, value
        if size == 1:
            # One step: the heads are rows of one product.
            scores = query.view(self._heads, head) @ keys.T * head**-0.5
            shares = scores.softmax(-1, torch.float32).to(x.dtype)
            return torch.mm(shares, values).view(1, width)
        queries = query.view(size, self._heads, head).transpose(0, 1)[None]
        shape = (1, self._heads, stop, head)
        seen = None
        if cache.length:
            seen = torch.ones(size, stop, dtype=torch.bool, device=self.device).tril(cache.length)
        found = F.scaled_dot_product_attention(
            queries, keys.expand(shape), values.expand(shape), seen, is_causal=seen is None
        )
        return found[0].transpose(0, 1).reshape(size, width)


def load(
    checkpoint: Checkpoint, device: torch.device, dtype: torch.dtype, report: Report
) -> BigCode:
    """Read the weights; raises `ModelUnavailable` where the files do not hold what they should."""
    weights: dict[str, Tensor] = {}
    try:
        for file in checkpoint.files:
            with safe_open(file, framework="pt", device=str(device)) as opened:
                names = list(opened.keys())
                for done, name in enumerate(names, 1):
                    weights[name.removeprefix("transformer.")] = opened.get_tensor(name).to(dtype)
                    report("loading", done, len(names))
        model = BigCode(weights, checkpoint.config, device)
        model.extend([0], model.new_cache())
    except (KeyError, ValueError, RuntimeError, IndexError) as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        reason = " ".join(str(error).split())[:200]
        raise ModelUnavailable(
            f"`{checkpoint.folder}` does not hold the model of its config.json: {reason}",
            "copy or download the model anew",
        ) from error
    return model
