"""Files of tensors: whole or not at all, private, and no more than the budget."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from starchat_tui.engine.tensor_files import (
    delete_file,
    get_tensor_path,
    read_tensors,
    write_tensors,
)

TENSORS = {"a": torch.arange(6.0), "b": torch.zeros(2, 3)}
BUDGET = 10**6


def test_tensors_come_back(tmp_path: Path) -> None:
    path = get_tensor_path(tmp_path / "new", "0123456789abcdef" * 4)
    write_tensors(path, TENSORS, budget=BUDGET)
    assert os.listdir(path.parent) == ["0123456789abcdef" * 2 + ".safetensors"]
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    found = read_tensors(path)
    assert found.keys() == TENSORS.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in TENSORS.items())


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff" * 8 + b"{}"])
def test_a_damaged_file_has_no_tensors(tmp_path: Path, content: bytes) -> None:
    path = get_tensor_path(tmp_path, "key")
    assert read_tensors(path) == {}
    path.write_bytes(content)
    assert read_tensors(path) == {}
    delete_file(path)
    delete_file(path)
    assert not path.exists()


def test_the_least_recently_used_are_deleted(tmp_path: Path) -> None:
    paths = {name: get_tensor_path(tmp_path, name) for name in "abcd"}
    for name in "abc":
        write_tensors(paths[name], TENSORS, budget=BUDGET)
        os.utime(paths[name], (ord(name), ord(name)))
    read_tensors(paths["a"])
    write_tensors(paths["d"], TENSORS, budget=3 * paths["a"].stat().st_size)
    assert [name for name, path in paths.items() if path.exists()] == ["a", "c", "d"]


def test_a_file_that_cannot_be_written_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    write_tensors(get_tensor_path(tmp_path / "file", "key"), TENSORS, budget=BUDGET)
    assert os.listdir(tmp_path) == ["file"]
