from __future__ import annotations

from random import Random

import numpy as np
import pytest

from starchat_tui.templates.tokenizer import Tokenizer
from tests.train.random_trees import generate_trees
from train.data.encode import EncodedTree, encode_tree
from train.data.packing import concatenate_trees, fill_ratio, pack_rows


def build_dialogue(size: int, first: int = 0) -> EncodedTree:
    """Return a dialogue of `size` tokens, all learned."""
    ids = np.arange(first, first + size, dtype=np.int32)
    at = np.arange(size, dtype=np.int32)
    return EncodedTree(ids, ids, at, np.full(size, size, np.int32), np.ones(size, np.float32))


def split_row(row: EncodedTree) -> list[EncodedTree]:
    """Return the parts of a packed row, split where positions restart."""
    starts = np.flatnonzero(row.positions == 0).tolist()
    return [
        EncodedTree(
            row.ids[start:end],
            row.labels[start:end],
            row.positions[start:end],
            row.exits[start:end] - start,
            row.weights[start:end],
        )
        for start, end in zip(starts, [*starts[1:], len(row)], strict=True)
    ]


def row_bytes(one: EncodedTree) -> tuple[bytes, ...]:
    columns = (one.ids, one.labels, one.positions, one.exits, one.weights)
    return tuple(column.astype(column.dtype).tobytes() for column in columns)


@pytest.mark.parametrize("seed", range(20))
def test_packing_loses_no_token_and_changes_none(seed: int) -> None:
    rng = Random(seed)
    block = rng.randint(5, 60)
    given = [build_dialogue(rng.randint(1, block), 1000 * at) for at in range(rng.randint(1, 80))]
    packed = pack_rows(given, block)
    assert all(0 < len(row) <= block for row in packed)
    found = sorted(row_bytes(one) for row in packed for one in split_row(row))
    assert found == sorted(map(row_bytes, given))


def test_trees_keep_their_branches_in_a_row(small: Tokenizer) -> None:
    given = [encode_tree(one, small) for one in generate_trees(Random(0), 12)]
    block = 2 * max(map(len, given))
    packed = pack_rows(given, block)
    found = sorted(row_bytes(one) for row in packed for one in split_row(row))
    assert found == sorted(map(row_bytes, given))


def test_rows_are_nearly_full() -> None:
    rng = Random(7)
    given = [build_dialogue(rng.randint(10, 700)) for _ in range(400)]
    assert fill_ratio(pack_rows(given, 1024), 1024) > 0.97
    assert fill_ratio([], 1024) == 0.0


def test_no_two_rows_fit_into_one() -> None:
    rng = Random(8)
    sizes = sorted(
        len(row) for row in pack_rows([build_dialogue(rng.randint(1, 40)) for _ in range(99)], 64)
    )
    assert sizes[0] + sizes[1] > 64


def test_the_same_pieces_make_the_same_rows() -> None:
    rng = Random(9)
    given = [build_dialogue(rng.randint(1, 30), 100 * at) for at in range(60)]
    assert list(map(row_bytes, pack_rows(given, 64))) == list(map(row_bytes, pack_rows(given, 64)))


def test_exits_are_shifted() -> None:
    row = concatenate_trees([build_dialogue(3), build_dialogue(2)])
    assert row.exits.tolist() == [3, 3, 3, 5, 5]
    assert row.positions.tolist() == [0, 1, 2, 0, 1]


def test_an_oversized_tree_fails_an_assertion() -> None:
    with pytest.raises(AssertionError, match="do not fit"):
        pack_rows([build_dialogue(9)], 8)


def test_nothing_packs_to_nothing() -> None:
    assert pack_rows([], 8) == []
