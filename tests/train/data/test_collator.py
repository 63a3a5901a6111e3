"""Batches of packed_rows rows."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch

from starchat_tui.templates.template import IGNORE_INDEX
from train.data.collator import Collator
from train.data.packing import PackedRow
from train.data.rows import RowDataset
from train.modeling.masks import build_dense_mask


def test_rows_and_collator_can_be_pickled(packed_rows: list[PackedRow]) -> None:
    again = pickle.loads(pickle.dumps(RowDataset(packed_rows)))
    collate = pickle.loads(pickle.dumps(Collator(600, 0)))
    assert len(again) == len(packed_rows)
    for name, column in Collator(600, 0)(packed_rows).items():
        assert column.equal(collate([again[at] for at in range(len(again))])[name])


def test_a_batch_has_the_arguments_of_a_model(packed_rows: list[PackedRow]) -> None:
    batch = Collator(600, 7)(packed_rows[:3])
    longest = max(map(len, packed_rows[:3]))
    shapes = {name: tuple(column.shape) for name, column in batch.items()}
    assert shapes == {
        "input_ids": (3, longest),
        "labels": (3, longest),
        "position_ids": (3, longest),
        "weights": (3, longest),
        "attention_mask": (3, 1, longest, longest),
    }
    assert batch["attention_mask"].dtype == torch.bool
    assert batch["input_ids"].dtype == batch["labels"].dtype == torch.int64
    for row, ids, labels in zip(packed_rows, batch["input_ids"], batch["labels"], strict=False):
        size = len(row)
        assert np.array_equal(ids[:size].numpy(), row.ids)
        assert (ids[size:] == 7).all()
        assert (labels[size:] == IGNORE_INDEX).all()


def test_padding_attends_only_to_itself(packed_rows: list[PackedRow]) -> None:
    batch = Collator(600, 0, fixed=True)(packed_rows[:2])
    for row, mask in zip(packed_rows, batch["attention_mask"], strict=False):
        size = len(row)
        assert mask.shape == (1, 600, 600)
        assert mask[0, size:].equal(torch.eye(600, dtype=torch.bool)[size:])
        assert not mask[0, :size, size:].any()


def test_exits_describe_the_mask(packed_rows: list[PackedRow]) -> None:
    dense = Collator(600, 0)(packed_rows)["attention_mask"]
    bare = Collator(600, 0, form="exits")(packed_rows)
    assert "attention_mask" not in bare
    assert build_dense_mask(bare["exits"]).equal(dense)


def test_a_row_beyond_the_block_fails_an_assertion(packed_rows: list[PackedRow]) -> None:
    with pytest.raises(AssertionError, match="in a block of 8"):
        Collator(8, 0)(packed_rows[:1])
