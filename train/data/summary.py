"""Statistics of a dataset: messages, tokens, share learned, packing."""

from __future__ import annotations

from typing import Any

from starchat_tui.templates.tokenizer import Tokenizer
from train.data.encode import Weights, count_tokens, encode_tree
from train.data.load import LoadedTrees
from train.data.packing import fill_ratio
from train.data.rows import pack_trees

DEFAULT_BLOCK = 2048
"""Tokens of a packed row if `stats` gets no `--block`."""


NAMED_ROWS = 5
"""Refused rows that `stats` lists per reason; `--refused` lists all."""


def count_messages(loaded: LoadedTrees, *, every: bool) -> dict[str, Any]:
    """Return counts of rows, trees, dialogues and messages; `every` lists all refused rows."""
    messages = [one for tree in loaded.trees for one in tree.messages]
    named: dict[str, dict[str, Any]] = {
        reason: {"count": count, "where": []}
        for reason, count in loaded.count_reasons().most_common()
    }
    for refusal in loaded.refused:
        places = named[refusal.reason]["where"]
        if every or len(places) < NAMED_ROWS:
            places.append(refusal.where)
    return {
        "rows": loaded.rows,
        "refused": named,
        "trees": len(loaded.trees),
        "dialogues": sum(one.dialogue_count for one in messages),
        "messages": len(messages),
        "messages_learned": sum(one.is_learned for one in messages),
    }


def measure_tokens(
    loaded: LoadedTrees, tokenizer: Tokenizer, *, block: int, weights: Weights, alone: bool
) -> dict[str, Any]:
    """Return the tokens of an epoch: as trees, as separate dialogues, untrimmed, and packed.

    Args:
        loaded: The dataset.
        tokenizer: Tokenizer with the four control tokens.
        block: Most tokens of a packed row.
        weights: Objective, `leaves` or `once`.
        alone: Pack each dialogue separately instead of as trees.

    Returns:
        Counts and shares; `saved_by_trees` is relative to the separate, untrimmed dialogues.
    """
    sizes = [count_tokens(tree, tokenizer) for tree in loaded.trees]
    trees, separate = (sum(column) for column in zip(*sizes, strict=True))
    given = sum(count_tokens(tree, tokenizer)[1] for tree in loaded.untrimmed)
    encoded = [encode_tree(tree, tokenizer) for tree in loaded.trees]
    learned = sum(one.learned_count for one in encoded)
    weight = sum(float(one.weights.sum()) for one in encoded)
    packed = pack_trees(loaded.trees, tokenizer, block=block, weights=weights, alone=alone)
    return {
        "tokens": trees,
        "tokens_alone": separate,
        "tokens_given": given,
        "share_of_given": round(trees / given, 4),
        "saved_by_trees": round(1 - trees / given, 4),
        "tokens_learned": learned,
        "share_learned": round(learned / trees, 4),
        "share_learned_given": round(weight / given, 4),
        "block": block,
        "rows_packed": len(packed.rows),
        "tokens_packed": sum(map(len, packed.rows)),
        "fill": round(fill_ratio(packed.rows, block), 4),
        "tokens_cut": packed.cut,
        "trees_lost": list(packed.lost),
    }
