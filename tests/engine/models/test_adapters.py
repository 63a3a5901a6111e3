"""An adapter beside its base: the same tensors, other modules, and a base that never changes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from starchat_tui.client.http_client import EngineClient
from starchat_tui.client.protocol import Delta, Request, Sampling, joined
from starchat_tui.engine.models import adapters
from starchat_tui.engine.models.bigcode import BigCode
from starchat_tui.engine.models.hub_model import Reference
from starchat_tui.engine.serving.model_pool import Loaded, Shelf
from starchat_tui.errors import ModelUnavailable
from tests.engine.engine_server import served
from tests.fakes import BYTES, CHAT_IDS, END_OF_TEXT_ID, byte_tokenizer, save_tiny_model, tiny_model

pytestmark = [
    # peft asks transformers by an old name.
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning"),
]
IDS = [1, 2, 3, 40, 5]


def quiet(stage: str, done: int, total: int) -> None:
    """Report nothing."""


def save_ungrown(folder: Path) -> Path:
    """The tiny model as a base model: neither its tokenizer nor its rows know the four tokens."""
    model: Any = tiny_model()
    model.resize_token_embeddings(BYTES + 1)
    model.save_pretrained(folder)
    tokenizer: Any = byte_tokenizer()
    tokenizer["added_tokens"] = tokenizer["added_tokens"][:1]
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    return folder


def save_adapter(base: Path, folder: Path, *, seed: int = 0, tokens: bool = True) -> Path:
    """A LoRA adapter with large weights, as a fine-tune with the four new tokens saves it."""
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


def logits(model: Reference, ids: list[int] = IDS) -> torch.Tensor:
    return model.extend(ids, model.new_cache())


def theirs(base: Path, adapter: Path, ids: list[int]) -> torch.Tensor:
    """The same through peft alone."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    model: Any = AutoModelForCausalLM.from_pretrained(base)
    if max(ids) >= model.get_input_embeddings().weight.shape[0] or (
        adapters.tokenizer_rows(adapter) > model.get_input_embeddings().weight.shape[0]
    ):
        model.resize_token_embeddings(adapters.tokenizer_rows(adapter))
    adapted = PeftModel.from_pretrained(model, str(adapter)).eval()
    with torch.inference_mode():
        found: torch.Tensor = adapted(torch.tensor([ids])).logits[0, -1]
    return found


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """One that computes even a small base through transformers."""
    return Shelf(device="cpu", cache=tmp_path / "cache", light=0)


@pytest.fixture(params=["grown", "ungrown"])
def base(request: pytest.FixtureRequest, tiny_folder: Path, tmp_path: Path) -> Path:
    return tiny_folder if request.param == "grown" else save_ungrown(tmp_path / "base")


def test_an_adapter_computes_as_peft_does(shelf: Shelf, base: Path, tmp_path: Path) -> None:
    adapter = save_adapter(base, tmp_path / "adapter")
    found = shelf.get(str(adapter), quiet).model
    ids = [CHAT_IDS[1], *IDS, CHAT_IDS[3], CHAT_IDS[2]]
    assert isinstance(found, Reference)
    assert torch.allclose(logits(found, ids), theirs(base, adapter, ids), atol=1e-5)
    assert not torch.allclose(logits(found)[:BYTES], logits(plain(shelf, base))[:BYTES], atol=0.1)


def plain(shelf: Shelf, base: Path) -> Reference:
    found = shelf.get(str(base), quiet).model
    assert isinstance(found, Reference)
    return found


def test_the_base_computes_exactly_what_it_did(shelf: Shelf, base: Path, tmp_path: Path) -> None:
    alone = logits(plain(shelf, base))
    rows = plain(shelf, base).vocabulary_size
    adapter = shelf.get(str(save_adapter(base, tmp_path / "adapter")), quiet).model
    assert isinstance(adapter, Reference)
    for _ in range(3):
        logits(adapter)
        assert torch.equal(logits(plain(shelf, base)), alone)
    assert plain(shelf, base).vocabulary_size == rows == plain(shelf, base).inner.config.vocab_size
    kinds = {type(module).__module__.split(".")[0] for module in plain(shelf, base).inner.modules()}
    assert "peft" not in kinds


def test_the_weights_are_there_once(shelf: Shelf, base: Path, tmp_path: Path) -> None:
    adapter = save_adapter(base, tmp_path / "adapter")
    found = shelf.get(str(adapter), quiet).model
    assert isinstance(found, Reference)
    held = {weight.data_ptr() for weight in plain(shelf, base).inner.parameters()}
    blocks = [w for n, w in found.inner.named_parameters() if n.endswith("base_layer.weight")]
    assert len(blocks) == 2 * 4
    assert {weight.data_ptr() for weight in blocks} <= held
    own = sum(w.nbytes for n, w in found.inner.named_parameters() if "lora_" in n)
    embedding = found.inner.get_input_embeddings().weight
    assert embedding.data_ptr() not in held, "trained rows need an embedding of their own"
    assert found.inner.get_output_embeddings().weight is embedding, "and the head is tied to it"
    assert found.bytes == own + embedding.nbytes
    assert found.bytes < plain(shelf, base).bytes


