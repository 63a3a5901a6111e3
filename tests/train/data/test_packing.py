from __future__ import annotations

from random import Random

import numpy as np
import pytest

from starchat_tui.templates.tokenizer import Vocabulary
from tests.train.forest import forest
from train.data.encode import Encoded, encode
from train.data.packing import fill, joined, pack


def piece(size: int, first: int = 0) -> Encoded:
    """A dialogue of `size` tokens, all learned."""
    ids = np.arange(first, first + size, dtype=np.int32)
    at = np.arange(size, dtype=np.int32)
    return Encoded(ids, ids, at, np.full(size, size, np.int32), np.ones(size, np.float32))


def pieces_of(row: Encoded) -> list[Encoded]:
    """A packed row taken apart where positions begin anew."""
    starts = np.flatnonzero(row.positions == 0).tolist()
    return [
        Encoded(
            row.ids[start:end],
            row.labels[start:end],
            row.positions[start:end],
            row.exits[start:end] - start,
            row.weights[start:end],
        )
        for start, end in zip(starts, [*starts[1:], len(row)], strict=True)
    ]


def written(one: Encoded) -> tuple[bytes, ...]:
    columns = (one.ids, one.labels, one.positions, one.exits, one.weights)
    return tuple(column.astype(column.dtype).tobytes() for column in columns)


@pytest.mark.parametrize("seed", range(20))
def test_packing_loses_no_token_and_changes_none(seed: int) -> None:
    dice = Random(seed)
    block = dice.randint(5, 60)
    given = [piece(dice.randint(1, block), 1000 * at) for at in range(dice.randint(1, 80))]
    packed = pack(given, block)
    assert all(0 < len(row) <= block for row in packed)
    found = sorted(written(one) for row in packed for one in pieces_of(row))
    assert found == sorted(map(written, given))


def test_trees_keep_their_branches_in_a_row(small: Vocabulary) -> None:
    given = [encode(one, small) for one in forest(Random(0), 12)]
    block = 2 * max(map(len, given))
    packed = pack(given, block)
    found = sorted(written(one) for row in packed for one in pieces_of(row))
    assert found == sorted(map(written, given))


def test_rows_are_nearly_full() -> None:
    dice = Random(7)
    given = [piece(dice.randint(10, 700)) for _ in range(400)]
    assert fill(pack(given, 1024), 1024) > 0.97
    assert fill([], 1024) == 0.0


def test_no_two_rows_would_fit_one() -> None:
    dice = Random(8)
    sizes = sorted(len(row) for row in pack([piece(dice.randint(1, 40)) for _ in range(99)], 64))
    assert sizes[0] + sizes[1] > 64


def test_the_same_pieces_make_the_same_rows() -> None:
    dice = Random(9)
    given = [piece(dice.randint(1, 30), 100 * at) for at in range(60)]
    assert list(map(written, pack(given, 64))) == list(map(written, pack(given, 64)))


def test_exits_are_shifted() -> None:
    row = joined([piece(3), piece(2)])
    assert row.exits.tolist() == [3, 3, 3, 5, 5]
    assert row.positions.tolist() == [0, 1, 2, 0, 1]


def test_what_does_not_fit_is_a_fault_of_the_caller() -> None:
    with pytest.raises(AssertionError, match="do not fit"):
        pack([piece(9)], 8)


def test_nothing_packs_to_nothing() -> None:
    assert pack([], 8) == []
