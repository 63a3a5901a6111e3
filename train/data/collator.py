"""Batches of packed rows as keyword arguments of a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from starchat_tui.templates.template import IGNORE_INDEX
from train.data.packing import PackedRow
from train.modeling import masks


@dataclass(frozen=True, slots=True)
class Collator:
    """Collator of rows into model inputs, with a mask (or exits) that isolates trees.

    For transformers' `Trainer` with `remove_unused_columns=False`. `weights` [B, T] are for the
    loss (`loss_head.LossHead`) and not arguments of the model, and neither are `exits`.
    """

    block: int
    """Longest row; with `fixed`, the length of every row."""
    pad_id: int
    """Padding id; any will do, since nothing attends to it or learns it."""
    form: masks.MaskForm = "dense"
    """`dense` makes `attention_mask`, for sdpa; `exits` keeps exits for
    `masks.build_block_mask`.
    """
    fixed: bool = False
    """Pad to the block instead of the longest row, so that compiled kernels see one shape."""

    def __call__(self, rows: Sequence[PackedRow]) -> dict[str, torch.Tensor]:
        """Return input_ids, labels, position_ids, weights [B, T], and attention_mask or exits."""
        length = self.block if self.fixed else max(map(len, rows))
        assert length <= self.block, f"a row of {length} tokens in a block of {self.block}"
        # Padding attends to itself: a mask row without any True would be NaN after softmax.
        exits = _stack_columns([row.exits for row in rows], length, None)
        batch = {
            "input_ids": _stack_columns([row.ids for row in rows], length, self.pad_id),
            "labels": _stack_columns([row.labels for row in rows], length, IGNORE_INDEX),
            "position_ids": _stack_columns([row.positions for row in rows], length, 0),
            "weights": _stack_columns([row.weights for row in rows], length, 0),
        }
        if self.form == "exits":
            return {**batch, "exits": exits}
        return {**batch, "attention_mask": masks.build_dense_mask(exits)}


def _stack_columns(columns: Sequence[np.ndarray], length: int, filler: int | None) -> torch.Tensor:
    """Return columns padded to [B, T].

    Args:
        columns: One array [<= T] per row.
        length: T.
        filler: Padding value; None for exits, where a padding token attends only to itself.
    """
    kind = torch.float32 if columns[0].dtype == np.float32 else torch.int64
    ends = torch.arange(1, length + 1)
    stacked = ends.repeat(len(columns), 1) if filler is None else ends.new_full((1, 1), filler)
    stacked = stacked.expand(len(columns), length).to(kind).clone()
    for row, column in zip(stacked, columns, strict=True):
        row[: len(column)] = torch.from_numpy(column)
    return stacked
