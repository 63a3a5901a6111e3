"""Adapters on a shared base: the same tensors, other modules, and a base that never changes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from starchat_tui.client.http_client import EngineClient
from starchat_tui.client.protocol import Delta, Request, Sampling, merge_deltas
from starchat_tui.engine.models import adapters
from starchat_tui.engine.models.bigcode import BigCodeModel
from starchat_tui.engine.models.hub_model import HubModel
from starchat_tui.engine.serving.model_pool import LoadedModel, ModelPool
from starchat_tui.errors import ModelUnavailable
from tests.engine.engine_server import run_engine
from tests.engine.requests import ignore_progress
from tests.fakes import BYTES, CHAT_IDS, END_OF_TEXT_ID, byte_tokenizer, save_tiny_model, tiny_model

pytestmark = [
    # peft asks transformers by an old name.
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning"),
]
IDS = [1, 2, 3, 40, 5]


def save_ungrown(folder: Path) -> Path:
    """Save the tiny model as a base model, whose tokenizer and embedding lack the four tokens."""
    model: Any = tiny_model()
    model.resize_token_embeddings(BYTES + 1)
    model.save_pretrained(folder)
    tokenizer: Any = byte_tokenizer()
    tokenizer["added_tokens"] = tokenizer["added_tokens"][:1]
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    return folder


def save_adapter(base: Path, folder: Path, *, seed: int = 0, tokens: bool = True) -> Path:
    """Save a LoRA adapter with large weights, as a fine-tune with the four new tokens does."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    model: Any = AutoModelForCausalLM.from_pretrained(base)
    if tokens and model.get_input_embeddings().weight.shape[0] <= max(CHAT_IDS):
        model.resize_token_embeddings(320)
    config = LoraConfig(
        r=2,
        target_modules=["c_attn", "c_proj", "c_fc"],
        trainable_token_indices={"wte": list(CHAT_IDS)} if tokens else None,
        task_type="CAUSAL_LM",
    )
    adapted = get_peft_model(model, config)
    torch.manual_seed(seed)
    for name, weight in adapted.named_parameters():
        if "lora_" in name or "trainable_tokens" in name:
            torch.nn.init.normal_(weight, std=0.5)
    adapted.save_pretrained(str(folder), save_embedding_layers=False)
    if tokens:
        (folder / "tokenizer.json").write_text(json.dumps(byte_tokenizer()))
    return folder


def compute_logits(model: HubModel, ids: list[int] = IDS) -> torch.Tensor:
    return model.forward(ids, model.new_cache())


