"""Models through transformers: loading, the cache, adapters, and typed errors."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import pytest
import torch

from starchat_tui.engine.models.hub_model import HubCache, HubModel, load_model
from starchat_tui.engine.models.placement import choose_placement
from starchat_tui.engine.models.weights import find_checkpoint, read_checkpoint
from starchat_tui.errors import ModelUnavailable
from starchat_tui.models.registry import find_model
from tests.engine.requests import ignore_progress
from tests.fakes import VOCABULARY_SIZE, WINDOW, tiny_model


def load_from(folder: Path) -> HubModel:
    checkpoint = find_checkpoint(find_model(str(folder)), ignore_progress)
    return load_model(
        checkpoint, choose_placement(checkpoint, device="cpu", quantize="none"), ignore_progress
    )


def test_a_folder_becomes_a_model(tiny_folder: Path, reference: HubModel) -> None:
    reports: list[tuple[str, int, int]] = []
    checkpoint = read_checkpoint(tiny_folder)
    placement = choose_placement(
        checkpoint, device="auto" if not torch.cuda.is_available() else "cpu", quantize="none"
    )
    assert (placement.device.type, placement.dtype) == ("cpu", torch.float32)
    made = load_model(checkpoint, placement, lambda *report: reports.append(report))
    assert (made.window, made.vocabulary_size) == (WINDOW, VOCABULARY_SIZE)
    assert not made.hf_model.training
    assert reports[0][:2] == ("loading", 1)
    assert reports[-1][1] == reports[-1][2] == len(reports)
    ids = [1, 2, 3]
    expected = reference.forward(ids, reference.new_cache())
    assert torch.allclose(made.forward(ids, made.new_cache()), expected, atol=1e-5)


def test_the_cache_is_cropped_and_appended_to(reference: HubModel) -> None:
    ids = list(range(20))
    cache = reference.new_cache()
    reference.forward(ids, cache)
    tail = cache.read_slice(12, 20)
    cache.crop(12)
    assert cache.length == 12
    cache.append_slice(tail)
    again = reference.forward([50], cache)
    assert torch.allclose(again, reference.forward([*ids, 50], reference.new_cache()), atol=1e-5)


def test_a_model_that_returns_the_logits_of_every_position_is_supported(
    reference: HubModel,
) -> None:
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
    made = HubModel(inner, torch.device("cpu"))
    found = made.forward([1, 2, 3], made.new_cache())
    assert shapes == [(1, 3, VOCABULARY_SIZE)]
    expected = reference.forward([1, 2, 3], reference.new_cache())
    assert torch.allclose(found, expected, atol=1e-4)


def test_a_slice_has_memory_of_its_own(reference: HubModel) -> None:
    cache = reference.new_cache()
    reference.forward(list(range(20)), cache)
    (first, *_) = cache.read_slice(0, 5)
    assert first.untyped_storage().nbytes() == first.numel() * first.element_size()


def test_a_cache_with_a_sliding_window_is_not_rewound() -> None:
    from transformers import MistralConfig

    config = MistralConfig(
        vocab_size=10, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, sliding_window=4
    )
    assert not HubCache(config).rewindable


def test_a_model_that_is_not_causal_is_a_typed_error(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "vit"}))
    with pytest.raises(ModelUnavailable, match="vit model"):
        load_from(folder)


def test_an_unknown_kind_is_a_typed_error(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({"model_type": "of-tomorrow"}))
    with pytest.raises(ModelUnavailable, match="of-tomorrow"):
        load_from(folder)


def test_a_model_with_code_of_its_own_is_not_run(folder: Path) -> None:
    table = {"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model"}
    (folder / "config.json").write_text(json.dumps({"model_type": "evil", "auto_map": table}))
    (folder / "evil.py").write_text("raise SystemExit('ran')")
    with pytest.raises(ModelUnavailable):
        load_from(folder)


def test_weights_of_another_shape_are_a_typed_error(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "n_embd": 64}))
    with pytest.raises(ModelUnavailable, match=r"cannot be loaded|describes"):
        load_from(folder)


def test_a_config_with_a_value_of_another_type_is_a_typed_error(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "n_layer": "two"}))
    with pytest.raises(ModelUnavailable, match="cannot be loaded"):
        load_from(folder)


# peft asks transformers by an old name.
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
def test_an_adapter_is_applied_to_its_base(tiny_folder: Path, tmp_path: Path) -> None:
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
    made = load_from(tmp_path / "adapter")
    ids = torch.tensor([[1, 2, 3]])
    with torch.inference_mode():
        expected = adapted.eval()(ids).logits[0, -1]
    found = made.forward([1, 2, 3], made.new_cache())
    plain = load_from(tiny_folder)
    assert torch.allclose(found, expected, atol=1e-4)
    assert not torch.allclose(found, plain.forward([1, 2, 3], plain.new_cache()), atol=1e-2)


@pytest.mark.parametrize(
    ("config", "window"),
    [
        ({"model_type": "gpt_bigcode", "n_positions": 100}, 100),
        ({"model_type": "llama", "max_position_embeddings": 300}, 300),
        ({"model_type": "mpt", "max_seq_len": 400}, 400),
        ({"model_type": "rwkv", "context_length": 500}, 500),
        ({"model_type": "mamba"}, 2048),
    ],
    ids=lambda value: value["model_type"] if isinstance(value, dict) else "",
)
def test_the_window_is_that_of_the_configuration(config: dict[str, object], window: int) -> None:
    from transformers import AutoConfig

    from starchat_tui.engine.models.hub_model import _find_window

    kind = config.pop("model_type")
    assert _find_window(AutoConfig.for_model(kind, **config)) == window


def test_a_config_that_describes_far_more_than_the_files_hold_is_refused(folder: Path) -> None:
    described = {
        "model_type": "llama",
        "hidden_size": 10**5,
        "intermediate_size": 10**5,
        "num_hidden_layers": 10,
        "num_attention_heads": 1,
        "vocab_size": 10**6,
    }
    (folder / "config.json").write_text(json.dumps(described))
    with pytest.raises(ModelUnavailable, match=r"describes 900,002,\d{3},\d{3} parameters"):
        load_from(folder)


@pytest.mark.parametrize("name", ["Tensor", "nn", "__doc__", "bfloat17"])
def test_a_number_format_that_does_not_exist_is_ignored(folder: Path, name: str) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"dtype": name, "torch_dtype": name}))
    checkpoint = read_checkpoint(folder)
    placement = choose_placement(checkpoint, device="cpu", quantize="none")
    assert placement.bytes == 4 * checkpoint.parameters
