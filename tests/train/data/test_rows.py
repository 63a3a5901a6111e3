"""Packed rows and their order."""

from __future__ import annotations

import pytest
import torch
from torch.utils.data import DataLoader, RandomSampler

from starchat_tui.templates.tokenizer import Tokenizer
from train.data.collator import Collator
from train.data.packing import PackedRow
from train.data.rows import RowDataset, pack_trees
from train.data.trees import Message, Tree, build_tree, chain_messages
from train.train_errors import DataError


def test_packing_reports_what_was_dropped(small: Tokenizer) -> None:
    long = chain_messages([Message("user", "long " * 99), Message("assistant", "a")], where="f:9")
    short = build_tree([Message("user", "q"), Message("assistant", "a " * 99, 0)])
    found = pack_trees([long, short], small, block=64)
    assert found.lost == ("f:9",)
    assert found.cut > 99
    assert [len(row) for row in found.rows] == [64]


def test_a_block_that_fits_nothing_is_an_error(small: Tokenizer) -> None:
    made: list[Tree] = [chain_messages([Message("user", "long " * 99), Message("assistant", "a")])]
    with pytest.raises(DataError, match="block of 64"):
        pack_trees(made, small, block=64)


def test_the_order_is_that_of_the_seed(packed_rows: list[PackedRow]) -> None:
    def order(seed: int) -> list[list[int]]:
        sampler = RandomSampler(
            RowDataset(packed_rows), generator=torch.Generator().manual_seed(seed)
        )
        loader = DataLoader(
            RowDataset(packed_rows), batch_size=2, sampler=sampler, collate_fn=Collator(600, 0)
        )
        return [batch["input_ids"].flatten().tolist() for batch in loader]

    assert order(1) == order(1)
    assert order(1) != order(2)
