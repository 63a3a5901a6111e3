"""Every stage of the pipeline at its smallest size."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from starchat_tui.templates.tokenizer import find_tokenizer_file

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
def test_every_stage_runs_at_the_smoke_size(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "train.demo", "--smoke", "--build", str(tmp_path)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    first = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=300
    )
    again = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=300
    )
    assert again.stdout == first.stdout
    assert "making" not in again.stderr
    weights = Path(first.stdout.strip())
    assert {path.name for path in weights.iterdir()} == {
        "facts.json",
        "nano-base",
        "nano-chat",
        "tokenizer.json",
    }
    assert find_tokenizer_file(weights / "nano-chat") == weights / "tokenizer.json"
    assert {file.name for file in (weights / "nano-chat").iterdir()} >= {
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer_config.json",
        "README.md",
        "scores.json",
    }
