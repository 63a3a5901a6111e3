"""Encoded trees and dialogues put together in rows of one block, none seeing another."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence

import numpy as np

from train.data.encode import Encoded

Row = Encoded
"""A packed row: positions begin anew and exits end with each tree in it."""


def pack(encoded: Sequence[Encoded], block: int) -> list[Row]:
    """Rows [T] with T <= `block` that hold every token once; best fit, the longest first.

    The same input gives the same rows. Each of `encoded` must fit the block
    (`encoding.encode_parts`).
    """
    order = sorted(range(len(encoded)), key=lambda at: -len(encoded[at]))
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
    return [joined([encoded[at] for at in sorted(row)]) for row in rows]


def joined(parts: Sequence[Encoded]) -> Row:
    """Several encoded trees one behind the other, their exits shifted."""
    starts = np.cumsum([0, *(len(part) for part in parts[:-1])], dtype=np.int32)
    exits = [part.exits + start for part, start in zip(parts, starts, strict=True)]
    return Row(
        np.concatenate([part.ids for part in parts]),
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.positions for part in parts]),
        np.concatenate(exits).astype(np.int32),
        np.concatenate([part.weights for part in parts]),
    )


def fill(rows: Sequence[Row], block: int) -> float:
    """The share of the rows' room that holds tokens."""
    return sum(map(len, rows)) / (block * len(rows)) if rows else 0.0
