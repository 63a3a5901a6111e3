"""Prefix cache: exact counts, and the logits of a full computation."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
import torch

from starchat_tui.engine.cache.prefix import PrefixCache, RadixNode, RadixTree, common_prefix_length
from starchat_tui.engine.models.hub_model import HubModel
from starchat_tui.engine.models.interface import count_bytes
from tests.engine.generation import read_prompt

ROWS = 264
LIMIT = 1e-4


def compute_all(reference: HubModel, ids: Sequence[int]) -> torch.Tensor:
    """Return logits [V] with nothing reused."""
    return reference.forward(ids, reference.new_cache())


def reuse_and_prefill(
    prefix: PrefixCache, ids: Sequence[int], *, chunk: int = 64
) -> tuple[int, torch.Tensor]:
    """Return the number of tokens reused and the logits [V]."""
    cached = prefix.reuse_prefix(ids)
    return cached, read_prompt(prefix, ids[cached:], chunk)


def test_common_is_the_longest_common_prefix() -> None:
    assert common_prefix_length([1, 2, 3], [1, 2, 4, 5]) == 2
    assert common_prefix_length([], [1]) == common_prefix_length([2], [1]) == 0
    assert common_prefix_length([1, 2], [1, 2, 3]) == common_prefix_length([1, 2, 3], [1, 2]) == 2


def test_random_prompts_reuse_the_longest_prefix_ever_read(reference: HubModel) -> None:
    """Rewinds, forks and continuations in any order; the budget holds all of them."""
    rng = random.Random(0)
    prefix, seen = PrefixCache(reference), [[]]
    for _ in range(150):
        base = rng.choice(seen)
        ids = base[: rng.randrange(len(base) + 1)] + rng.choices(range(3), k=rng.randrange(1, 9))
        ids = ids[:120]
        cached, logits = reuse_and_prefill(prefix, ids, chunk=rng.choice((1, 7, 64)))
        assert cached == max(common_prefix_length(old, ids[:-1]) for old in seen)
        assert (logits - compute_all(reference, ids)).abs().max() < LIMIT
        seen.append(ids)


def test_ten_turns_with_a_rewind_and_a_one_off_question(reference: HubModel) -> None:
    rng = random.Random(1)

    def random_ids(count: int) -> list[int]:
        return rng.choices(range(ROWS), k=count)

    few_shot, other = random_ids(200), random_ids(30)
    prefix, dialogue = PrefixCache(reference), list(few_shot)
    kept: list[list[int]] = []
    for turn in range(10):
        dialogue = dialogue + random_ids(9)
        if turn == 5:
            cached, _ = reuse_and_prefill(prefix, few_shot + other)
            assert cached == len(few_shot)
            kept.append(few_shot + other)
        if turn == 7:
            dialogue = dialogue[:230] + random_ids(9)
        cached, logits = reuse_and_prefill(prefix, dialogue)
        assert cached == max((common_prefix_length(old, dialogue[:-1]) for old in kept), default=0)
        assert (logits - compute_all(reference, dialogue)).abs().max() < LIMIT
        dialogue = dialogue + random_ids(6)
        for token in dialogue[-6:]:
            logits = prefix.forward([token])
        kept.append(list(dialogue))
        assert (logits - compute_all(reference, dialogue)).abs().max() < LIMIT


def test_the_whole_prompt_is_never_reused(reference: HubModel) -> None:
    prefix, ids = PrefixCache(reference), [1, 2, 3, 4]
    reuse_and_prefill(prefix, ids)
    assert reuse_and_prefill(prefix, ids)[0] == 3
    assert reuse_and_prefill(prefix, [1])[0] == 0


def test_a_failed_forward_pass_drops_the_current_sequence_only(reference: HubModel) -> None:
    prefix = PrefixCache(reference)
    reuse_and_prefill(prefix, [1, 2, 3, 4])
    reuse_and_prefill(prefix, [1, 2, 9])
    with pytest.raises(IndexError):
        prefix.forward([ROWS + 100])
    assert prefix.ids == []
    cached, logits = reuse_and_prefill(prefix, [1, 2, 3, 4])
    assert cached == 3
    assert (logits - compute_all(reference, [1, 2, 3, 4])).abs().max() < LIMIT


def create_slice(*ids: int) -> tuple[torch.Tensor, ...]:
    """Return a slice whose keys are its token ids: one layer, one head of size 1."""
    return (torch.tensor(ids, dtype=torch.float32).reshape(1, 1, -1, 1),)


def insert(tree: RadixTree, *ids: int) -> None:
    tree.insert(ids, lambda start, stop: create_slice(*ids[start:stop]))


def read_ids(tree: RadixTree, *ids: int) -> list[int]:
    """Return the prefix of `ids` that the tree knows, read from the slices themselves."""
    return [int(key) for _, run in tree.match_prefix(ids) for key in run[0].flatten()]


def test_a_tree_stores_each_token_once() -> None:
    tree = RadixTree(10**6)
    for ids in ((1, 2, 3, 4), (1, 2, 3, 9), (1, 2), (1, 2, 3, 4, 5), (7,)):
        insert(tree, *ids)
        assert read_ids(tree, *ids) == list(ids)
    assert tree.bytes == 4 * len([1, 2, 3, 4, 9, 5, 7])
    assert read_ids(tree, 1, 2, 3, 8) == [1, 2, 3]
    assert read_ids(tree, 8) == []


def test_the_least_recently_used_leaf_is_evicted_from_a_full_tree() -> None:
    tree = RadixTree(4 * 6)
    insert(tree, 1, 2, 3)
    insert(tree, 4, 5, 6)
    assert read_ids(tree, 1, 2, 3) == [1, 2, 3]
    insert(tree, 7, 8)
    assert read_ids(tree, 4, 5, 6) == []
    assert read_ids(tree, 1, 2, 3) == [1, 2, 3]
    assert read_ids(tree, 7, 8) == [7, 8]
    insert(tree, *range(10, 30))
    assert tree.bytes <= tree.budget


def test_a_tree_never_exceeds_its_budget_and_returns_no_other_tokens() -> None:
    rng = random.Random(2)
    tree = RadixTree(4 * 50)
    for _ in range(500):
        ids = rng.choices(range(3), k=rng.randrange(1, 25))
        insert(tree, *ids)
        assert tree.bytes <= tree.budget
        wanted = rng.choices(range(3), k=10)
        known = read_ids(tree, *wanted)
        assert known == wanted[: len(known)]
        assert tree.bytes == sum(count_bytes(node.kv) for node in list_nodes(tree))


def list_nodes(tree: RadixTree) -> list[RadixNode]:
    pending: list[RadixNode] = [tree._root]
    nodes: list[RadixNode] = []
    while pending:
        node = pending.pop()
        pending += node.children.values()
        nodes.append(node)
    return nodes
