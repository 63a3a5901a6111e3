"""Token-exact prefix cache: keys and values of earlier prompts, reused instead of recomputed.

The current sequence is the one that a request reads now. Where the next prompt departs from it, its
tail moves to a radix tree, so that a one-off question between two turns of a conversation costs the
conversation nothing. The tree holds each token once and drops the least recently used leaves when
it outgrows its budget, as RadixAttention does (Zheng et al., SGLang, 2023). The sequences of
requests that run at the same time share it: see `cache_pool`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from starchat_tui.config.byte_units import GIB
from starchat_tui.engine.models.interface import (
    CausalLM,
    KVCache,
    KVSlice,
    count_bytes,
    slice_tokens,
)


def common_prefix_length(left: Sequence[int], right: Sequence[int]) -> int:
    """Return the length of the longest common prefix of two sequences."""
    shared = min(len(left), len(right))
    # One comparison in C settles the usual case of a conversation that continues.
    if left[:shared] == right[:shared]:
        return shared
    return next(index for index in range(shared) if left[index] != right[index])


@dataclass(eq=False, slots=True)
class RadixNode:
    """Tokens that follow those of the parent, with their keys and values."""

    ids: list[int]
    kv: KVSlice
    parent: RadixNode | None
    children: dict[int, RadixNode] = field(default_factory=dict)
    """Children by their first token id."""
    last_used: int = 0
    """Number of the tree's last operation that passed here."""


class RadixTree:
    """Radix tree of KV slices: sequences that begin alike share the nodes of their prefix."""

    def __init__(self, budget: int) -> None:
        """Make an empty tree of at most `budget` bytes."""
        self.budget = budget
        self.bytes = 0
        self._root = RadixNode([], (), None)
        # A count of operations orders them strictly; times of a clock may be equal.
        self._clock = 0

    def match_prefix(self, ids: Sequence[int]) -> list[tuple[int, KVSlice]]:
        """Return the longest known prefix of `ids`: slices in order, each with its length."""
        return [
            (length, slice_tokens(node.kv, 0, length))
            for node, length in self._walk_path(list(ids))
        ]

    def insert(self, ids: Sequence[int], read: Callable[[int, int], KVSlice]) -> None:
        """Store `ids`; `read(start, stop)` returns the slice of tokens that are not stored yet."""
        ids = list(ids)
        node, done = self._root, 0
        for found, length in self._walk_path(ids):
            done += length
            node = self._split_node(found, length) if length < len(found.ids) else found
        if done < len(ids):
            leaf = RadixNode(ids[done:], read(done, len(ids)), node, last_used=self._clock)
            node.children[ids[done]] = leaf
            self.bytes += count_bytes(leaf.kv)
        self.shrink(self.budget)

    def clear(self) -> None:
        """Drop every node."""
        self._root = RadixNode([], (), None)
        self.bytes = 0

    def _walk_path(self, ids: list[int]) -> Iterator[tuple[RadixNode, int]]:
        """Yield the nodes along `ids` with the number of their tokens that match.

        Marks them as used.
        """
        self._clock += 1
        node, done = self._root, 0
        while done < len(ids) and (child := node.children.get(ids[done])):
            length = common_prefix_length(child.ids, ids[done : done + len(child.ids)])
            child.last_used = self._clock
            # Compared before the yield, because `insert` divides the node that it is given.
            is_whole = length == len(child.ids)
            yield child, length
            if not is_whole:
                return
            node, done = child, done + length

    def _split_node(self, node: RadixNode, length: int) -> RadixNode:
        """Divide a node after `length` tokens; return the first part."""
        # Copies, because a view would keep the memory of the whole after the other part is gone.
        head = tuple(part.clone() for part in slice_tokens(node.kv, 0, length))
        tail = tuple(part.clone() for part in slice_tokens(node.kv, length, len(node.ids)))
        assert node.parent is not None
        first = RadixNode(node.ids[:length], head, node.parent, last_used=node.last_used)
        node.parent.children[first.ids[0]] = first
        node.ids, node.kv, node.parent = node.ids[length:], tail, first
        first.children[node.ids[0]] = node
        return first

    def shrink(self, size: int) -> None:
        """Drop the least recently used leaves until the tree has at most `size` bytes."""
        while self.bytes > max(size, 0):
            # Only leaves: an inner node is the prefix of all that follow it. Its turn comes when
            # they are gone.
            leaf = min(self._iter_leaves(self._root), key=lambda node: node.last_used)
            assert leaf.parent is not None
            del leaf.parent.children[leaf.ids[0]]
            self.bytes -= count_bytes(leaf.kv)

    def _iter_leaves(self, node: RadixNode) -> Iterator[RadixNode]:
        for child in node.children.values():
            yield from self._iter_leaves(child) if child.children else (child,)


