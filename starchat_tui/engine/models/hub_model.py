"""Any causal language model, through transformers, accelerate, peft and bitsandbytes."""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor

from starchat_tui.engine.models import adapters
from starchat_tui.engine.models import device as devices
from starchat_tui.engine.models.interface import Cache, Run
from starchat_tui.engine.models.weights import Checkpoint, Report
from starchat_tui.errors import ConfigError, ModelUnavailable, OutOfMemory, StarChatError

_DAMAGE = (ValueError, KeyError, OSError, ImportError, RuntimeError, TypeError, SafetensorError)
QUANTIZATIONS = ("none", "int8", "int4")
_WIDTH = {"int8": 1.1, "int4": 0.65}
"""Bytes a parameter, scales and unquantized layers included."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where and how weights are put."""

    device: torch.device
    dtype: torch.dtype
    quantize: str
    spread: bool
    """Whether accelerate divides the model over all cards and main memory."""
    bytes: int
    """Memory the weights will take, as far as the files tell."""


def place(checkpoint: Checkpoint, *, device: str, quantize: str) -> Placement:
    """Decide where a checkpoint goes; raises `OutOfMemory` or `ConfigError` before it is read."""
    where = devices.choose(device)
    _check_quantization(quantize, where)
    dtype = devices.number_format(where)
    size = _memory(checkpoint, dtype, quantize)
    fits = size <= devices.free_memory(where)
    spread = where.type == "cuda" and device == "auto" and not fits
    if not fits and not (spread and size <= devices.free_everywhere(where)):
        raise OutOfMemory(
            f"The model needs {size / 2**30:.1f} GiB and {where} has "
            f"{max(devices.free_memory(where), 0) / 2**30:.1f} GiB free",
            "choose a smaller one"
            + (", or `--quantize int8` or `int4`" if where.type == "cuda" else "")
            + "; `starchat stop` frees what an engine holds",
        )
    return Placement(where, dtype, quantize, spread, size)


def _check_quantization(quantize: str, device: torch.device) -> None:
    if quantize not in QUANTIZATIONS:
        raise ConfigError(f"Unknown quantization `{quantize}`", "it is none, int8 or int4")
    if quantize == "none":
        return
    if device.type != "cuda":
        raise ConfigError(
            f"`--quantize {quantize}` needs a CUDA device, and this is {device.type}",
            "leave it out, or choose a smaller model",
        )
    if importlib.util.find_spec("bitsandbytes") is None:
        raise ConfigError(
            f"`--quantize {quantize}` needs the bitsandbytes library",
            "install it with `pip install bitsandbytes`",
        )


def _memory(checkpoint: Checkpoint, dtype: torch.dtype, quantize: str) -> int:
    """Bytes of the weights once loaded, from the files' size and the format they are in."""
    config = checkpoint.config
    named = str(config.get("dtype") or config.get("torch_dtype") or "float32")
    stored = getattr(torch, named, torch.float32)
    if "quantization_config" in config:
        return checkpoint.bytes
    parameters = checkpoint.bytes / stored.itemsize
    return int(parameters * _WIDTH.get(quantize, dtype.itemsize))


class HubCache:
    """A transformers cache that can be rewound, read and extended."""

    def __init__(self, config: Any) -> None:
        from transformers import DynamicCache

        self.inner: Any = DynamicCache(config=config)

    @property
    def length(self) -> int:
        """The number of tokens read."""
        return int(self.inner.get_seq_length())

    @property
    def rewindable(self) -> bool:
        """Whether every layer keeps keys and values of all tokens."""
        from transformers.cache_utils import DynamicLayer

        return all(type(layer) is DynamicLayer for layer in self.inner.layers)

    def crop(self, length: int) -> None:
        """Forget all but the first `length` tokens."""
        surplus = self.length - length
        if surplus:
            # Since transformers 5.18 only a negative number, of tokens to remove, is understood.
            self.inner.crop(-surplus)

    def read(self, start: int, stop: int) -> Run:
        """Keys and values, layer by layer, of tokens `start` to `stop`: [1, heads, T, D] each."""
        return tuple(
            part[..., start:stop, :].clone()
            for layer in self.inner.layers
            for part in (layer.keys, layer.values)
        )

    def append(self, run: Run) -> None:
        """Put a run that `read` gave at the end."""
        for index in range(0, len(run), 2):
            self.inner.update(run[index], run[index + 1], index // 2)


class Reference:
    """A causal language model of transformers, as the engine asks it."""

    def __init__(self, inner: Any, device: torch.device, base: Reference | None = None) -> None:
        self.inner = inner
        self.device = device
        self.dtype: torch.dtype = inner.dtype
        self.base = base
        """The model whose weights this one computes with, besides its own."""
        self.vocabulary_size = int(inner.get_input_embeddings().weight.shape[0])
        self.window = _window(inner.config)
        self.bytes = (
            adapters.own_bytes(inner, base.inner) if base else int(inner.get_memory_footprint())
        )
        # Older architectures give the logits of every position, whatever is asked.
        whole = inner.get_base_model() if hasattr(inner, "get_base_model") else inner
        accepted = inspect.signature(whole.forward).parameters
        self._last_only = {"logits_to_keep": 1} if "logits_to_keep" in accepted else {}
        # Its name since transformers 5.24, for the architectures that were changed by then.
        self._cache = "cache" if "cache" in accepted else "past_key_values"

    def new_cache(self) -> HubCache:
        """The cache of an empty sequence."""
        return HubCache(self.inner.config)

    @torch.inference_mode()
    def extend(self, ids: Sequence[int], cache: Cache) -> Tensor:
        """Read `ids` [T] after what `cache` holds; the last one's float32 logits [V]."""
        assert isinstance(cache, HubCache)
        assert 0 < len(ids) <= self.window - cache.length, (len(ids), cache.length, self.window)
        given = torch.tensor([list(ids)], dtype=torch.long, device=self.device)
        held = {self._cache: cache.inner}
        found = self.inner(input_ids=given, use_cache=True, **held, **self._last_only)
        logits: Tensor = found.logits[0, -1].float()
        return logits


def _window(config: Any) -> int:
    text = config.get_text_config(decoder=True)
    for name in ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "seq_length"):
        found = getattr(text, name, None)
        if isinstance(found, int) and found > 0:
            return found
    return 2048


