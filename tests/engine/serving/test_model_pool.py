"""Pool of models: loading, reuse, eviction, choice of the implementation."""

from __future__ import annotations

from pathlib import Path

import pytest

from starchat_tui.engine.models import device as devices
from starchat_tui.engine.models.bigcode import BigCodeModel
from starchat_tui.engine.models.hub_model import HubModel
from starchat_tui.engine.models.placement import choose_placement
from starchat_tui.engine.models.weights import read_checkpoint
from starchat_tui.engine.serving.model_pool import ModelPool
from starchat_tui.errors import ModelUnavailable, OutOfMemory
from tests.engine.requests import ignore_progress
from tests.fakes import WINDOW, save_tiny_model


@pytest.fixture
def pool(tmp_path: Path) -> ModelPool:
    return ModelPool(device="cpu", cache_dir=tmp_path / "cache")


def test_models_stay_in_the_pool(pool: ModelPool, tiny_folder: Path, tmp_path: Path) -> None:
    other = save_tiny_model(tmp_path / "other", window=64, seed=1)
    stages: list[str] = []
    first = pool.get_model(str(tiny_folder), lambda stage, done, total: stages.append(stage))
    assert stages[0] == "loading"
    assert stages[-1] == "warming"
    second = pool.get_model(str(other), ignore_progress)
    assert pool.get_model(str(tiny_folder), ignore_progress) is first
    assert [(card.name, card.window) for card in pool.cards] == [
        (str(tiny_folder), WINDOW),
        (str(other), 64),
    ]
    assert all(card.loaded and card.bytes > 0 for card in pool.cards)
    assert second.cache_pool.open([0, 1]).ids == [], "warming leaves no trace"


def test_the_least_recently_used_model_is_evicted_for_a_new_one(
    pool: ModelPool, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = [save_tiny_model(tmp_path / name, seed=1) for name in ("b", "c")]
    size = choose_placement(read_checkpoint(tiny_folder), device="cpu", quantize="none").bytes
    memory = 2 * size
    monkeypatch.setattr(devices, "get_free_bytes", lambda device: memory - size * len(pool.cards))
    pool.get_model(str(tiny_folder), ignore_progress)
    pool.get_model(str(others[0]), ignore_progress)
    pool.get_model(str(tiny_folder), ignore_progress)
    pool.get_model(str(others[1]), ignore_progress)
    assert [card.name for card in pool.cards] == [str(tiny_folder), str(others[1])]
    memory = 0
    with pytest.raises(OutOfMemory):
        pool.get_model(str(others[0]), ignore_progress)
    assert pool.cards == ()


def test_a_model_that_cannot_be_loaded_leaves_the_others(
    pool: ModelPool, tiny_folder: Path, tmp_path: Path
) -> None:
    first = pool.get_model(str(tiny_folder), ignore_progress)
    with pytest.raises(ModelUnavailable):
        pool.get_model(str(tmp_path), ignore_progress)
    assert pool.get_model(str(tiny_folder), ignore_progress) is first
    assert [card.name for card in pool.cards] == [str(tiny_folder)]


def test_a_small_starcoder_runs_without_transformers_on_a_cpu(
    pool: ModelPool, tiny_folder: Path, tmp_path: Path
) -> None:
    light = pool.get_model(str(tiny_folder), ignore_progress)
    assert isinstance(light.model, BigCodeModel)
    heavy = ModelPool(device="cpu", cache_dir=tmp_path / "cache", uses_own_forward=False)
    assert isinstance(heavy.get_model(str(tiny_folder), ignore_progress).model, HubModel)


def test_cleared_prefixes_are_computed_again(pool: ModelPool, tiny_folder: Path) -> None:
    loaded = pool.get_model(str(tiny_folder), ignore_progress)
    cache = loaded.cache_pool.open([1, 2, 3])
    cache.forward([1, 2, 3])
    loaded.cache_pool.close(cache)
    assert loaded.cache_pool.open([1, 2, 3, 4]) is cache
    loaded.cache_pool.close(cache)
    pool.clear_prefix_caches()
    assert loaded.cache_pool.open([1, 2, 3, 4]).ids == []
