"""Training and test trees that share no beginning."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from train.data.trees import Tree


def split(trees: Sequence[Tree], seed: int, share: float) -> tuple[list[Tree], list[Tree]]:
    """Training trees, and test trees of about `share` of the questions that trees begin with.

    Trees that begin with the same first message, but for case and white space, stay on one side
    whatever their system text, so no test text shares a prefix with training. The order of the
    trees does not matter to the draw, and is kept. Where anything is asked for and there are at
    least two beginnings, both sides have one.
    """
    beginnings = {key(tree) for tree in trees}
    wanted = round(share * len(beginnings))
    if share > 0 and len(beginnings) > 1:
        wanted = min(max(wanted, 1), len(beginnings) - 1)
    drawn = sorted(beginnings, key=lambda text: hashlib.sha256(f"{seed}\n{text}".encode()).digest())
    tested = set(drawn[:wanted])
    test = [tree for tree in trees if key(tree) in tested]
    return [tree for tree in trees if key(tree) not in tested], test


def unseen(test: Sequence[Tree], trained: Sequence[Tree]) -> list[Tree]:
    """The trees of `test`, given from outside, that begin as no tree of `trained` does."""
    known = {key(tree) for tree in trained}
    return [tree for tree in test if key(tree) not in known]


def key(tree: Tree) -> str:
    """The first message without case and white space: equal means the same beginning."""
    return "".join(tree.messages[0].text.casefold().split())
