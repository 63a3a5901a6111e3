"""Loading through transformers: dtypes, devices, adapters, and every error typed."""

from __future__ import annotations

import inspect
import json
import shutil
from pathlib import Path

import pytest
import torch

from starchat_tui.engine.models import device as devices
from starchat_tui.engine.models import hub_model as module
from starchat_tui.engine.models.hub_model import HubCache, Reference, load, place
from starchat_tui.engine.models.weights import Checkpoint, check, find
from starchat_tui.engine.serving.model_pool import Shelf, tokenizer_file
from starchat_tui.errors import ConfigError, ModelUnavailable, OutOfMemory
from starchat_tui.models.registry import resolve
from tests.fakes import VOCABULARY_SIZE, WINDOW, save_tiny_model, tiny_model

GIB = 2**30


def quiet(stage: str, done: int, total: int) -> None:
    """Report nothing."""


@pytest.fixture
def folder(tiny_folder: Path, tmp_path: Path) -> Path:
    """A copy of the model that a test may damage."""
    return Path(shutil.copytree(tiny_folder, tmp_path / "copy"))


def loaded(folder: Path) -> Reference:
    checkpoint = find(resolve(str(folder)), quiet)
    return load(checkpoint, place(checkpoint, device="cpu", quantize="none"), quiet)


def test_a_folder_becomes_a_model(tiny_folder: Path, reference: Reference) -> None:
    told: list[tuple[str, int, int]] = []
    checkpoint = check(tiny_folder)
    placement = place(
        checkpoint, device="auto" if not torch.cuda.is_available() else "cpu", quantize="none"
    )
    assert (placement.device.type, placement.dtype) == ("cpu", torch.float32)
    made = load(checkpoint, placement, lambda *report: told.append(report))
    assert (made.window, made.vocabulary_size) == (WINDOW, VOCABULARY_SIZE)
    assert not made.inner.training
    assert told[0][:2] == ("loading", 1)
    assert told[-1][1] == told[-1][2] == len(told)
    ids = [1, 2, 3]
    expected = reference.extend(ids, reference.new_cache())
    assert torch.allclose(made.extend(ids, made.new_cache()), expected, atol=1e-5)


def test_the_cache_goes_back_and_on(reference: Reference) -> None:
    ids = list(range(20))
    cache = reference.new_cache()
    reference.extend(ids, cache)
    tail = cache.read(12, 20)
    cache.crop(12)
    assert cache.length == 12
    cache.append(tail)
    again = reference.extend([50], cache)
    assert torch.allclose(again, reference.extend([*ids, 50], reference.new_cache()), atol=1e-5)


def test_a_model_that_gives_every_positions_logits_is_understood(reference: Reference) -> None:
    inner = tiny_model()
    forward = inner.forward
    shapes: list[tuple[int, ...]] = []

    def every(input_ids: torch.Tensor, **kwargs: object) -> object:
        found = forward(input_ids, **kwargs)
        shapes.append(tuple(found.logits.shape))
        return found

    known = inspect.signature(forward)
    left = [one for name, one in known.parameters.items() if name != "logits_to_keep"]
    every.__signature__ = known.replace(parameters=left)  # type: ignore[attr-defined]
    inner.forward = every
    made = Reference(inner, torch.device("cpu"))
    found = made.extend([1, 2, 3], made.new_cache())
    assert shapes == [(1, 3, VOCABULARY_SIZE)]
    expected = reference.extend([1, 2, 3], reference.new_cache())
    assert torch.allclose(found, expected, atol=1e-4)


def test_a_run_has_memory_of_its_own(reference: Reference) -> None:
    cache = reference.new_cache()
    reference.extend(list(range(20)), cache)
    (first, *_) = cache.read(0, 5)
    assert first.untyped_storage().nbytes() == first.numel() * first.element_size()


def test_a_cache_with_a_sliding_window_is_not_rewound() -> None:
    from transformers import MistralConfig

    config = MistralConfig(
        vocab_size=10, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, sliding_window=4
    )
    assert not HubCache(config).rewindable


def checkpoint_of(size: int, **config: object) -> Checkpoint:
    class File:
        def stat(self) -> File:
            return self

        st_size = size

    return Checkpoint(Path("big"), {"dtype": "bfloat16", **config}, (File(),))  # type: ignore[arg-type]


def test_a_model_that_cannot_fit_is_refused_before_it_is_read() -> None:
    with pytest.raises(OutOfMemory, match=r"needs 20000\.0 GiB") as caught:
        place(checkpoint_of(10_000 * GIB), device="cpu", quantize="none")
    assert "smaller" in caught.value.hint


def test_float32_on_a_cpu_doubles_half_precision_files() -> None:
    assert place(checkpoint_of(1000), device="cpu", quantize="none").bytes == 2000
    quantized = checkpoint_of(1000, quantization_config={})
    assert place(quantized, device="cpu", quantize="none").bytes == 1000


