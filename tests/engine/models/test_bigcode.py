"""Our forward pass of GPTBigCode against that of transformers: same logits, same answers."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
import torch
from safetensors.torch import load_file, save_file

from starchat_tui.client.protocol import Sampling
from starchat_tui.engine.cache.prefix import PrefixCache
from starchat_tui.engine.models import bigcode, hub_model
from starchat_tui.engine.models.bigcode import BigCodeModel
from starchat_tui.engine.models.hub_model import HubModel
from starchat_tui.engine.models.placement import choose_placement
from starchat_tui.engine.models.weights import (
    Checkpoint,
    find_checkpoint,
    is_bigcode,
    read_checkpoint,
)
from starchat_tui.engine.sampling import Sampler
from starchat_tui.errors import ModelUnavailable
from starchat_tui.models.registry import find_model
from tests.engine.generation import generate_tokens, read_prompt
from tests.engine.requests import ignore_progress

CPU = torch.device("cpu")


def load_ours(checkpoint: Checkpoint) -> BigCodeModel:
    return bigcode.load_model(
        checkpoint, choose_placement(checkpoint, device="cpu", quantize="none"), ignore_progress
    )


def load_theirs(checkpoint: Checkpoint) -> HubModel:
    return hub_model.load_model(
        checkpoint, choose_placement(checkpoint, device="cpu", quantize="none"), ignore_progress
    )


@pytest.fixture(params=["tiny", "nano-chat", "nano-base"])
def pair(request: pytest.FixtureRequest, tiny_folder: Path) -> tuple[BigCodeModel, HubModel]:
    name = str(tiny_folder) if request.param == "tiny" else request.param
    checkpoint = find_checkpoint(find_model(name), ignore_progress)
    assert is_bigcode(checkpoint)
    return load_ours(checkpoint), load_theirs(checkpoint)


def random_ids(model: BigCodeModel, count: int, seed: int = 0) -> list[int]:
    return Random(seed).choices(range(model.vocabulary_size), k=count)


def test_the_logits_are_those_of_transformers(pair: tuple[BigCodeModel, HubModel]) -> None:
    ours, theirs = pair
    assert (ours.window, ours.vocabulary_size) == (theirs.window, theirs.vocabulary_size)
    ids = random_ids(ours, ours.window)
    mine, other = ours.new_cache(), theirs.new_cache()
    # One token, some, one again, and the rest of the window.
    for start, stop in ((0, 1), (1, 20), (20, 21), (21, 22), (22, 50), (50, ours.window)):
        found, expected = (
            ours.forward(ids[start:stop], mine),
            theirs.forward(ids[start:stop], other),
        )
        assert found.dtype == torch.float32
        assert torch.allclose(found, expected, atol=1e-4, rtol=1e-4), (start, stop)
    assert mine.length == other.length == ours.window


def test_no_token_beyond_the_window_is_read(pair: tuple[BigCodeModel, HubModel]) -> None:
    ours, _ = pair
    cache = ours.new_cache()
    with pytest.raises(AssertionError):
        ours.forward(random_ids(ours, ours.window + 1), cache)
    with pytest.raises(AssertionError):
        ours.forward([], cache)


@pytest.mark.parametrize("temperature", [0.0, 0.9])
def test_answers_are_those_of_transformers(
    pair: tuple[BigCodeModel, HubModel], temperature: float
) -> None:
    ours, theirs = pair
    prompt = random_ids(ours, 40, seed=3)

    def generate(model: BigCodeModel | HubModel) -> list[int]:
        prefix = PrefixCache(model)
        logits = read_prompt(prefix, prompt, chunk=7)
        sampling = Sampling(temperature=temperature, seed=5)
        sampler = Sampler(sampling, prompt, vocabulary_size=len(logits), device=CPU)
        return generate_tokens(prefix, logits, sampler, 20)

    assert generate(ours) == generate(theirs)


def test_the_cache_is_cropped_and_appended_to(pair: tuple[BigCodeModel, HubModel]) -> None:
    ours, _ = pair
    ids = random_ids(ours, 60)
    cache = ours.new_cache()
    whole = ours.forward(ids, cache)
    run = cache.read_slice(30, 60)
    cache.crop(30)
    ours.forward(random_ids(ours, 10, seed=9), cache)
    cache.crop(30)
    cache.append_slice(run)
    cache.crop(59)
    again = ours.forward(ids[59:], cache)
    assert torch.allclose(whole, again, atol=1e-4, rtol=1e-4)


def test_the_capacity_grows_with_the_tokens() -> None:
    cache = bigcode.StaticCache(2, 4, torch.float32, CPU)
    with torch.inference_mode():
        cache.reserve_capacity(300)
    cache.append_slice((torch.randn(2, 2, 200, 4),))
    kept = cache.read_slice(0, 200)[0]
    cache.append_slice((torch.randn(2, 2, 1000, 4),))
    assert cache.length == 1200
    assert torch.equal(cache.read_slice(0, 200)[0], kept)


@pytest.mark.parametrize(
    "change",
    [
        {"model_type": "gpt2"},
        {"multi_query": False},
        {"activation_function": "relu"},
        {"scale_attn_weights": False},
        {"quantization_config": {}},
    ],
)
def test_only_the_models_that_it_computes_are_supported(
    tiny_folder: Path, change: dict[str, object]
) -> None:
    checkpoint = read_checkpoint(tiny_folder)
    assert is_bigcode(checkpoint)
    assert not is_bigcode(replace(checkpoint, config={**checkpoint.config, **change}))
    assert not is_bigcode(replace(checkpoint, files=(tiny_folder / "pytorch_model.bin",)))
    assert not is_bigcode(replace(checkpoint, adapter=tiny_folder))


@pytest.mark.parametrize("damage", ["missing", "narrow", "layers"])
def test_files_that_are_not_the_model_are_named(folder: Path, damage: str) -> None:
    (file,) = read_checkpoint(folder).files
    weights = load_file(file)
    name = "transformer.h.1.mlp.c_fc.weight"
    if damage == "missing":
        del weights[name]
    elif damage == "narrow":
        weights[name] = weights[name][:, :-1].contiguous()
    else:
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, "n_layer": 9}))
    save_file(weights, file)
    with pytest.raises(ModelUnavailable, match=r"config\.json"):
        load_ours(read_checkpoint(folder))


def test_an_engine_of_a_small_starcoder_needs_no_transformers(tmp_path: Path) -> None:
    program = """
import sys
from pathlib import Path
from starchat_tui.engine.serving.model_pool import ModelPool
pool = ModelPool(device="cpu", cache_dir=Path(sys.argv[1]))
loaded = pool.get_model("nano-chat", lambda *_: None)
print(type(loaded.model).__name__, "transformers" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["BigCodeModel", "False"]
