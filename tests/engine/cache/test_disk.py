"""Prefixes on disk: a new engine reads the shared prompt from a file, and only from its own."""

from __future__ import annotations

import os
import random
import stat
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from starchat_tui.client.protocol import Delta, Progress, Request, Sampling
from starchat_tui.engine.cache.disk import MIN_TOKENS, DiskCache, compute_key
from starchat_tui.engine.models.hub_model import HubModel
from starchat_tui.engine.models.weights import read_checkpoint
from starchat_tui.engine.serving.completion import Completion
from starchat_tui.engine.serving.model_pool import LoadedModel, ModelPool
from tests.engine.requests import ignore_progress

CPU = torch.device("cpu")
FEW_SHOT = tuple(random.Random(0).choices(range(256), k=300))


def load_model(folder: Path, cache: Path) -> LoadedModel:
    """Load the model as a new engine does."""
    pool = ModelPool(device="cpu", cache_dir=cache)
    return pool.get_model(str(folder), ignore_progress)


def complete(
    engine: LoadedModel, *ids: int, shared: int = len(FEW_SHOT)
) -> tuple[list[int], int, int]:
    """Return the ids of the answer, the tokens reused and the tokens computed."""
    events: list[Delta | Progress] = []
    request = Request("m", (*FEW_SHOT, *ids), Sampling(10, seed=1), shared=shared)
    completion = Completion(engine, request, keep_going=lambda: True)
    usage = completion.run(events.append).usage
    assert usage
    ids_sampled = [token for event in events if isinstance(event, Delta) for token in event.ids]
    return ids_sampled, usage.cached_tokens, completion.prefilled_tokens


def test_a_new_engine_does_not_compute_the_shared_prompt(tiny_folder: Path, tmp_path: Path) -> None:
    first, cached, computed = complete(load_model(tiny_folder, tmp_path), 1, 2, 3)
    assert (cached, computed) == (0, 303)
    again, cached, computed = complete(load_model(tiny_folder, tmp_path), 1, 2, 3)
    assert (cached, computed) == (300, 3)
    assert again == first
    other, cached, _ = complete(load_model(tiny_folder, tmp_path / "elsewhere"), 9)
    assert cached == 0
    engine = load_model(tiny_folder, tmp_path)
    assert complete(engine, 9)[:2] == (other, 300)
    assert complete(engine, 9, 8)[1] == 301, "from then on it is in memory"


def test_logits_after_the_file_are_those_of_a_full_computation(
    tiny_folder: Path, tmp_path: Path, reference: HubModel
) -> None:
    complete(load_model(tiny_folder, tmp_path), 1)
    engine = load_model(tiny_folder, tmp_path)
    kv = engine.disk_cache.load(FEW_SHOT, CPU)
    assert kv
    cache = engine.cache_pool.open([*FEW_SHOT, 7])
    assert cache.ids == []
    cache.adopt_slice(FEW_SHOT, kv)
    found = cache.forward([7, 8])
    expected = reference.forward([*FEW_SHOT, 7, 8], reference.new_cache())
    assert (found - expected).abs().max() < 1e-4


def test_nothing_else_is_written(tiny_folder: Path, tmp_path: Path) -> None:
    engine = load_model(tiny_folder, tmp_path)
    complete(engine, 1, shared=0)
    complete(engine, 1, shared=MIN_TOKENS - 1)
    assert not (tmp_path / "prefixes").exists()
    complete(engine, 1)
    (file,) = (tmp_path / "prefixes").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_damaged_file_is_ignored_and_written_again(
    tiny_folder: Path, tmp_path: Path, share: float
) -> None:
    first, *_ = complete(load_model(tiny_folder, tmp_path), 1)
    (file,) = (tmp_path / "prefixes").iterdir()
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * share)])
    assert complete(load_model(tiny_folder, tmp_path), 1)[:2] == (first, 0)
    assert file.read_bytes()[-64:] == data[-64:], "and written again"


def test_the_key_names_all_that_a_prefix_depends_on(tiny_folder: Path, tmp_path: Path) -> None:
    checkpoint = read_checkpoint(tiny_folder)
    key = compute_key(checkpoint, torch.float32, "none")
    assert key == compute_key(read_checkpoint(tiny_folder), torch.float32, "none")
    others = {
        compute_key(checkpoint, torch.float16, "none"),
        compute_key(checkpoint, torch.float32, "int8"),
        compute_key(replace(checkpoint, config={}), torch.float32, "none"),
        compute_key(
            replace(checkpoint, files=(tiny_folder / "config.json",)), torch.float32, "none"
        ),
    }
    assert len(others) == 4
    assert key not in others


def create_slice(tokens: int) -> tuple[torch.Tensor, ...]:
    return (torch.ones(1, 1, tokens, 4), torch.zeros(1, 1, tokens, 4))


def test_the_oldest_files_are_deleted_from_a_full_directory(tmp_path: Path) -> None:
    size = 2 * MIN_TOKENS * 4 * 4
    cache = DiskCache(tmp_path / "prefixes", "key", budget=int(2.5 * size))
    prompts = [range(first, first + MIN_TOKENS) for first in range(3)]
    for age, ids in enumerate(prompts):
        cache.save(ids, create_slice(MIN_TOKENS))
        for path in (tmp_path / "prefixes").iterdir():
            if path.stat().st_mtime > 1_000_000_000:
                os.utime(path, (age, age))
        assert cache.load(prompts[0], CPU) or age == 2
        for path in (tmp_path / "prefixes").iterdir():
            if path.stat().st_mtime > 1_000_000_000:
                os.utime(path, (10, 10))
    assert [cache.contains(ids) for ids in prompts] == [True, False, True]
    assert DiskCache(tmp_path / "prefixes", "other").load(prompts[0], CPU) is None


def test_a_disk_that_refuses_to_write_is_not_an_error(tmp_path: Path) -> None:
    (tmp_path / "prefixes").write_text("a file where the directory would be")
    cache = DiskCache(tmp_path / "prefixes", "key")
    cache.save(range(MIN_TOKENS), create_slice(MIN_TOKENS))
    assert cache.load(range(MIN_TOKENS), CPU) is None