@pytest.mark.parametrize("name", ["cuda:99", "tpu", "cuda:x", "gpu"])
def test_a_device_that_is_not_there_is_a_typed_error(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        devices.choose(name)
    assert caught.value.hint


def test_quantizing_without_the_means_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="needs a CUDA device"):
        place(checkpoint_of(10), device="cpu", quantize="int8")
    with pytest.raises(ConfigError, match="Unknown quantization"):
        place(checkpoint_of(10), device="cpu", quantize="int3")
    monkeypatch.setattr(devices, "choose", lambda name: torch.device("cuda"))
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="bitsandbytes") as caught:
        place(checkpoint_of(10), device="auto", quantize="int4")
    assert "pip install" in caught.value.hint


def test_a_model_that_is_not_causal_is_a_typed_error(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "vit"}))
    with pytest.raises(ModelUnavailable, match="vit model"):
        loaded(folder)


def test_a_kind_nobody_knows_is_a_typed_error(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({"model_type": "of-tomorrow"}))
    with pytest.raises(ModelUnavailable, match="of-tomorrow"):
        loaded(folder)


def test_a_model_with_code_of_its_own_is_not_run(folder: Path) -> None:
    table = {"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model"}
    (folder / "config.json").write_text(json.dumps({"model_type": "evil", "auto_map": table}))
    (folder / "evil.py").write_text("raise SystemExit('ran')")
    with pytest.raises(ModelUnavailable):
        loaded(folder)


def test_weights_of_another_shape_are_a_typed_error(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "n_embd": 64}))
    with pytest.raises(ModelUnavailable, match="cannot be loaded"):
        loaded(folder)


def test_a_config_with_a_value_of_another_kind_is_a_typed_error(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "n_layer": "two"}))
    with pytest.raises(ModelUnavailable, match="cannot be loaded"):
        loaded(folder)


# peft asks transformers by an old name.
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
def test_an_adapter_goes_on_top_of_its_base(tiny_folder: Path, tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(tiny_folder)
    config = LoraConfig(r=2, target_modules=["c_attn"], task_type="CAUSAL_LM", fan_in_fan_out=False)
    torch.manual_seed(0)
    adapted = get_peft_model(base, config)
    for name, weight in adapted.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(weight, std=0.5)
    adapted.save_pretrained(str(tmp_path / "adapter"))
    made = loaded(tmp_path / "adapter")
    ids = torch.tensor([[1, 2, 3]])
    with torch.inference_mode():
        expected = adapted.eval()(ids).logits[0, -1]
    found = made.extend([1, 2, 3], made.new_cache())
    plain = loaded(tiny_folder)
    assert torch.allclose(found, expected, atol=1e-4)
    assert not torch.allclose(found, plain.extend([1, 2, 3], plain.new_cache()), atol=1e-2)


def test_a_model_without_a_tokenizer_is_a_typed_error(folder: Path, tmp_path: Path) -> None:
    (folder / "tokenizer.json").unlink()
    with pytest.raises(ModelUnavailable, match="tokenizer"):
        tokenizer_file(check(folder), tmp_path / "converted")


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(device="cpu", cache=tmp_path / "cache")


def test_models_stay_on_the_shelf(shelf: Shelf, tiny_folder: Path, tmp_path: Path) -> None:
    other = save_tiny_model(tmp_path / "other", window=64, seed=1)
    stages: list[str] = []
    first = shelf.get(str(tiny_folder), lambda stage, done, total: stages.append(stage))
    assert stages[0] == "loading"
    assert stages[-1] == "warming"
    second = shelf.get(str(other), quiet)
    assert shelf.get(str(tiny_folder), quiet) is first
    assert [(card.name, card.window) for card in shelf.cards] == [
        (str(tiny_folder), WINDOW),
        (str(other), 64),
    ]
    assert all(card.loaded and card.bytes > 0 for card in shelf.cards)
    assert second.prefix.ids == [], "warming leaves no trace"


def test_the_least_recently_used_leaves_for_a_new_one(
    shelf: Shelf, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = [save_tiny_model(tmp_path / name, seed=1) for name in ("b", "c")]
    size = place(check(tiny_folder), device="cpu", quantize="none").bytes
    room = 2 * size
    monkeypatch.setattr(devices, "free_memory", lambda device: room - size * len(shelf.cards))
    shelf.get(str(tiny_folder), quiet)
    shelf.get(str(others[0]), quiet)
    shelf.get(str(tiny_folder), quiet)
    shelf.get(str(others[1]), quiet)
    assert [card.name for card in shelf.cards] == [str(tiny_folder), str(others[1])]
    room = 0
    with pytest.raises(OutOfMemory):
        shelf.get(str(others[0]), quiet)
    assert shelf.cards == ()