def load(checkpoint: Checkpoint, placement: Placement, report: Report) -> Reference:
    """Read the weights onto their device, an adapter's merged into them.

    Raises `ModelUnavailable` where transformers cannot make a causal model of the files, and
    `OutOfMemory` where the device is too small after all.
    """
    with typed_errors(checkpoint, placement.device):
        inner = _read(checkpoint, placement, report)
        if checkpoint.adapter:
            inner = _adapted(inner, checkpoint.adapter, placement)
    inner.eval().requires_grad_(False)
    return Reference(inner, inner.get_input_embeddings().weight.device)


def beside(base: Reference, checkpoint: Checkpoint) -> Reference:
    """The adapter of `checkpoint` on the weights of `base`, which stays as it is.

    Raises what `load` does. Not for a base that is spread over devices: accelerate's hooks know
    the modules they were put on.
    """
    assert checkpoint.adapter is not None, checkpoint.folder
    with typed_errors(checkpoint, base.device):
        inner = adapters.put(adapters.twin(base.inner), checkpoint.adapter, base.device)
    inner.eval().requires_grad_(False)
    return Reference(inner, base.device, base)


@contextmanager
def typed_errors(checkpoint: Checkpoint, device: torch.device) -> Iterator[None]:
    """What torch, transformers and peft raise as errors of ours."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise out_of_memory(device) from error
    except StarChatError:
        raise
    except _damage() as error:
        raise _unusable(checkpoint, error) from error


def _damage() -> tuple[type[Exception], ...]:
    """What transformers and peft raise for files that they cannot read."""
    from huggingface_hub.errors import StrictDataclassError

    # A config whose values are of another type; its class is nothing but an `Exception`.
    return (*_DAMAGE, StrictDataclassError)


def out_of_memory(device: object) -> OutOfMemory:
    """The error of a full device."""
    return OutOfMemory(
        f"{device} has no memory left for the model or for a context this long",
        "shorten the conversation, choose a smaller model, or `--quantize int8`",
    )


def _unusable(checkpoint: Checkpoint, error: Exception) -> ModelUnavailable:
    kind = checkpoint.config.get("model_type", "unknown")
    where = checkpoint.adapter or checkpoint.folder
    reason = " ".join(str(error).split())[:300]
    if "Unrecognized configuration class" in reason or "does not recognize" in reason:
        return ModelUnavailable(
            f"`{checkpoint.folder}` is a {kind} model, which is not a causal language model here",
            "name a model that generates text; a newer transformers may know more kinds",
        )
    if "trust_remote_code" in reason:
        return ModelUnavailable(
            f"`{checkpoint.folder}` brings its own code, which is never run here",
            "name a model whose kind transformers knows",
        )
    return ModelUnavailable(
        f"`{where}` ({kind}) cannot be loaded: {type(error).__name__}: {reason}",
        "copy or download the model anew",
    )


def _read(checkpoint: Checkpoint, placement: Placement, report: Report) -> Any:
    from transformers import AutoModelForCausalLM

    with _reported(report):
        return AutoModelForCausalLM.from_pretrained(
            checkpoint.folder,
            dtype=placement.dtype,
            device_map="auto" if placement.spread else {"": str(placement.device)},
            quantization_config=_quantization(placement),
            local_files_only=True,
            trust_remote_code=False,
        )


def _quantization(placement: Placement) -> Any:
    if placement.quantize == "none":
        return None
    from transformers import BitsAndBytesConfig as Bits

    if placement.quantize == "int8":
        return Bits(load_in_8bit=True)  # type: ignore[no-untyped-call]
    return Bits(  # type: ignore[no-untyped-call]
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=placement.dtype,
    )


@contextmanager
def _reported(report: Report) -> Iterator[None]:
    """Turn the bars transformers draws while it loads into reports."""
    from transformers.utils import logging

    def meter(factory: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        from tqdm import tqdm  # type: ignore[import-untyped]

        class Meter(tqdm):  # type: ignore[misc]
            def __iter__(self) -> Iterator[Any]:
                for done, item in enumerate(self.iterable, 1):
                    yield item
                    report("loading", done, self.total or 0)

        return Meter(*args, **{**kwargs, "disable": False, "file": _Nowhere()})

    before = logging.set_tqdm_hook(meter)
    try:
        yield
    finally:
        logging.set_tqdm_hook(before)


class _Nowhere:
    def write(self, text: str) -> None:
        """Drop it."""

    def flush(self) -> None:
        """Nothing to do."""


def _adapted(inner: Any, adapter: Path, placement: Placement) -> Any:
    """The model with a PEFT adapter on top, merged into weights that are not quantized."""
    adapted = adapters.loaded(inner, adapter, placement.device)
    return adapted.merge_and_unload() if placement.quantize == "none" else adapted
