"""Pool of loaded models: loaded on demand, the least recently used evicted for a new one."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from pathlib import Path
from weakref import WeakValueDictionary

import torch

from starchat_tui.client.protocol import ModelCard
from starchat_tui.config.byte_units import GIB
from starchat_tui.config.settings import QuantizationChoice
from starchat_tui.engine.cache.cache_pool import CachePool
from starchat_tui.engine.cache.disk import DiskCache, compute_key
from starchat_tui.engine.models import bigcode, hub_model
from starchat_tui.engine.models import device as devices
from starchat_tui.engine.models.bigcode import BigCodeModel
from starchat_tui.engine.models.end_tokens import find_end_ids
from starchat_tui.engine.models.hub_model import HubModel
from starchat_tui.engine.models.interface import CausalLM
from starchat_tui.engine.models.load_errors import translate_load_errors
from starchat_tui.engine.models.load_progress import ProgressCallback
from starchat_tui.engine.models.packed_file import PACKED_FORMAT
from starchat_tui.engine.models.placement import Placement, choose_placement
from starchat_tui.engine.models.threads import choose_thread_count
from starchat_tui.engine.models.tokenizer_file import prepare_tokenizer_file
from starchat_tui.engine.models.weights import Checkpoint, find_checkpoint, find_obstacle
from starchat_tui.engine.speculation import StepCosts
from starchat_tui.engine.tensor_files import get_tensor_path
from starchat_tui.errors import OutOfMemory
from starchat_tui.models.registry import find_model
from starchat_tui.templates.tokenizer import Tokenizer


@dataclass(slots=True)
class LoadedModel:
    """Model on its device, with its caches and its tokenizer."""

    name: str
    """Name that requests use: a known one, a folder or a Hub id."""
    model: CausalLM
    cache_pool: CachePool
    tokenizer_path: Path
    tokenizer: Tokenizer
    disk_cache: DiskCache
    end_ids: frozenset[int] = frozenset()
    """Ids that end an answer by the model's own configuration."""
    step_costs: StepCosts = field(default_factory=StepCosts)
    """Durations of its forward passes, from which the number of proposed tokens follows."""
    obstacle: str = ""
    """Reason why transformers computes it; "" if our own forward pass does."""
    threads: int = 1
    """Number of CPU threads that compute it fastest."""
    last_used: int = 0
    """Number of the request that used it last."""


