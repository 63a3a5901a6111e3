from __future__ import annotations

from pathlib import Path

import pytest

from starchat_tui.templates.tokenizer import Vocabulary
from tests.train.forest import jsonl
from train.config import Config
from train.data.dataset import SEEN, Lessons, read
from train.modeling.vocabulary import Grown
from train.train_errors import DataError


def lessons(vocabulary: Vocabulary, train: str, test: str) -> Lessons:
    config = Config(dataset=(train,), eval_dataset=(test,), block=64)
    return read(config, Grown(vocabulary, Path(), len(vocabulary)), window=64, step=1)


def test_what_is_measured_begins_as_nothing_that_is_learned(
    tmp_path: Path, small: Vocabulary
) -> None:
    train = jsonl(tmp_path / "train.jsonl", {"prompt": "Same?", "completion": "a"})
    other = {"prompt": "other", "completion": "c"}
    test = jsonl(tmp_path / "test.jsonl", {"prompt": "same ?", "completion": "b"}, other)
    found = lessons(small, train, test)
    assert (found.trees, found.held_out_trees) == (1, 1)
    assert found.refused == {SEEN: 1}


def test_nothing_else_to_measure_on_is_told(tmp_path: Path, small: Vocabulary) -> None:
    train = jsonl(tmp_path / "train.jsonl", {"prompt": "q", "completion": "a"})
    with pytest.raises(DataError, match="eval_dataset") as caught:
        lessons(small, train, train)
    assert "eval_share" in caught.value.hint
