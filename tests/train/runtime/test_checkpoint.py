"""Checkpoints: complete ones are found, incomplete ones are named."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from starchat_tui.errors import ConfigError
from tests.train.small_run import write_checkpoint
from train.runtime import checkpoint
from train.train_errors import IncompleteCheckpoint


def test_the_newest_complete_checkpoint_is_found(tmp_path: Path) -> None:
    for step in (5, 10, 20):
        write_checkpoint(tmp_path, step)
    found, incomplete = checkpoint.find_newest_complete(tmp_path)
    assert (found.step, incomplete) == (20, [])
    checkpoint.keep_newest(tmp_path, 2)
    assert [path.name for path in checkpoint.list_checkpoints(tmp_path)] == [
        "checkpoint-20",
        "checkpoint-10",
    ]


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda f: os.truncate(f / "deep" / "optimizer", 1500), r"1,500 of 3,000 bytes"),
        (lambda f: (f / "weights").unlink(), r"weights.*missing"),
        (lambda f: (f / checkpoint.SEAL).unlink(), "is unfinished"),
        (lambda f: os.truncate(f / checkpoint.SEAL, 20), "damaged"),
        (lambda f: (f / checkpoint.SEAL).write_text("[]"), "damaged"),
    ],
)
def test_an_incomplete_checkpoint_is_skipped_and_named(
    tmp_path: Path, harm: Any, message: str
) -> None:
    write_checkpoint(tmp_path, 10)
    harm(write_checkpoint(tmp_path, 20))
    found, incomplete = checkpoint.find_newest_complete(tmp_path)
    assert found.step == 10
    with pytest.raises(IncompleteCheckpoint, match=message):
        raise incomplete[0]
    checkpoint.keep_newest(tmp_path, 1)
    assert (tmp_path / "checkpoint-10").exists(), "the incomplete one does not count"


def test_without_a_complete_checkpoint_there_is_nothing_to_resume(tmp_path: Path) -> None:
    os.truncate(write_checkpoint(tmp_path, 10) / "weights", 1)
    with pytest.raises(IncompleteCheckpoint, match="No checkpoint") as caught:
        checkpoint.find_newest_complete(tmp_path)
    assert caught.value.exit_code == 65
    with pytest.raises(ConfigError, match="no checkpoint to resume from"):
        checkpoint.find_newest_complete(tmp_path / "other")
