"""Atomic writes: a file or folder is complete or absent, also on a full disk."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sample_tokenizers import ROOT
from tests.train.small_run import small_disk_command
from train import atomic_files


def test_a_folder_is_replaced_atomically(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    for text in ("old", "new"):
        with atomic_files.replace_folder(folder) as part:
            (part / "a").write_text(text)
            assert not folder.exists() or (folder / "a").read_text() == "old"
    assert (folder / "a").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_an_unfinished_folder_leaves_the_old_one(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    with atomic_files.replace_folder(folder) as part:
        (part / "a").write_text("old")
    with pytest.raises(KeyError):
        fail_half_written(folder)
    assert (folder / "a").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def fail_half_written(folder: Path) -> None:
    with atomic_files.replace_folder(folder) as part:
        (part / "a").write_text("half")
        raise KeyError


FULL_DISK = """
import sys
from pathlib import Path
import torch
from safetensors.torch import save_file
from train import atomic_files
from train.train_errors import SaveError

here = Path(sys.argv[1])
with atomic_files.replace_folder(here / "model") as part:
    (part / "a").write_text("old")
big = torch.zeros(3_000_000)
for save in (
    lambda path: torch.save(big, path),
    lambda path: save_file({"big": big}, path),
    lambda path: path.write_bytes(bytes(12_000_000)),
):
    try:
        with atomic_files.replace_folder(here / "model") as part:
            save(part / "b")
    except SaveError as error:
        print(error.exit_code, error.message)
    assert [path.name for path in here.iterdir()] == ["model"], list(here.iterdir())
    assert (here / "model" / "a").read_text() == "old"
"""


@pytest.mark.bwrap
def test_a_full_disk_leaves_the_old_folder(tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()
    ran = subprocess.run(
        small_disk_command(8, folder, sys.executable, "-c", FULL_DISK, str(folder)),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == [f"73 No space left on the disk of `{folder}`"] * 3