def test_an_adapter_without_tokens_shares_the_embedding(
    shelf: Shelf, tiny_folder: Path, tmp_path: Path
) -> None:
    adapter = save_adapter(tiny_folder, tmp_path / "adapter", tokens=False)
    found = shelf.get(str(adapter), quiet).model
    assert isinstance(found, Reference)
    shared = plain(shelf, tiny_folder).inner.get_input_embeddings().weight
    assert found.inner.get_input_embeddings().weight is shared


def test_switching_loads_nothing(
    shelf: Shelf, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = save_adapter(base, tmp_path / "first", seed=1)
    second = save_adapter(base, tmp_path / "second", seed=2)
    names = [str(base), str(first), str(second)]
    before = {name: logits(model_of(shelf.get(name, quiet))) for name in names}
    monkeypatch.setattr("starchat_tui.engine.models.hub_model._read", None)
    stages: list[str] = []
    for name in (names[1], names[0], names[2], names[1]):
        loaded = shelf.get(name, lambda stage, done, total: stages.append(stage))
        assert torch.equal(logits(model_of(loaded)), before[name])
    assert stages == []
    assert not torch.equal(before[names[1]], before[names[2]])


def model_of(loaded: Loaded) -> Reference:
    assert isinstance(loaded.model, Reference)
    return loaded.model


def test_an_adapter_asked_for_first_brings_its_base(
    shelf: Shelf, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = save_adapter(base, tmp_path / "adapter")
    shelf.get(str(adapter), quiet)
    monkeypatch.setattr("starchat_tui.engine.models.hub_model._read", None)
    assert plain(shelf, base).inner is model_of(shelf.get(str(adapter), quiet)).base.inner  # type: ignore[union-attr]


def test_each_has_a_prefix_cache_of_its_own(shelf: Shelf, base: Path, tmp_path: Path) -> None:
    adapter = save_adapter(base, tmp_path / "adapter")
    one, other = shelf.get(str(base), quiet), shelf.get(str(adapter), quiet)
    one.prefix.open(IDS)
    one.prefix.extend(IDS)
    assert other.prefix.open(IDS) == 0
    assert one.prefix.open([*IDS, 7]) == len(IDS)
    assert one.store._key != other.store._key


def test_an_adapter_that_adds_to_the_prompt_is_refused(
    shelf: Shelf, tiny_folder: Path, tmp_path: Path
) -> None:
    from peft import PromptTuningConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny_folder)
    config = PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=2)
    get_peft_model(model, config).save_pretrained(str(tmp_path / "prompt"))
    with pytest.raises(ModelUnavailable, match="adds to the prompt"):
        shelf.get(str(tmp_path / "prompt"), quiet)
    assert plain(shelf, tiny_folder).vocabulary_size


def test_a_damaged_adapter_leaves_the_base_usable(
    shelf: Shelf, tiny_folder: Path, tmp_path: Path
) -> None:
    adapter = save_adapter(tiny_folder, tmp_path / "adapter")
    (adapter / "adapter_model.safetensors").write_bytes(b"\0" * 40)
    alone = logits(plain(shelf, tiny_folder))
    with pytest.raises(ModelUnavailable, match=r"adapter.*cannot be loaded"):
        shelf.get(str(adapter), quiet)
    assert torch.equal(logits(plain(shelf, tiny_folder)), alone)


def test_an_adapter_of_another_shape_is_a_typed_error(shelf: Shelf, tmp_path: Path) -> None:
    base = save_tiny_model(tmp_path / "base")
    adapter = save_adapter(base, tmp_path / "adapter")
    config = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps({**config, "r": 5}))
    with pytest.raises(ModelUnavailable, match="cannot be loaded"):
        shelf.get(str(adapter), quiet)


@pytest.fixture(scope="module")
def engine() -> Iterator[EngineClient]:
    with served() as found:
        yield EngineClient(found.socket)


async def test_requests_switch_between_base_and_adapter(
    engine: EngineClient, tiny_folder: Path, tmp_path: Path
) -> None:
    adapter = save_adapter(tiny_folder, tmp_path / "adapter")
    asked = Request(str(tiny_folder), tuple(IDS), Sampling(max_tokens=20, temperature=0))
    alone = await tokens(engine, asked)
    said = []
    for _ in range(2):
        said.append(await tokens(engine, replace(asked, model=str(adapter))))
        assert await tokens(engine, asked) == alone
    assert said[0] == said[1] != alone
    cards = {card.name: card for card in await engine.models() if card.loaded}
    assert cards[str(adapter)].bytes < cards[str(tiny_folder)].bytes


async def tokens(engine: EngineClient, request: Request) -> tuple[int, ...]:
    events = [event async for event in engine.stream(request)]
    whole = joined([event for event in events if isinstance(event, Delta)])
    assert whole.finish_reason in ("stop", "length")
    assert END_OF_TEXT_ID not in whole.ids
    return whole.ids


def test_an_adapter_goes_on_weights_of_transformers_beside_ours(
    tiny_folder: Path, tmp_path: Path
) -> None:
    adapter = save_adapter(tiny_folder, tmp_path / "adapter")
    shelf = Shelf(device="cpu", cache=tmp_path / "cache")
    base = shelf.get(str(tiny_folder), quiet).model
    assert isinstance(base, BigCode)
    alone = base.extend([5, 6], base.new_cache())
    adapted = shelf.get(str(adapter), quiet).model
    assert isinstance(adapted, Reference)
    again = shelf.get(str(tiny_folder), quiet).model
    assert again is base
    assert torch.equal(base.extend([5, 6], base.new_cache()), alone)
