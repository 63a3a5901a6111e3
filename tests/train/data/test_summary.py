"""Statistics of a dataset."""

from __future__ import annotations

from pathlib import Path

import pytest

from starchat_tui.templates.tokenizer import Tokenizer
from tests.train.random_trees import write_jsonl
from train.data.encode import count_tokens
from train.data.load import LoadedTrees, load_trees
from train.data.summary import NAMED_ROWS, count_messages, measure_tokens


@pytest.fixture
def dataset(tmp_path: Path) -> LoadedTrees:
    rows = [{"prompt": "question", "completion": f"answer {number}"} for number in range(3)]
    empty = [{"prompt": "question", "completion": ""}] * (NAMED_ROWS + 2)
    return load_trees(write_jsonl(tmp_path / "a.jsonl", *rows, *empty))


def test_messages_are_counted(dataset: LoadedTrees) -> None:
    found = count_messages(dataset, every=False)
    assert (found["trees"], found["dialogues"]) == (1, 3)
    assert (found["messages"], found["messages_learned"]) == (4, 3)
    (refused,) = found["refused"].values()
    assert (refused["count"], len(refused["where"])) == (NAMED_ROWS + 2, NAMED_ROWS)
    (refused,) = count_messages(dataset, every=True)["refused"].values()
    assert len(refused["where"]) == NAMED_ROWS + 2


def test_trees_save_the_tokens_that_dialogues_share(dataset: LoadedTrees, small: Tokenizer) -> None:
    found = measure_tokens(dataset, small, block=256, weights="leaves", alone=False)
    together, separate = count_tokens(dataset.trees[0], small)
    assert (found["tokens"], found["tokens_alone"], found["tokens_given"]) == (
        (together, separate, separate)
    )
    assert found["saved_by_trees"] == pytest.approx(1 - together / separate, abs=1e-4)
    assert (found["rows_packed"], found["tokens_packed"]) == (1, together)
    alone = measure_tokens(dataset, small, block=256, weights="leaves", alone=True)
    assert alone["tokens_packed"] == separate


def test_a_short_block_drops_tokens_and_trees(dataset: LoadedTrees, small: Tokenizer) -> None:
    together = count_tokens(dataset.trees[0], small)[0]
    found = measure_tokens(dataset, small, block=together - 1, weights="once", alone=False)
    assert found["rows_packed"] > 1
    assert found["trees_lost"] == []
