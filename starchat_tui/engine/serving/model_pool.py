"""The models this engine holds: loaded on demand, the least recently used leaving for a new one."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from pathlib import Path
from weakref import WeakValueDictionary

from starchat_tui.client.protocol import ModelCard
from starchat_tui.engine.cache.disk import Store, key_of
from starchat_tui.engine.cache.prefix import GIB, PrefixCache
from starchat_tui.engine.models import bigcode, hub_model
from starchat_tui.engine.models import device as devices
from starchat_tui.engine.models.bigcode import BigCode
from starchat_tui.engine.models.hub_model import Reference
from starchat_tui.engine.models.interface import Model
from starchat_tui.engine.models.weights import Checkpoint, Report, find
from starchat_tui.errors import ModelUnavailable, OutOfMemory
from starchat_tui.models.registry import resolve
from starchat_tui.templates.tokenizer import Vocabulary

LIGHT = GIB
"""Bytes of weights up to which how soon the first answer comes counts most."""


@dataclass(slots=True)
class Loaded:
    """A model on its device, with what it has read and its tokenizer."""

    name: str
    model: Model
    prefix: PrefixCache
    tokenizer: Path
    vocabulary: Vocabulary
    store: Store
    used: int = 0


class Shelf:
    """Loaded models by name."""

    def __init__(
        self,
        *,
        device: str = "auto",
        quantize: str = "none",
        cache: Path,
        budget: int = GIB,
        light: int = LIGHT,
    ) -> None:
        self._device = device
        self._quantize = quantize
        self._cache = cache
        self._budget = budget
        self._light = light
        self._loaded: dict[str, Loaded] = {}
        self._bases: WeakValueDictionary[Path, Reference] = WeakValueDictionary()
        """Weights by their folder, as long as a loaded model computes with them."""
        self._clock = itertools.count(1)
        self.cards: tuple[ModelCard, ...] = ()
        """What is loaded; replaced as a whole, so that another thread may read it."""

    def get(self, name: str, report: Report) -> Loaded:
        """The model, loaded where it is not yet.

        Raises `ModelUnavailable`, `ConfigError` or `OutOfMemory`; the others stay usable.
        """
        loaded = self._loaded.get(name)
        if loaded is None:
            loaded = self._loaded[name] = self._load(name, report)
        loaded.used = next(self._clock)
        self._publish()
        return loaded

    def free(self) -> None:
        """Forget every prefix, and give the memory back."""
        for loaded in self._loaded.values():
            loaded.prefix.clear()
        devices.release(devices.choose(self._device))

    def _load(self, name: str, report: Report) -> Loaded:
        checkpoint = find(resolve(name), report)
        tokenizer = tokenizer_file(checkpoint, self._cache / "tokenizers")
        # The model has rows for the ids of the file, and for no others.
        vocabulary = Vocabulary.load(tokenizer, grow=False)
        report("loading", 0, 0)
        model = self._model(checkpoint, report)
        report("warming", 0, 1)
        model.extend([0], model.new_cache())
        layout = f"{self._quantize} {type(model).__name__}"
        key = key_of(checkpoint, model.dtype, layout)
        store = Store(self._cache / "prefixes", key)
        prefix = PrefixCache(model, budget=self._budget)
        return Loaded(name, model, prefix, tokenizer, vocabulary, store)

    def _model(self, checkpoint: Checkpoint, report: Report) -> Reference | BigCode:
        """The model of a checkpoint; an adapter computes with weights that are here already."""
        plain = replace(checkpoint, adapter=None)
        base = self._bases.get(plain.folder)
        if base is None:
            placement = self._place(plain)
            if self._is_light(checkpoint, placement):
                with hub_model.typed_errors(checkpoint, placement.device):
                    return bigcode.load(checkpoint, placement.device, placement.dtype, report)
            if placement.spread:
                return hub_model.load(checkpoint, placement, report)
            base = self._bases[plain.folder] = hub_model.load(plain, placement, report)
        return hub_model.beside(base, checkpoint) if checkpoint.adapter else base

    def _is_light(self, checkpoint: Checkpoint, placement: hub_model.Placement) -> bool:
        """Whether our own forward takes it, which starts sooner but carries no adapter."""
        return (
            placement.device.type == "cpu"
            and placement.bytes <= self._light
            and bigcode.fits(checkpoint)
        )

    def _place(self, checkpoint: Checkpoint) -> hub_model.Placement:
        """A place for a checkpoint; other models leave, oldest first, until there is one."""
        while True:
            try:
                found = hub_model.place(checkpoint, device=self._device, quantize=self._quantize)
            except OutOfMemory:
                if not self._loaded:
                    raise
            else:
                if not found.spread or not self._loaded:
                    return found
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        oldest = min(self._loaded.values(), key=lambda loaded: loaded.used)
        del self._loaded[oldest.name]
        self._publish()
        device = oldest.model.device
        # The weights leave with the last of a base and its adapters.
        del oldest
        devices.release(device)

    def _publish(self) -> None:
        self.cards = tuple(
            ModelCard(
                name=loaded.name,
                window=loaded.model.window,
                loaded=True,
                tokenizer=str(loaded.tokenizer),
                bytes=loaded.model.bytes,
            )
            for loaded in self._loaded.values()
        )


def tokenizer_file(checkpoint: Checkpoint, converted: Path) -> Path:
    """The model's tokenizer.json; made from the files of an older format where there is none.

    Raises `ModelUnavailable` where the model has no tokenizer at all.
    """
    folders = [folder for folder in (checkpoint.adapter, checkpoint.folder) if folder]
    for folder in folders:
        if (folder / "tokenizer.json").is_file():
            return folder / "tokenizer.json"
    return _convert(checkpoint.folder, converted)


def _convert(folder: Path, converted: Path) -> Path:
    from transformers import AutoTokenizer

    try:
        made = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError, ImportError, TypeError, AttributeError) as error:
        raise ModelUnavailable(
            f"`{folder}` has no tokenizer", "copy its tokenizer.json there, or download it anew"
        ) from error
    backend = getattr(made, "backend_tokenizer", None)
    if backend is None or not backend.get_vocab_size():
        raise ModelUnavailable(
            f"`{folder}` has no tokenizer that reads as a tokenizer.json", "copy one there"
        )
    target = converted / f"{folder.name}.tokenizer.json"
    converted.mkdir(mode=0o700, parents=True, exist_ok=True)
    backend.save(str(target))
    return target
