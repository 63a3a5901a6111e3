"""Any causal language model of transformers, with accelerate, bitsandbytes and PEFT adapters."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any, assert_never

import torch
from torch import Tensor

from starchat_tui.config.settings import Quantization
from starchat_tui.engine.models import adapters
from starchat_tui.engine.models.interface import KVCache, KVSlice
from starchat_tui.engine.models.load_errors import translate_load_errors
from starchat_tui.engine.models.load_progress import ProgressCallback, report_loading
from starchat_tui.engine.models.placement import Placement
from starchat_tui.engine.models.weights import Checkpoint
from starchat_tui.errors import ModelUnavailable
from starchat_tui.models.hub_files import get_declared_window

_FALLBACK_WINDOW = 2048
"""Context length in tokens of a model whose config declares none (ALiBi, recurrent models)."""

_SIZE_RATIO = 2
"""Parameters described for each one that is stored, at most; a tied head is stored once."""


class HubCache:
    """Cache of transformers that can be cropped, read and appended to; an `interface.KVCache`."""

    def __init__(self, config: Any) -> None:
        from transformers import DynamicCache

        self.hf_cache: Any = DynamicCache(config=config)

    @property
    def length(self) -> int:
        """Number of tokens read."""
        return int(self.hf_cache.get_seq_length())

    @property
    def rewindable(self) -> bool:
        """True if every layer keeps the keys and values of all tokens."""
        from transformers.cache_utils import DynamicLayer

        # By exact type: the layer of a sliding window derives from this class, but drops tokens.
        return all(type(layer) is DynamicLayer for layer in self.hf_cache.layers)

    def crop(self, length: int) -> None:
        """Drop all but the first `length` tokens."""
        surplus = self.length - length
        if surplus:
            # Since transformers 5.18 only a negative number, of tokens to remove, is accepted.
            self.hf_cache.crop(-surplus)

    def read_slice(self, start: int, stop: int) -> KVSlice:
        """Return copies of tokens `start` to `stop`: keys and values by layer, [1, heads, T, d]."""
        # Copies, because a view would keep the whole sequence in memory for as long as it lives.
        return tuple(
            part[..., start:stop, :].clone()
            for layer in self.hf_cache.layers
            for part in (layer.keys, layer.values)
        )

    def append_slice(self, kv: KVSlice) -> None:
        """Append a slice returned by `read_slice`."""
        for index in range(0, len(kv), 2):
            self.hf_cache.update(kv[index], kv[index + 1], index // 2)


class HubModel:
    """Causal language model of transformers; implements `interface.CausalLM`."""

    def __init__(
        self,
        hf_model: Any,
        device: torch.device,
        base: HubModel | None = None,
        quantization: Quantization = "none",
    ) -> None:
        """Wrap a loaded model.

        Args:
            hf_model: Model of transformers, or a `PeftModel`, in evaluation mode.
            device: Device of its token embedding.
            base: Model whose weights `hf_model` shares, where it is an adapter on it.
            quantization: Quantization of the weights.
        """
        self.quantization = quantization
        self.hf_model = hf_model
        self.device = device
        self.dtype: torch.dtype = hf_model.dtype
        # Held, so that the base's weights are known to be loaded as long as an adapter uses them.
        self.base = base
        """Model whose weights this one shares."""
        self.vocabulary_size = int(hf_model.get_input_embeddings().weight.shape[0])
        self.window = _find_window(hf_model.config)
        self.bytes = (
            adapters.count_unshared_bytes(hf_model, base.hf_model)
            if base
            else int(hf_model.get_memory_footprint())
        )
        # A `PeftModel` takes any argument and passes it on.
        inner = hf_model.get_base_model() if hasattr(hf_model, "get_base_model") else hf_model
        accepted = inspect.signature(inner.forward).parameters
        # Without it a chunk of 512 tokens makes 512 rows of logits, 100 MB in float32 for a
        # vocabulary of 49k, of which one is used. Older architectures do not take it.
        self._last_only = {"logits_to_keep": 1} if "logits_to_keep" in accepted else {}
        # transformers 5.24 renamed the argument, for the architectures converted by then.
        self._cache_argument = "cache" if "cache" in accepted else "past_key_values"

    def new_cache(self) -> HubCache:
        """Return the cache of an empty sequence."""
        return HubCache(self.hf_model.config)

    @torch.inference_mode()
    def forward(self, ids: Sequence[int], cache: KVCache) -> Tensor:
        """Read `ids` [T], T >= 1, after the tokens in `cache`; return the last float32 logits [V].

        Raises `AssertionError` where the sequence would outgrow the window.
        """
        return self._compute_logits(ids, cache, self._last_only)[-1].float()

    @torch.inference_mode()
    def forward_all(self, ids: Sequence[int], cache: KVCache) -> Tensor:
        """Read `ids` [T], T >= 1, as `forward` does; return the float32 logits [T, V] of each."""
        return self._compute_logits(ids, cache, {}).float()

    def _compute_logits(
        self, ids: Sequence[int], cache: KVCache, options: dict[str, int]
    ) -> Tensor:
        """Read `ids` [T]; return the logits [T, V], or of the positions that `options` keep.

        In the model's number format: in 16 bits the tail of the sampler's softmax would be lost.
        """
        assert isinstance(cache, HubCache)
        # A position past a table of embeddings is a device-side assertion on CUDA, which ends
        # the process; so a defect of the callers is to show here.
        assert 0 < len(ids) <= self.window - cache.length, (len(ids), cache.length, self.window)
        input_ids = torch.tensor([list(ids)], dtype=torch.long, device=self.device)
        cache_argument = {self._cache_argument: cache.hf_cache}
        output = self.hf_model(input_ids=input_ids, use_cache=True, **cache_argument, **options)
        logits: Tensor = output.logits[0]
        return logits


def _find_window(config: Any) -> int:
    """Return the context length in tokens of a transformers configuration."""
    text_config = config.get_text_config(decoder=True)
    return get_declared_window(text_config.to_dict()) or _FALLBACK_WINDOW


def load_model(checkpoint: Checkpoint, placement: Placement, report: ProgressCallback) -> HubModel:
    """Load a checkpoint onto its device, an adapter merged into its weights.

    Raises `ModelUnavailable` if transformers cannot make a causal model of the files, and
    `OutOfMemory` if the device turns out to be too small.
    """
    with translate_load_errors(checkpoint, placement.device):
        hf_model = _load_pretrained(checkpoint, placement, report)
        if checkpoint.adapter:
            hf_model = _merge_adapter(hf_model, checkpoint.adapter, placement)
    hf_model.eval().requires_grad_(False)
    # Where accelerate spreads the model, this is the device that takes the ids.
    device = hf_model.get_input_embeddings().weight.device
    return HubModel(hf_model, device, quantization=placement.quantize)


def load_adapter(base: HubModel, checkpoint: Checkpoint) -> HubModel:
    """Load the adapter of `checkpoint` on the weights of `base`, which stays unchanged.

    Not for a base that is spread over devices: accelerate's hooks refer to the modules that they
    were added to. Raises what `load_model` raises.
    """
    assert checkpoint.adapter is not None, checkpoint.folder
    with translate_load_errors(checkpoint, base.device):
        clone = adapters.clone_modules(base.hf_model)
        hf_model = adapters.apply_adapter(clone, checkpoint.adapter, base.device)
    hf_model.eval().requires_grad_(False)
    return HubModel(hf_model, base.device, base, base.quantization)


def _load_pretrained(checkpoint: Checkpoint, placement: Placement, report: ProgressCallback) -> Any:
    from transformers import AutoModelForCausalLM

    _check_described_size(checkpoint)
    with report_loading(report):
        return AutoModelForCausalLM.from_pretrained(
            checkpoint.folder,
            dtype=placement.dtype,
            # With a map the weights go to their device one by one, without a copy in main memory.
            device_map="auto" if placement.spread else {"": str(placement.device)},
            quantization_config=_create_quantization_config(placement),
            local_files_only=True,
            # Code that lies beside weights would run with all the rights of the user.
            trust_remote_code=False,
        )


def _check_described_size(checkpoint: Checkpoint) -> None:
    """Raise `ModelUnavailable` if config.json describes a model much larger than the weights.

    transformers allocates and initializes what the files lack: a config with a width of a million
    would fill the memory.
    """
    from transformers import AutoConfig, AutoModelForCausalLM

    if not checkpoint.parameters or "quantization_config" in checkpoint.config:
        return
    config = AutoConfig.from_pretrained(
        checkpoint.folder, local_files_only=True, trust_remote_code=False
    )
    # Tensors on `meta` have a shape and no memory.
    with torch.device("meta"):
        described: Any = AutoModelForCausalLM.from_config(  # type: ignore[no-untyped-call]
            config, trust_remote_code=False
        )
    count = sum(weight.numel() for weight in described.parameters())
    if count > _SIZE_RATIO * checkpoint.parameters:
        raise ModelUnavailable(
            f"`{checkpoint.folder}` describes {count:,} parameters in its config.json, "
            f"and its files hold {checkpoint.parameters:,}",
            "copy or download the model again",
        )


def _create_quantization_config(placement: Placement) -> Any:
    """Return the bitsandbytes configuration: LLM.int8() or 4-bit NF4; None without."""
    if placement.quantize == "none":
        return None
    from transformers import BitsAndBytesConfig

    if placement.quantize == "int8":
        return BitsAndBytesConfig(load_in_8bit=True)  # type: ignore[no-untyped-call]
    if placement.quantize == "int4":
        return BitsAndBytesConfig(  # type: ignore[no-untyped-call]
            load_in_4bit=True,
            # NF4 and double quantization as in QLoRA (Dettmers et al., 2023).
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=placement.dtype,
        )
    assert_never(placement.quantize)


def _merge_adapter(hf_model: Any, adapter: Path, placement: Placement) -> Any:
    """Return the model with a PEFT adapter, merged into weights that are not quantized."""
    adapted = adapters.load_peft_model(hf_model, adapter, placement.device)
    # Merging into quantized weights would round the sum a second time.
    return adapted.merge_and_unload() if placement.quantize == "none" else adapted
