"""Packed rows: the examples of a data loader."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from torch.utils.data import Dataset

from starchat_tui.templates.tokenizer import Tokenizer
from train.data.encode import Weights, encode_all
from train.data.packing import PackedRow, pack_rows
from train.data.trees import Tree
from train.train_errors import DataError


@dataclass(frozen=True, slots=True)
class PackedDataset:
    """The rows of one epoch."""

    rows: list[PackedRow]
    cut: int
    """Tokens dropped because no block had room for them."""
    lost: tuple[str, ...]
    """Locations of trees of which nothing fits the block."""


def pack_trees(
    trees: Iterable[Tree],
    tokenizer: Tokenizer,
    *,
    block: int,
    weights: Weights = "leaves",
    alone: bool = False,
) -> PackedDataset:
    """Pack trees into rows of at most `block` tokens; raises `DataError` if none fits.

    Args:
        trees: Trees to pack.
        tokenizer: Tokenizer with the four control tokens.
        block: Most tokens of a row.
        weights: Objective, `leaves` or `once`.
        alone: Pack each dialogue separately instead of as trees.
    """
    parts = encode_all(trees, tokenizer, block=block, weights=weights, alone=alone)
    if not parts.encoded:
        raise DataError(
            f"No answer fits a block of {block} tokens", "use a longer block, or other data"
        )
    return PackedDataset(pack_rows(parts.encoded, block), parts.cut, parts.lost)


class RowDataset(Dataset[PackedRow]):
    """Packed rows for a `DataLoader`, whose seeded sampler orders them."""

    def __init__(self, rows: Sequence[PackedRow]) -> None:
        self._rows = list(rows)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._rows)

    def __getitem__(self, index: int) -> PackedRow:
        """Return row `index`."""
        return self._rows[index]
