"""Our own forward against transformers': the same logits, the same answers, no transformers."""

from __future__ import annotations

import json
import shutil
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
from starchat_tui.engine.generate import prefill, stream
from starchat_tui.engine.models import bigcode, hub_model
from starchat_tui.engine.models.bigcode import BigCode
from starchat_tui.engine.models.hub_model import Reference
from starchat_tui.engine.models.weights import Checkpoint, check, find
from starchat_tui.engine.sampling import Sampler
from starchat_tui.errors import ModelUnavailable
from starchat_tui.models.registry import resolve

CPU = torch.device("cpu")


def quiet(stage: str, done: int, total: int) -> None:
    """Report nothing."""


def ours_of(checkpoint: Checkpoint) -> BigCode:
    return bigcode.load(checkpoint, CPU, torch.float32, quiet)


def theirs_of(checkpoint: Checkpoint) -> Reference:
    return hub_model.load(
        checkpoint, hub_model.place(checkpoint, device="cpu", quantize="none"), quiet
    )


@pytest.fixture(params=["tiny", "nano-chat", "nano-base"])
def pair(request: pytest.FixtureRequest, tiny_folder: Path) -> tuple[BigCode, Reference]:
    named = str(tiny_folder) if request.param == "tiny" else request.param
    checkpoint = find(resolve(named), quiet)
    assert bigcode.fits(checkpoint)
    return ours_of(checkpoint), theirs_of(checkpoint)


def ids_of(model: BigCode, count: int, seed: int = 0) -> list[int]:
    return Random(seed).choices(range(model.vocabulary_size), k=count)


def test_the_logits_are_those_of_transformers(pair: tuple[BigCode, Reference]) -> None:
    ours, theirs = pair
    assert (ours.window, ours.vocabulary_size) == (theirs.window, theirs.vocabulary_size)
    ids = ids_of(ours, ours.window)
    mine, other = ours.new_cache(), theirs.new_cache()
    # One token, some, one again, and the rest of the window.
    for start, stop in ((0, 1), (1, 20), (20, 21), (21, 22), (22, 50), (50, ours.window)):
        found, expected = ours.extend(ids[start:stop], mine), theirs.extend(ids[start:stop], other)
        assert found.dtype == torch.float32
        assert torch.allclose(found, expected, atol=1e-4, rtol=1e-4), (start, stop)
    assert mine.length == other.length == ours.window


def test_no_token_beyond_the_window_is_read(pair: tuple[BigCode, Reference]) -> None:
    ours, _ = pair
    cache = ours.new_cache()
    with pytest.raises(AssertionError):
        ours.extend(ids_of(ours, ours.window + 1), cache)
    with pytest.raises(AssertionError):
        ours.extend([], cache)


@pytest.mark.parametrize("temperature", [0.0, 0.9])
def test_answers_are_those_of_transformers(
    pair: tuple[BigCode, Reference], temperature: float
) -> None:
    ours, theirs = pair
    prompt = ids_of(ours, 40, seed=3)

    def answer(model: BigCode | Reference) -> list[int]:
        prefix = PrefixCache(model)
        logits = prefill(prefix, prompt, goes_on=lambda read: True, chunk=7)
        assert logits is not None
        sampling = Sampling(temperature=temperature, seed=5)
        sampler = Sampler(sampling, prompt, vocabulary_size=len(logits), device=CPU)
        return list(stream(prefix, logits, sampler, max_tokens=20))

    assert answer(ours) == answer(theirs)


def test_the_cache_goes_back_and_on(pair: tuple[BigCode, Reference]) -> None:
    ours, _ = pair
    ids = ids_of(ours, 60)
    cache = ours.new_cache()
    whole = ours.extend(ids, cache)
    run = cache.read(30, 60)
    cache.crop(30)
    ours.extend(ids_of(ours, 10, seed=9), cache)
    cache.crop(30)
    cache.append(run)
    cache.crop(59)
    again = ours.extend(ids[59:], cache)
    assert torch.allclose(whole, again, atol=1e-4, rtol=1e-4)


def test_the_room_grows_with_what_is_read() -> None:
    cache = bigcode.StaticCache(2, 4, torch.float32, CPU)
    with torch.inference_mode():
        cache.reserve(300)
    cache.append((torch.randn(2, 2, 200, 4),))
    kept = cache.read(0, 200)[0]
    cache.append((torch.randn(2, 2, 1000, 4),))
    assert cache.length == 1200
    assert torch.equal(cache.read(0, 200)[0], kept)


@pytest.mark.parametrize(
    "said",
    [
        {"model_type": "gpt2"},
        {"multi_query": False},
        {"activation_function": "relu"},
        {"scale_attn_weights": False},
        {"quantization_config": {}},
    ],
)
def test_only_what_it_computes_is_taken(tiny_folder: Path, said: dict[str, object]) -> None:
    checkpoint = check(tiny_folder)
    assert bigcode.fits(checkpoint)
    assert not bigcode.fits(replace(checkpoint, config={**checkpoint.config, **said}))
    assert not bigcode.fits(replace(checkpoint, files=(tiny_folder / "pytorch_model.bin",)))
    assert not bigcode.fits(replace(checkpoint, adapter=tiny_folder))


@pytest.mark.parametrize("damage", ["missing", "narrow", "layers"])
def test_files_that_are_not_the_model_are_named(
    tiny_folder: Path, tmp_path: Path, damage: str
) -> None:
    folder = Path(shutil.copytree(tiny_folder, tmp_path / "copy"))
    (file,) = check(folder).files
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
        ours_of(check(folder))


def test_an_engine_of_a_small_starcoder_needs_no_transformers(tmp_path: Path) -> None:
    program = """
import sys
from pathlib import Path
from starchat_tui.engine.serving.model_pool import Shelf
loaded = Shelf(device="cpu", cache=Path(sys.argv[1])).get("nano-chat", lambda *_: None)
print(type(loaded.model).__name__, "transformers" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["BigCode", "False"]
