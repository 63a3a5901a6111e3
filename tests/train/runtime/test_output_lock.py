"""Lock on the output folder of a run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.sample_tokenizers import ROOT
from train.runtime import output_lock
from train.train_errors import OutputInUse, SaveError


def test_only_one_process_writes_to_a_folder(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from train.runtime import output_lock\n"
        "with output_lock.lock_output(Path(sys.argv[1])):\n"
        "    print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with (
            pytest.raises(OutputInUse, match="another process is training") as caught,
            output_lock.lock_output(tmp_path),
        ):
            pass
        other.communicate()
    assert caught.value.exit_code == 75
    with output_lock.lock_output(tmp_path):
        pass


def test_a_folder_that_cannot_be_created_is_a_typed_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(SaveError, match="is not writable"),
        output_lock.lock_output(tmp_path / "file" / "out"),
    ):
        pass
