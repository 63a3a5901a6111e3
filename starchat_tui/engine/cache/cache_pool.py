"""KV caches of the requests of one model: those that run, the one that ended last, and the tree.

Each request reads its sequence into a cache of its own. What it has read stays known: the cache of
the request that ended last is kept as it is, so that the next turn of its conversation continues
without a copy, and the tree takes those of the requests before.
"""

from __future__ import annotations

from collections.abc import Sequence

from starchat_tui.config.byte_units import GIB
from starchat_tui.engine.cache.prefix import PrefixCache, RadixTree
from starchat_tui.engine.models.interface import CausalLM, count_bytes

_ALLOCATION_FACTOR = 2
"""Memory that a cache may allocate for each byte of keys and values: it doubles when it is full."""


class CachePool:
    """KV caches of one model's requests; used by the worker thread only."""

    def __init__(self, model: CausalLM, *, budget: int = GIB) -> None:
        """Create a pool for `model`, with a tree of at most `budget` bytes."""
        self._model = model
        self.tree = RadixTree(budget)
        self._running: dict[PrefixCache, int] = {}
        """Caches of the requests that run, with the lengths that they may reach, in tokens."""
        self._idle: PrefixCache | None = None
        """Cache of the request that ended last."""

    @property
    def running_count(self) -> int:
        """Number of caches in use."""
        return len(self._running)

    def open(self, ids: Sequence[int], *, length: int = 0) -> PrefixCache:
        """Return a cache whose current sequence is the longest known prefix of `ids`.

        It is shorter than `ids`, and belongs to the caller until `close`.

        Args:
            ids: Token ids of the prompt.
            length: Tokens that the sequence may reach with its answer.
        """
        cache, self._idle = self._idle or PrefixCache(self._model, self.tree), None
        cache.reuse_prefix(ids)
        # Requests that arrive together often begin alike, with a few-shot prompt of thousands of
        # tokens, which is in the tree only after the first of them has ended.
        for other in self._running:
            cache.extend_from(other, ids)
        self._running[cache] = length
        return cache

    def close(self, cache: PrefixCache) -> None:
        """Take a cache back, whose sequence stays known."""
        del self._running[cache]
        # Empty after a failure: then the idle one is of more use.
        if not cache.ids:
            return
        if self._idle is not None:
            self._idle.store_in_tree()
        self._idle = cache

    def estimate_growth(self, length: int = 0) -> int:
        """Return the memory that the caches in use and a new one of `length` tokens may add.

        In bytes; 0 as long as no token was read, or if the model's cache cannot be measured.
        """
        caches = [*self._running, *([self._idle] if self._idle else [])]
        token = next((kv for cache in caches if (kv := cache.read_slice(1))), ())
        lacking = sum(
            max(expected - len(cache.ids), 0) for cache, expected in self._running.items()
        )
        return _ALLOCATION_FACTOR * count_bytes(token) * (lacking + length)

    def clear(self) -> None:
        """Drop every prefix that no running request reads, and free its memory."""
        self._idle = None
        self.tree.clear()
