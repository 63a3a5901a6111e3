"""Cache pool: sequences of requests that run at the same time, and what stays known of them."""

from __future__ import annotations

import gc
import random
import weakref

import torch

from starchat_tui.engine.cache.cache_pool import CachePool
from starchat_tui.engine.cache.prefix import PrefixCache, common_prefix_length
from starchat_tui.engine.models.bigcode import BigCodeModel, StaticCache
from starchat_tui.engine.models.hub_model import HubModel
from starchat_tui.engine.models.interface import count_bytes
from starchat_tui.engine.models.placement import Placement
from tests.fakes import WINDOW, tiny_model

LIMIT = 1e-4


def create_model() -> BigCodeModel:
    hf_model = tiny_model()
    weights = {
        name.removeprefix("transformer."): weight for name, weight in hf_model.state_dict().items()
    }
    placement = Placement(torch.device("cpu"), torch.float32, "none", spread=False, bytes=0)
    return BigCodeModel(weights, hf_model.config.to_dict(), placement)


def read(pool: CachePool, ids: list[int]) -> PrefixCache:
    """Return an open cache that has read `ids`."""
    cache = pool.open(ids, length=len(ids))
    cache.forward(ids[len(cache.ids) :])
    return cache


def get_kv(cache: PrefixCache) -> torch.Tensor:
    assert isinstance(cache._cache, StaticCache)
    return cache._cache.kv


def test_the_next_turn_continues_in_place() -> None:
    pool = CachePool(create_model())
    cache = read(pool, [1, 2, 3])
    address = get_kv(cache).data_ptr()
    pool.close(cache)
    again = pool.open([1, 2, 3, 4, 5])
    assert again.ids == [1, 2, 3]
    assert get_kv(again).data_ptr() == address
    assert pool.tree.bytes == 0, "nothing was copied"


def test_requests_at_the_same_time_have_caches_of_their_own(reference: HubModel) -> None:
    pool = CachePool(reference)
    first, second = read(pool, [1, 2, 3]), read(pool, [1, 2, 9])
    assert (first.ids, second.ids) == ([1, 2, 3], [1, 2, 9])
    logits = first.forward([4])
    expected = reference.forward([1, 2, 3, 4], reference.new_cache())
    assert (logits - expected).abs().max() < LIMIT
    assert pool.running_count == 2


def test_the_longest_prefix_is_reused_while_others_run(reference: HubModel) -> None:
    """Requests begin and end in any order; the budget holds all that they have read."""
    rng, pool = random.Random(0), CachePool(reference)
    known: list[list[int]] = [[]]
    running: list[PrefixCache] = []
    copied = 0
    for _ in range(200):
        if running and rng.random() < 0.5:
            pool.close(running.pop(rng.randrange(len(running))))
            continue
        base = rng.choice(known)
        ids = base[: rng.randrange(len(base) + 1)] + rng.choices(range(3), k=rng.randrange(1, 9))
        ids = ids[:120]
        cache = pool.open(ids, length=len(ids))
        assert len(cache.ids) == max(common_prefix_length(old, ids[:-1]) for old in known)
        copied += bool(cache.ids)
        logits = cache.forward(ids[len(cache.ids) :])
        assert (logits - reference.forward(ids, reference.new_cache())).abs().max() < LIMIT
        running.append(cache)
        known.append(ids)
    assert copied > 50


def test_closed_caches_give_their_memory_back() -> None:
    model, pool = create_model(), None
    created: list[weakref.ref[StaticCache]] = []

    class CountingModel(BigCodeModel):
        def new_cache(self) -> StaticCache:
            cache = super().new_cache()
            created.append(weakref.ref(cache))
            return cache

    model.__class__ = CountingModel
    pool = CachePool(model)
    caches = [read(pool, [number, 1, 2]) for number in range(4)]
    assert len(created) == 4
    for cache in caches:
        pool.close(cache)
    del caches, cache
    gc.collect()
    assert pool.running_count == 0
    assert sum(one() is not None for one in created) == 1, "that of the next turn"
    for number in range(4):
        cache = pool.open([number, 1, 2, 3])
        assert cache.ids == [number, 1, 2], "and the sequences stay known"
        pool.close(cache)


def test_a_failed_request_does_not_displace_the_idle_cache(reference: HubModel) -> None:
    pool = CachePool(reference)
    failed, cache = pool.open([7]), read(pool, [1, 2, 3])
    pool.close(cache)
    pool.close(failed)
    assert pool.open([1, 2, 3, 4]) is cache


def test_the_growth_is_that_of_the_caches() -> None:
    model = create_model()
    pool = CachePool(model)
    assert pool.estimate_growth(100) == 0, "unknown before the first token"
    cache = pool.open([1, 2, 3], length=WINDOW)
    assert pool.estimate_growth(100) == 0
    cache.forward([1, 2, 3])
    before = get_kv(cache)
    growth = pool.estimate_growth()
    cache.forward([5] * (WINDOW - 3))
    allocated = count_bytes((get_kv(cache),)) - count_bytes((before,))
    assert allocated <= growth <= 3 * count_bytes((get_kv(cache),))
    assert pool.estimate_growth() == 0
    slice_ = cache.read_slice(10)
    assert slice_
    assert pool.estimate_growth(10) == 2 * count_bytes(slice_)


def test_a_cleared_pool_knows_what_runs_only(reference: HubModel) -> None:
    pool = CachePool(reference)
    for ids in ([1, 2, 3], [4, 5, 6]):
        pool.close(read(pool, ids))
    running = read(pool, [7, 8, 9])
    pool.clear()
    assert pool.open([1, 2, 3, 4]).ids == pool.open([4, 5, 6, 7]).ids == []
    assert pool.open([7, 8, 9, 1]).ids == [7, 8, 9]
    assert running.ids == [7, 8, 9]