class PrefixCache:
    """Current sequence of one request, and the tree of the model's sequences before it.

    Reuse is exact: keys and values are taken over only for the very tokens, at the very positions,
    that they were computed for. With learned positions nothing could be shifted.
    """

    def __init__(self, model: CausalLM, tree: RadixTree | None = None) -> None:
        """Cache for `model`; without a `tree` that others share, with one of its own."""
        self._model = model
        self._cache: KVCache = model.new_cache()
        self.tree = RadixTree(GIB) if tree is None else tree
        self.ids: list[int] = []
        """Token ids of the current sequence."""

    def reuse_prefix(self, ids: Sequence[int]) -> int:
        """Make the longest known prefix of `ids` the current sequence; return its length in tokens.

        It is shorter than `ids`.
        """
        # The cache holds keys and values, not logits: the last token must be computed again for
        # the logits that the first token of the answer is drawn from.
        wanted = list(ids[:-1])
        shared = common_prefix_length(self.ids, wanted)
        if shared < len(self.ids):
            if not self._cache.rewindable:
                self._start_over()
                return 0
            # To the tree first, because rewinding gives the tail up.
            self.store_in_tree()
        self.crop(shared)
        self._append_from_tree(wanted)
        return len(self.ids)

    def forward(self, ids: Sequence[int]) -> Tensor:
        """Read `ids` [T] after the current sequence; return the logits [V] of the last."""
        return self._read_tokens(self._model.forward, ids)

    def forward_all(self, ids: Sequence[int]) -> Tensor:
        """Read `ids` [T] after the current sequence; return the logits [T, V] of each."""
        return self._read_tokens(self._model.forward_all, ids)

    def crop(self, length: int) -> None:
        """Drop all but the first `length` tokens of the current sequence, for good."""
        if length < len(self.ids):
            self._cache.crop(length)
            del self.ids[length:]

    @property
    def is_rewindable(self) -> bool:
        """True if the model's cache can be cropped and read."""
        return self._cache.rewindable

    def adopt_slice(self, ids: Sequence[int], kv: KVSlice) -> None:
        """Continue the current sequence to `ids`; `kv` is the slice of all of them."""
        self._cache.append_slice(slice_tokens(kv, len(self.ids), len(ids)))
        self.ids = list(ids)

    def extend_from(self, other: PrefixCache, ids: Sequence[int]) -> None:
        """Append the tokens of `ids`, less the last, that `other` has read beyond this sequence."""
        wanted = list(ids[:-1])
        shared = common_prefix_length(other.ids, wanted)
        if shared > len(self.ids) and other._cache.rewindable:
            self._cache.append_slice(other._cache.read_slice(len(self.ids), shared))
            self.ids = wanted[:shared]

    def store_in_tree(self) -> None:
        """Copy the current sequence to the tree, where the model's cache can be read."""
        if self._cache.rewindable:
            self.tree.insert(self.ids, self._cache.read_slice)

    def read_slice(self, length: int) -> KVSlice | None:
        """Return the slice of the first `length` current tokens.

        None if there are fewer, or if the model's cache cannot be read.
        """
        if length > len(self.ids) or not self._cache.rewindable:
            return None
        return self._cache.read_slice(0, length)

    def clear(self) -> None:
        """Drop everything, and free its memory."""
        self._start_over()
        self.tree.clear()

    def _read_tokens(
        self, forward: Callable[[Sequence[int], KVCache], Tensor], ids: Sequence[int]
    ) -> Tensor:
        try:
            logits = forward(ids, self._cache)
        # An interrupt as well: some layers may have read the tokens and others not.
        except BaseException:
            self._start_over()
            raise
        self.ids += ids
        return logits

    def _append_from_tree(self, wanted: list[int]) -> None:
        """Append the tokens of `wanted` beyond the current sequence that the tree knows."""
        done = 0
        for length, kv in self.tree.match_prefix(wanted):
            # The path starts at the first token; the current sequence may hold some of it already.
            known = max(len(self.ids) - done, 0)
            if known < length:
                self._cache.append_slice(slice_tokens(kv, known, length))
                self.ids += wanted[done + known : done + length]
            done += length

    def _start_over(self) -> None:
        self._cache = self._model.new_cache()
        self.ids = []