class ModelPool:
    """Loaded models by name; used by the worker thread only, but for `cards`."""

    def __init__(
        self,
        *,
        device: str = "auto",
        quantize: QuantizationChoice = "none",
        cache_dir: Path,
        prefix_budget: int = GIB,
        uses_own_forward: bool = True,
    ) -> None:
        """Create an empty pool.

        Args:
            device: Device of all models: auto, cuda:N, mps or cpu.
            quantize: Quantization of all models.
            cache_dir: Directory for prefixes and converted tokenizers.
            prefix_budget: Memory of each model's prefix tree, in bytes.
            uses_own_forward: False has transformers compute every model, for comparison.
        """
        self._device = device
        self._quantize = quantize
        self._cache_dir = cache_dir
        self._prefix_budget = prefix_budget
        self._uses_own_forward = uses_own_forward
        # As torch finds it: the cores of this machine, or OMP_NUM_THREADS.
        self._most_threads = torch.get_num_threads()
        self._loaded: dict[str, LoadedModel] = {}
        # Weak, so that evicting the last model that computes with some weights frees them.
        self._bases: WeakValueDictionary[Path, HubModel] = WeakValueDictionary()
        """Models of transformers by their folder, which adapters may share."""
        self._clock = itertools.count(1)
        # Replaced as a whole and never changed, so that the server's thread may read it.
        self.cards: tuple[ModelCard, ...] = ()
        """Cards of the loaded models."""

    def get_model(self, name: str, report: ProgressCallback) -> LoadedModel:
        """Return a model, loaded if it is not yet.

        Raises `ModelUnavailable`, `ConfigError` or `OutOfMemory`; the other models stay usable.
        """
        loaded = self._loaded.get(name)
        if loaded is None:
            loaded = self._loaded[name] = self._load_model(name, report)
        loaded.last_used = next(self._clock)
        self._update_cards()
        return loaded

    def clear_prefix_caches(self) -> None:
        """Drop every prefix in memory, and return the memory to the system."""
        for loaded in self._loaded.values():
            loaded.cache_pool.clear()
        devices.release_memory(devices.choose_device(self._device))

    def _load_model(self, name: str, report: ProgressCallback) -> LoadedModel:
        checkpoint = find_checkpoint(find_model(name), report)
        tokenizer_path = prepare_tokenizer_file(checkpoint, self._cache_dir / "tokenizers")
        # Without StarChat's control tokens if the file lacks them: the model has no rows for them.
        tokenizer = Tokenizer.load(tokenizer_path, add_chat_tokens=False)
        report("loading", 0, 0)
        model = self._load_weights(checkpoint, report)
        report("warming", 0, 1)
        # The first pass initializes libraries and allocators: not in the first answer.
        model.forward([0], model.new_cache())
        threads = choose_thread_count(model, self._most_threads)
        # The two implementations lay out their caches differently.
        layout = f"{model.quantization} {type(model).__name__}"
        key = compute_key(checkpoint, model.dtype, layout)
        disk_cache = DiskCache(self._cache_dir / "prefixes", key)
        cache_pool = CachePool(model, budget=self._prefix_budget)
        end_ids = find_end_ids(checkpoint, tokenizer)
        return LoadedModel(
            name,
            model,
            cache_pool,
            tokenizer_path,
            tokenizer,
            disk_cache,
            end_ids,
            obstacle=self._find_obstacle(checkpoint, model.device),
            threads=threads,
        )

    def _load_weights(
        self, checkpoint: Checkpoint, report: ProgressCallback
    ) -> HubModel | BigCodeModel:
        """Return the model of a checkpoint; an adapter shares the weights of its base."""
        plain = replace(checkpoint, adapter=None)
        base = self._bases.get(plain.folder)
        if base is None:
            placement = self._find_placement(checkpoint)
            if not self._find_obstacle(checkpoint, placement.device):
                with translate_load_errors(checkpoint, placement.device):
                    # Torch packs weights in a layout of its own, which another version may change.
                    key = compute_key(checkpoint, placement.dtype, PACKED_FORMAT)
                    file = get_tensor_path(self._cache_dir / "packed", key)
                    return bigcode.load_model(checkpoint, placement, report, file)
            # Its modules cannot be cloned for an adapter, so nothing is to share.
            if placement.spread:
                return hub_model.load_model(checkpoint, placement, report)
            base = self._bases[plain.folder] = hub_model.load_model(plain, placement, report)
        return hub_model.load_adapter(base, checkpoint) if checkpoint.adapter else base

    def _find_obstacle(self, checkpoint: Checkpoint, device: torch.device) -> str:
        """Return why transformers has to compute a model; "" if our own forward pass does."""
        if not self._uses_own_forward:
            return "this engine compares the two"
        if device.type != "cpu":
            return f"it is on {device}"
        return find_obstacle(checkpoint)

    def _find_placement(self, checkpoint: Checkpoint) -> Placement:
        """Return a placement, evicting the least recently used models until there is one."""
        while True:
            try:
                placement = choose_placement(
                    checkpoint, device=self._device, quantize=self._quantize
                )
            except OutOfMemory:
                if not self._loaded:
                    raise
            else:
                # Spread over devices a model is slow: rather evict the others first.
                if not placement.spread or not self._loaded:
                    return placement
            self._evict_oldest()

    def _evict_oldest(self) -> None:
        oldest = min(self._loaded.values(), key=lambda loaded: loaded.last_used)
        del self._loaded[oldest.name]
        self._update_cards()
        device = oldest.model.device
        # The last reference, unless an adapter shares the weights.
        del oldest
        devices.release_memory(device)

    def _update_cards(self) -> None:
        self.cards = tuple(
            ModelCard(
                name=loaded.name,
                window=loaded.model.window,
                loaded=True,
                tokenizer=str(loaded.tokenizer_path),
                bytes=loaded.model.bytes,
                forward=describe_forward(loaded),
            )
            for loaded in self._loaded.values()
        )


def describe_forward(loaded: LoadedModel) -> str:
    """Return which forward pass computes a model, and why; with its quantization."""
    name = f"transformers, as {loaded.obstacle}" if loaded.obstacle else "own forward pass"
    quantization = loaded.model.quantization
    return name if quantization == "none" else f"{name}, {quantization}"