def compute_with_peft(base: Path, adapter: Path, ids: list[int]) -> torch.Tensor:
    """Return the logits [V] that peft alone computes."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    model: Any = AutoModelForCausalLM.from_pretrained(base)
    if max(ids) >= model.get_input_embeddings().weight.shape[0] or (
        adapters.count_tokenizer_ids(adapter) > model.get_input_embeddings().weight.shape[0]
    ):
        model.resize_token_embeddings(adapters.count_tokenizer_ids(adapter))
    adapted = PeftModel.from_pretrained(model, str(adapter)).eval()
    with torch.inference_mode():
        found: torch.Tensor = adapted(torch.tensor([ids])).logits[0, -1]
    return found


@pytest.fixture
def pool(tmp_path: Path) -> ModelPool:
    """A pool that runs even a small base through transformers."""
    return ModelPool(device="cpu", cache_dir=tmp_path / "cache", uses_own_forward=False)


@pytest.fixture(params=["grown", "ungrown"])
def base(request: pytest.FixtureRequest, tiny_folder: Path, tmp_path: Path) -> Path:
    return tiny_folder if request.param == "grown" else save_ungrown(tmp_path / "base")


def test_an_adapter_computes_as_peft_does(pool: ModelPool, base: Path, tmp_path: Path) -> None:
    adapter = save_adapter(base, tmp_path / "adapter")
    found = pool.get_model(str(adapter), ignore_progress).model
    ids = [CHAT_IDS[1], *IDS, CHAT_IDS[3], CHAT_IDS[2]]
    assert isinstance(found, HubModel)
    assert torch.allclose(
        compute_logits(found, ids), compute_with_peft(base, adapter, ids), atol=1e-5
    )
    assert not torch.allclose(
        compute_logits(found)[:BYTES], compute_logits(get_base(pool, base))[:BYTES], atol=0.1
    )


def get_base(pool: ModelPool, base: Path) -> HubModel:
    found = pool.get_model(str(base), ignore_progress).model
    assert isinstance(found, HubModel)
    return found


def test_the_base_computes_exactly_what_it_did(pool: ModelPool, base: Path, tmp_path: Path) -> None:
    alone = compute_logits(get_base(pool, base))
    rows = get_base(pool, base).vocabulary_size
    adapter = pool.get_model(str(save_adapter(base, tmp_path / "adapter")), ignore_progress).model
    assert isinstance(adapter, HubModel)
    for _ in range(3):
        compute_logits(adapter)
        assert torch.equal(compute_logits(get_base(pool, base)), alone)
    assert (
        get_base(pool, base).vocabulary_size
        == rows
        == get_base(pool, base).hf_model.config.vocab_size
    )
    kinds = {
        type(module).__module__.split(".")[0] for module in get_base(pool, base).hf_model.modules()
    }
    assert "peft" not in kinds


def test_the_weights_are_in_memory_once(pool: ModelPool, base: Path, tmp_path: Path) -> None:
    adapter = save_adapter(base, tmp_path / "adapter")
    found = pool.get_model(str(adapter), ignore_progress).model
    assert isinstance(found, HubModel)
    held = {weight.data_ptr() for weight in get_base(pool, base).hf_model.parameters()}
    blocks = [w for n, w in found.hf_model.named_parameters() if n.endswith("base_layer.weight")]
    assert len(blocks) == 2 * 4
    assert {weight.data_ptr() for weight in blocks} <= held
    own = sum(w.nbytes for n, w in found.hf_model.named_parameters() if "lora_" in n)
    embedding = found.hf_model.get_input_embeddings().weight
    assert embedding.data_ptr() not in held, "trained rows need an embedding of their own"
    assert found.hf_model.get_output_embeddings().weight is embedding, "and the head is tied to it"
    assert found.bytes == own + embedding.nbytes
    assert found.bytes < get_base(pool, base).bytes


def test_an_adapter_without_tokens_shares_the_embedding(
    pool: ModelPool, tiny_folder: Path, tmp_path: Path
) -> None:
    adapter = save_adapter(tiny_folder, tmp_path / "adapter", tokens=False)
    found = pool.get_model(str(adapter), ignore_progress).model
    assert isinstance(found, HubModel)
    shared = get_base(pool, tiny_folder).hf_model.get_input_embeddings().weight
    assert found.hf_model.get_input_embeddings().weight is shared


def test_switching_loads_nothing(
    pool: ModelPool, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = save_adapter(base, tmp_path / "first", seed=1)
    second = save_adapter(base, tmp_path / "second", seed=2)
    names = [str(base), str(first), str(second)]
    before = {
        name: compute_logits(get_hub_model(pool.get_model(name, ignore_progress))) for name in names
    }
    monkeypatch.setattr("starchat_tui.engine.models.hub_model._load_pretrained", None)
    stages: list[str] = []
    for name in (names[1], names[0], names[2], names[1]):
        loaded = pool.get_model(name, lambda stage, done, total: stages.append(stage))
        assert torch.equal(compute_logits(get_hub_model(loaded)), before[name])
    assert stages == []
    assert not torch.equal(before[names[1]], before[names[2]])


def get_hub_model(loaded: LoadedModel) -> HubModel:
    assert isinstance(loaded.model, HubModel)
    return loaded.model


def test_an_adapter_asked_for_first_brings_its_base(
    pool: ModelPool, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = save_adapter(base, tmp_path / "adapter")
    pool.get_model(str(adapter), ignore_progress)
    monkeypatch.setattr("starchat_tui.engine.models.hub_model._load_pretrained", None)
    assert (
        get_base(pool, base).hf_model
        is get_hub_model(pool.get_model(str(adapter), ignore_progress)).base.hf_model
    )  # type: ignore[union-attr]


def test_each_has_a_prefix_cache_of_its_own(pool: ModelPool, base: Path, tmp_path: Path) -> None:
    adapter = save_adapter(base, tmp_path / "adapter")
    one, other = (
        pool.get_model(str(base), ignore_progress),
        pool.get_model(str(adapter), ignore_progress),
    )
    cache = one.cache_pool.open(IDS)
    cache.forward(IDS)
    one.cache_pool.close(cache)
    assert other.cache_pool.open([*IDS, 7]).ids == []
    assert one.cache_pool.open([*IDS, 7]).ids == IDS
    assert one.disk_cache._key != other.disk_cache._key


def test_an_adapter_that_adds_to_the_prompt_is_refused(
    pool: ModelPool, tiny_folder: Path, tmp_path: Path
) -> None:
    from peft import PromptTuningConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny_folder)
    config = PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=2)
    get_peft_model(model, config).save_pretrained(str(tmp_path / "prompt"))
    with pytest.raises(ModelUnavailable, match="adds to the prompt"):
        pool.get_model(str(tmp_path / "prompt"), ignore_progress)
    assert get_base(pool, tiny_folder).vocabulary_size


def test_a_damaged_adapter_leaves_the_base_usable(
    pool: ModelPool, tiny_folder: Path, tmp_path: Path
) -> None:
    adapter = save_adapter(tiny_folder, tmp_path / "adapter")
    (adapter / "adapter_model.safetensors").write_bytes(b"\0" * 40)
    alone = compute_logits(get_base(pool, tiny_folder))
    with pytest.raises(ModelUnavailable, match=r"adapter.*cannot be loaded"):
        pool.get_model(str(adapter), ignore_progress)
    assert torch.equal(compute_logits(get_base(pool, tiny_folder)), alone)


def test_an_adapter_of_another_shape_is_a_typed_error(pool: ModelPool, tmp_path: Path) -> None:
    base = save_tiny_model(tmp_path / "base")
    adapter = save_adapter(base, tmp_path / "adapter")
    config = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps({**config, "r": 5}))
    with pytest.raises(ModelUnavailable, match="cannot be loaded"):
        pool.get_model(str(adapter), ignore_progress)


@pytest.fixture(scope="module")
def engine() -> Iterator[EngineClient]:
    with run_engine() as running:
        yield EngineClient(running.socket)


async def test_requests_switch_between_base_and_adapter(
    engine: EngineClient, tiny_folder: Path, tmp_path: Path
) -> None:
    adapter = save_adapter(tiny_folder, tmp_path / "adapter")
    request = Request(str(tiny_folder), tuple(IDS), Sampling(max_tokens=20, temperature=0))
    alone = await generate_ids(engine, request)
    answers = []
    for _ in range(2):
        answers.append(await generate_ids(engine, replace(request, model=str(adapter))))
        assert await generate_ids(engine, request) == alone
    assert answers[0] == answers[1] != alone
    cards = {card.name: card for card in await engine.list_models() if card.loaded}
    assert cards[str(adapter)].bytes < cards[str(tiny_folder)].bytes


async def generate_ids(engine: EngineClient, request: Request) -> tuple[int, ...]:
    events = [event async for event in engine.stream(request)]
    whole = merge_deltas([event for event in events if isinstance(event, Delta)])
    assert whole.finish_reason in ("stop", "length")
    assert END_OF_TEXT_ID not in whole.ids
    return whole.ids


def test_an_adapter_is_loaded_with_transformers_beside_our_own_model(
    tiny_folder: Path, tmp_path: Path
) -> None:
    adapter = save_adapter(tiny_folder, tmp_path / "adapter")
    pool = ModelPool(device="cpu", cache_dir=tmp_path / "cache")
    base = pool.get_model(str(tiny_folder), ignore_progress).model
    assert isinstance(base, BigCodeModel)
    alone = base.forward([5, 6], base.new_cache())
    adapted = pool.get_model(str(adapter), ignore_progress).model
    assert isinstance(adapted, HubModel)
    again = pool.get_model(str(tiny_folder), ignore_progress).model
    assert again is base
    assert torch.equal(base.forward([5, 6], base.new_cache()), alone)
