"""Prefix reuse: exact counts, and the logits of a full recompute."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
import torch

from starchat_tui.engine.cache.prefix import PrefixCache, Tree, common
from starchat_tui.engine.generate import prefill
from starchat_tui.engine.models.hub_model import Reference
from starchat_tui.engine.models.interface import run_bytes

ROWS = 264
LIMIT = 1e-4


def full(reference: Reference, ids: Sequence[int]) -> torch.Tensor:
    """Logits [V] with nothing reused."""
    return reference.extend(ids, reference.new_cache())


def read(prefix: PrefixCache, ids: Sequence[int], *, chunk: int = 64) -> tuple[int, torch.Tensor]:
    """Open and prefill; the tokens reused and the logits [V]."""
    cached = prefix.open(ids)
    logits = prefill(prefix, ids[cached:], goes_on=lambda _: True, chunk=chunk)
    assert logits is not None
    return cached, logits


def test_common_is_the_longest_common_prefix() -> None:
    assert common([1, 2, 3], [1, 2, 4, 5]) == 2
    assert common([], [1]) == common([2], [1]) == 0
    assert common([1, 2], [1, 2, 3]) == common([1, 2, 3], [1, 2]) == 2


def test_random_histories_reuse_the_longest_prefix_ever_read(reference: Reference) -> None:
    """Rewinds, forks, one-shots and continuations in any order, with room for all of them."""
    dice = random.Random(0)
    prefix, seen = PrefixCache(reference), [[]]
    for _ in range(150):
        base = dice.choice(seen)
        ids = base[: dice.randrange(len(base) + 1)] + dice.choices(range(3), k=dice.randrange(1, 9))
        ids = ids[:120]
        cached, logits = read(prefix, ids, chunk=dice.choice((1, 7, 64)))
        assert cached == max(common(old, ids[:-1]) for old in seen)
        assert (logits - full(reference, ids)).abs().max() < LIMIT
        seen.append(ids)


def test_ten_turns_with_a_rewind_and_a_one_shot_between(reference: Reference) -> None:
    dice = random.Random(1)

    def some(count: int) -> list[int]:
        return dice.choices(range(ROWS), k=count)

    few_shot, other = some(200), some(30)
    prefix, dialogue = PrefixCache(reference), list(few_shot)
    kept: list[list[int]] = []
    for turn in range(10):
        dialogue = dialogue + some(9)
        if turn == 5:
            cached, _ = read(prefix, few_shot + other)
            assert cached == len(few_shot)
            kept.append(few_shot + other)
        if turn == 7:
            dialogue = dialogue[:230] + some(9)
        cached, logits = read(prefix, dialogue)
        assert cached == max((common(old, dialogue[:-1]) for old in kept), default=0)
        assert (logits - full(reference, dialogue)).abs().max() < LIMIT
        dialogue = dialogue + some(6)
        for token in dialogue[-6:]:
            logits = prefix.extend([token])
        kept.append(list(dialogue))
        assert (logits - full(reference, dialogue)).abs().max() < LIMIT


def test_the_whole_prompt_is_never_reused(reference: Reference) -> None:
    prefix, ids = PrefixCache(reference), [1, 2, 3, 4]
    read(prefix, ids)
    assert read(prefix, ids)[0] == 3
    assert read(prefix, [1])[0] == 0


def test_a_failure_while_reading_forgets_the_live_sequence_only(reference: Reference) -> None:
    prefix = PrefixCache(reference)
    read(prefix, [1, 2, 3, 4])
    read(prefix, [1, 2, 9])
    with pytest.raises(IndexError):
        prefix.extend([ROWS + 100])
    assert prefix.ids == []
    cached, logits = read(prefix, [1, 2, 3, 4])
    assert cached == 3
    assert (logits - full(reference, [1, 2, 3, 4])).abs().max() < LIMIT


def rows(*ids: int) -> tuple[torch.Tensor, ...]:
    """A run whose keys say which tokens they are: one layer, one head of width 1."""
    return (torch.tensor(ids, dtype=torch.float32).reshape(1, 1, -1, 1),)


def keep(tree: Tree, *ids: int) -> None:
    tree.insert(ids, lambda start, stop: rows(*ids[start:stop]))


def spelled(tree: Tree, *ids: int) -> list[int]:
    """What the tree knows of `ids`, read from the runs themselves."""
    return [int(key) for _, run in tree.match(ids) for key in run[0].flatten()]


def test_a_tree_keeps_each_token_once() -> None:
    tree = Tree(10**6)
    for ids in ((1, 2, 3, 4), (1, 2, 3, 9), (1, 2), (1, 2, 3, 4, 5), (7,)):
        keep(tree, *ids)
        assert spelled(tree, *ids) == list(ids)
    assert tree.bytes == 4 * len([1, 2, 3, 4, 9, 5, 7])
    assert spelled(tree, 1, 2, 3, 8) == [1, 2, 3]
    assert spelled(tree, 8) == []


def test_the_least_recently_used_leaves_when_the_tree_is_full() -> None:
    tree = Tree(4 * 6)
    keep(tree, 1, 2, 3)
    keep(tree, 4, 5, 6)
    assert spelled(tree, 1, 2, 3) == [1, 2, 3]
    keep(tree, 7, 8)
    assert spelled(tree, 4, 5, 6) == []
    assert spelled(tree, 1, 2, 3) == [1, 2, 3]
    assert spelled(tree, 7, 8) == [7, 8]
    keep(tree, *range(10, 30))
    assert tree.bytes <= tree.budget


def test_a_tree_never_outgrows_its_budget_and_never_lies() -> None:
    dice = random.Random(2)
    tree = Tree(4 * 50)
    for _ in range(500):
        ids = dice.choices(range(3), k=dice.randrange(1, 25))
        keep(tree, *ids)
        assert tree.bytes <= tree.budget
        asked = dice.choices(range(3), k=10)
        known = spelled(tree, *asked)
        assert known == asked[: len(known)]
        assert tree.bytes == sum(run_bytes(node.run) for node in every_node(tree))


def every_node(tree: Tree) -> list:
    pending, found = [tree._root], []
    while pending:
        node = pending.pop()
        pending += node.children.values()
        found.append(node)
    return found
