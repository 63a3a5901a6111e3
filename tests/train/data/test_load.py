"""Training trees of any source, and the rows that are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.train.random_trees import write_jsonl
from train.data.load import NOTHING_LEARNED, UNKNOWN_SCHEMA, load_trees
from train.train_errors import DataError


def build_row(question: str, answer: str) -> dict[str, Any]:
    return {"prompt": question, "completion": answer}


def test_dialogues_with_one_beginning_become_a_tree(tmp_path: Path) -> None:
    rows = [build_row("q", "a"), build_row("p", "c"), build_row("q", "b")]
    loaded = load_trees(write_jsonl(tmp_path / "a.jsonl", *rows))
    texts = [[message.text for message in tree.messages] for tree in loaded.trees]
    assert texts == [["q", "a", "b"], ["p", "c"]]
    assert (loaded.rows, len(loaded.untrimmed)) == (3, 3)


def test_refusals_have_a_reason_and_a_location(tmp_path: Path) -> None:
    question = {"messages": [{"role": "user", "content": "alone"}]}
    source = write_jsonl(tmp_path / "a.jsonl", build_row("q", "a"), question, {"other": 1})
    loaded = load_trees(source)
    assert set(loaded.refused) == {
        (UNKNOWN_SCHEMA, f"{source}:3"),
        (NOTHING_LEARNED, f"{source}:2"),
    }
    assert loaded.count_reasons() == {UNKNOWN_SCHEMA: 1, NOTHING_LEARNED: 1}


def test_a_source_without_anything_to_learn_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no rows"):
        load_trees(write_jsonl(tmp_path / "empty.jsonl"))
    with pytest.raises(DataError, match="known schema"):
        load_trees(write_jsonl(tmp_path / "other.jsonl", {"other": 1}))
    with pytest.raises(DataError, match="nothing to learn") as caught:
        load_trees(write_jsonl(tmp_path / "refused.jsonl", build_row("q", "")))
    assert "an empty assistant turn: 1" in caught.value.hint
