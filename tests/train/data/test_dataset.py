from __future__ import annotations

from pathlib import Path

import pytest

from starchat_tui.templates.tokenizer import Tokenizer
from tests.train.random_trees import write_jsonl
from train.config import Config
from train.data.dataset import OVERLAP, TrainingData, prepare_data
from train.train_errors import DataError


def lessons(tokenizer: Tokenizer, train: str, test: str) -> TrainingData:
    config = Config(dataset=(train,), eval_dataset=(test,), block=64)
    return prepare_data(config, tokenizer, window=64, step=1)


def test_held_out_dialogues_begin_unlike_training(tmp_path: Path, small: Tokenizer) -> None:
    train = write_jsonl(tmp_path / "train.jsonl", {"prompt": "Same?", "completion": "a"})
    other = {"prompt": "other", "completion": "c"}
    test = write_jsonl(tmp_path / "test.jsonl", {"prompt": "same ?", "completion": "b"}, other)
    found = lessons(small, train, test)
    assert (found.trees, found.held_out_trees) == (1, 1)
    assert found.refused == {OVERLAP: 1}


def test_an_evaluation_set_within_training_is_an_error(tmp_path: Path, small: Tokenizer) -> None:
    train = write_jsonl(tmp_path / "train.jsonl", {"prompt": "q", "completion": "a"})
    with pytest.raises(DataError, match="eval_dataset") as caught:
        lessons(small, train, train)
    assert "eval_share" in caught.value.hint
