"""`starchat doctor` as a process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


def run_starchat(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "starchat_tui", *words], capture_output=True, text=True, check=False
    )


@pytest.mark.slow
@pytest.mark.bwrap
def test_all_checks_on_this_machine() -> None:
    ran = run_starchat("doctor", "--json")
    document = json.loads(ran.stdout)
    about = [found["about"] for found in document["findings"]]
    assert {"versions", "sandbox", "terminal", "clipboard", "engine", "model"} <= set(about)
    assert {"tokenizer", "memory", "data", "device", "images"} <= set(about)
    assert ran.returncode == (0 if document["ok"] else 1)
    assert document["ok"], document
    assert ran.stderr == ""


@pytest.mark.slow
def test_problem_is_reported_and_sets_the_exit_code(empty_home: Path) -> None:
    ran = run_starchat("doctor", "--model", "nano-chatt")
    assert ran.returncode == 1
    assert "To fix: model, tokenizer." in ran.stdout
    assert "did you mean `nano-chat`?" in ran.stdout
    assert "\x1b" not in ran.stdout
    assert len(ran.stdout.splitlines()) < 40
    assert max(len(line) for line in ran.stdout.splitlines()) <= 140
