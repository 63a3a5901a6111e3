"""Random position offsets that let short rows train a long window."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from random import Random

import torch

from starchat_tui.templates.template import IGNORE_INDEX

SHIFTED_SHARE = 0.5
"""Share of rows that `shift_positions` moves; the others begin at 0, as a conversation does."""


def shift_positions(
    batch: Mapping[str, torch.Tensor], *, window: int, seed: int, share: float = SHIFTED_SHARE
) -> torch.Tensor:
    """Return the positions [B, T] of a batch, a `share` of its rows moved within `window`.

    Rows much shorter than the window then train all of its learned positions (Kiyono et al., SHAPE:
    Shifted Absolute Position Embedding for Transformers, 2021).

    Args:
        batch: `position_ids` and `labels` [B, T].
        window: Positions that the model has.
        seed: Seed of the step; with the row's labels it determines the offset.
        share: Share of the rows that are moved.
    """
    positions = batch["position_ids"]
    room = window - 1 - positions.amax(1)
    moves = []
    for labels, most in zip(batch["labels"].cpu().numpy(), room.tolist(), strict=True):
        # Seeded by what the row teaches: the offset depends on neither its neighbours in the batch
        # nor the process, so runs are comparable however rows are distributed.
        rng = Random(zlib.crc32(labels[labels != IGNORE_INDEX].tobytes()) + (seed << 32))
        moves.append(rng.randint(0, max(most, 0)) if rng.random() < share else 0)
    return positions + torch.tensor(moves, device=positions.device)[:, None]
