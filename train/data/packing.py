"""Packing of encoded trees into rows of one block, isolated from each other."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence

import numpy as np

from train.data.encode import EncodedTree

PackedRow = EncodedTree
"""A packed row: positions restart and exits end with each tree."""


def pack_rows(encoded: Sequence[EncodedTree], block: int) -> list[PackedRow]:
    """Pack encoded trees into rows [T] with T <= `block`: best fit, the longest first.

    Deterministic. Every token is kept, and each of `encoded` must fit the block
    (`encode.encode_parts`).
    """
    # Longest first wastes the least; ties keep the order of the data, which makes it deterministic.
    order = sorted(range(len(encoded)), key=lambda at: -len(encoded[at]))
    # Sorted by room left, so that bisection finds the tightest fit.
    free: list[tuple[int, int]] = []
    rows: list[list[int]] = []
    for at in order:
        size = len(encoded[at])
        assert 0 < size <= block, f"{size} tokens do not fit a block of {block}"
        found = bisect_left(free, (size, -1))
        if found < len(free):
            room, number = free.pop(found)
        else:
            room, number = block, len(rows)
            rows.append([])
        rows[number].append(at)
        insort(free, (room - size, number))
    return [concatenate_trees([encoded[at] for at in sorted(row)]) for row in rows]


def concatenate_trees(parts: Sequence[EncodedTree]) -> PackedRow:
    """Concatenate encoded trees into one row, shifting their exits."""
    starts = np.cumsum([0, *(len(part) for part in parts[:-1])], dtype=np.int32)
    exits = [part.exits + start for part, start in zip(parts, starts, strict=True)]
    return PackedRow(
        np.concatenate([part.ids for part in parts]),
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.positions for part in parts]),
        np.concatenate(exits).astype(np.int32),
        np.concatenate([part.weights for part in parts]),
    )


def fill_ratio(rows: Sequence[PackedRow], block: int) -> float:
    """Return the share of the rows' capacity that holds tokens."""
    return sum(map(len, rows)) / (block * len(rows)) if rows else 0.0
