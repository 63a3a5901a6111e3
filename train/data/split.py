"""Training and test trees that share no beginning."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from train.data.trees import Tree


def split_trees(trees: Sequence[Tree], seed: int, share: float) -> tuple[list[Tree], list[Tree]]:
    """Split trees into training and test trees, with about `share` of the first questions in test.

    Trees that begin with the same first message, ignoring case and white space, stay on one side
    whatever their system prompt, so no test text shares a prefix with training. The draw does not
    depend on the order of the trees, and the order is kept. If `share` is positive and there are at
    least two beginnings, neither side is empty.
    """
    beginnings = {prefix_key(tree) for tree in trees}
    wanted = round(share * len(beginnings))
    if share > 0 and len(beginnings) > 1:
        wanted = min(max(wanted, 1), len(beginnings) - 1)
    # Sorted by a salted hash: a draw that depends on the seed and the text, not on the order or on
    # which other trees there are.
    drawn = sorted(beginnings, key=lambda text: hashlib.sha256(f"{seed}\n{text}".encode()).digest())
    tested = set(drawn[:wanted])
    test = [tree for tree in trees if prefix_key(tree) in tested]
    return [tree for tree in trees if prefix_key(tree) not in tested], test


def exclude_overlap(test: Sequence[Tree], trained: Sequence[Tree]) -> list[Tree]:
    """Return the trees of `test` that begin like no tree of `trained`."""
    known = {prefix_key(tree) for tree in trained}
    return [tree for tree in test if prefix_key(tree) not in known]


def prefix_key(tree: Tree) -> str:
    """Return the first message without case and white space; equal keys mean equal beginnings."""
    return "".join(tree.messages[0].text.casefold().split())
