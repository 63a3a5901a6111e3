"""Fixtures of the training tests: a small base model, and packed_rows rows."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from starchat_tui.templates.tokenizer import Tokenizer
from tests.train.random_trees import generate_trees
from tests.train.small_run import save_base
from train.data.packing import PackedRow
from train.data.rows import pack_trees
from train.data.trees import trim_tree


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_base(tmp_path_factory.mktemp("base"))


@pytest.fixture
def packed_rows(small: Tokenizer) -> list[PackedRow]:
    trees = [cut for one in generate_trees(Random(0), 30) if (cut := trim_tree(one))]
    return pack_trees(trees, small, block=600).rows
