"""The training data, from a file or a data set to batches; and a look at them:

python -m train.data show --tokenizer T --dataset D [--limit N]
python -m train.data stats --tokenizer T --dataset D
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset

from starchat_tui.template import IGNORED
from starchat_tui.vocabulary import Vocabulary
from train import masks, oasst, reading
from train.encoding import Weights, encode_all
from train.errors import DataError
from train.packing import Row, pack
from train.schemas import Filters, Refused, dialogue, schema_of
from train.trees import Tree, merged, trimmed

UNTAUGHT = "no assistant turn to learn"
UNKNOWN = "no known schema"


class Refusal(NamedTuple):
    """A row or a message that is not learned from."""

    reason: str
    where: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """Trees to learn from, and everything that was refused."""

    trees: list[Tree]
    refused: list[Refusal]
    whole: list[Tree]
    """The same before useless tails were cut and dialogues with a common beginning joined."""
    rows: int
    """Rows read."""

    def reasons(self) -> Counter[str]:
        """How many rows or messages were refused for each reason."""
        return Counter(one.reason for one in self.refused)


def load(source: str, *, filters: Filters | None = None, split: str = "train") -> Loaded:
    """The trees of a file, a folder, or `split` of a data set on the Hub, the schema recognised.

    Useless tails are cut, and dialogues that begin with the same message become one tree. Raises
    `DataError` where a row is malformed or nothing is left, and what `reading.rows` raises.
    """
    filters = filters or Filters()
    refused: list[Refusal] = []

    def refuse(reason: str, where: str) -> None:
        refused.append(Refusal(reason, where))

    nested: list[Tree] = []
    alone: list[Tree] = []
    flat: list[reading.Placed] = []
    count = 0
    for where, row in reading.rows(source, split=split):
        count += 1
        schema = schema_of(row)
        if schema is None:
            refuse(UNKNOWN, where)
        elif schema == "oasst message":
            flat.append((where, row))
        elif schema == "oasst tree":
            found = oasst.tree(row, where, filters, refuse)
            nested += [found] if found else []
        else:
            try:
                alone.append(dialogue(row, schema, where, filters))
            except Refused as reason:
                refuse(str(reason), where)
    nested += oasst.trees(flat, filters, refuse)
    trees = [*_taught(nested, refuse), *merged(_taught(alone, refuse))]
    loaded = Loaded(trees, refused, [*nested, *alone], count)
    if not trees:
        raise _nothing(source, loaded)
    return loaded


def _taught(trees: Iterable[Tree], refuse: oasst.Refuse) -> list[Tree]:
    kept = []
    for tree in trees:
        found = trimmed(tree)
        if found is None:
            refuse(UNTAUGHT, tree.where)
        else:
            kept.append(found)
    return kept


def _nothing(source: str, loaded: Loaded) -> DataError:
    if not loaded.rows:
        return DataError(f"`{source}` has no rows", reading.EXPECTED)
    reasons = loaded.reasons()
    if set(reasons) == {UNKNOWN}:
        return DataError(f"No row of `{source}` has a known schema", reading.EXPECTED)
    told = "; ".join(f"{reason}: {count}" for reason, count in reasons.most_common(5))
    return DataError(f"Nothing in `{source}` is left to learn from", f"refused are {told}")


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
