"""Packed rows, and the batches that a model takes."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
import torch
from torch.utils.data import Dataset

from starchat_tui.templates.template import IGNORED
from starchat_tui.templates.tokenizer import Vocabulary
from train.data.encode import Weights, encode_all
from train.data.packing import Row, pack
from train.data.trees import Tree
from train.modeling import masks
from train.train_errors import DataError

SHIFTED = 0.5
"""The share of rows that `shifted` moves; the others begin where a conversation does."""


@dataclass(frozen=True, slots=True)
class Packed:
    """What one epoch reads."""

    rows: list[Row]
    cut: int
    """Tokens that no block had room for."""
    lost: tuple[str, ...]
    """Where the trees stand of which nothing fits the block."""


def rows(
    trees: Iterable[Tree],
    vocabulary: Vocabulary,
    *,
    block: int,
    weights: Weights = "leaves",
    alone: bool = False,
) -> Packed:
    """Trees packed in rows of at most `block` tokens; `alone`, each dialogue by itself.

    Raises `DataError` where nothing fits the block.
    """
    parts = encode_all(trees, vocabulary, block=block, weights=weights, alone=alone)
    if not parts.encoded:
        raise DataError(
            f"No answer fits a block of {block} tokens", "choose a longer block, or other data"
        )
    return Packed(pack(parts.encoded, block), parts.cut, parts.lost)


class Rows(Dataset[Row]):
    """Packed rows for a `DataLoader`, whose sampler puts them in the order of its seed."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = list(rows)

    def __len__(self) -> int:
        """The number of rows."""
        return len(self._rows)

    def __getitem__(self, index: int) -> Row:
        """Row `index`."""
        return self._rows[index]


@dataclass(frozen=True, slots=True)
class Collator:
    """Rows to the arguments of a model, with `exits` or a mask that keeps trees apart.

    For transformers' `Trainer` with `remove_unused_columns=False`. `weights` [B, T] are for
    `loss.weighted` and have to be taken out before the model is called, and so have `exits`.
    """

    block: int
    """The longest row; what rows are filled up to where `fixed`."""
    pad_id: int
    """Any id: nothing attends it and nothing is learned from it."""
    form: masks.Form = "dense"
    """`dense` makes `attention_mask`, for sdpa; `exits` leaves them for `flex_block_mask`."""
    fixed: bool = False
    """Fill rows up to the block, as compiled kernels like it, and not to the longest of a batch."""

    def __call__(self, rows: Sequence[Row]) -> dict[str, torch.Tensor]:
        """input_ids, labels, position_ids, weights [B, T], and attention_mask or exits."""
        length = self.block if self.fixed else max(map(len, rows))
        assert length <= self.block, f"a row of {length} tokens in a block of {self.block}"
        exits = _stacked([row.exits for row in rows], length, None)
        batch = {
            "input_ids": _stacked([row.ids for row in rows], length, self.pad_id),
            "labels": _stacked([row.labels for row in rows], length, IGNORED),
            "position_ids": _stacked([row.positions for row in rows], length, 0),
            "weights": _stacked([row.weights for row in rows], length, 0),
        }
        if self.form == "exits":
            return {**batch, "exits": exits}
        return {**batch, "attention_mask": masks.attention_4d(exits)}


def _stacked(columns: Sequence[np.ndarray], length: int, filler: int | None) -> torch.Tensor:
    """The columns [B, T], filled up; None: a token that only itself attends, as its exit."""
    kind = torch.float32 if columns[0].dtype == np.float32 else torch.int64
    own = torch.arange(1, length + 1)
    made = own.repeat(len(columns), 1) if filler is None else own.new_full((1, 1), filler)
    made = made.expand(len(columns), length).to(kind).clone()
    for row, column in zip(made, columns, strict=True):
        row[: len(column)] = torch.from_numpy(column)
    return made


def shifted(
    batch: Mapping[str, torch.Tensor], *, window: int, seed: int, share: float = SHIFTED
) -> torch.Tensor:
    """The positions [B, T] of a batch, a `share` of its rows moved to a random place of `window`.

    So rows that are much shorter than the window train every one of its learned positions (Kiyono
    et al., SHAPE: Shifted Absolute Position Embedding, 2021). Where a row goes depends on what it
    teaches and on `seed`, and not on its neighbours: neither on the batch nor on the process.
    """
    positions = batch["position_ids"]
    room = window - 1 - positions.amax(1)
    moves = []
    for labels, most in zip(batch["labels"].cpu().numpy(), room.tolist(), strict=True):
        dice = Random(zlib.crc32(labels[labels != IGNORED].tobytes()) + (seed << 32))
        moves.append(dice.randint(0, max(most, 0)) if dice.random() < share else 0)
    return positions + torch.tensor(moves, device=positions.device)[:, None]
