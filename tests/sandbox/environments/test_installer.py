"""Installation: its progress, and a sentence for each way in which it fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from starchat_tui.errors import Unavailable
from starchat_tui.sandbox.environments.installer import Installation, InstallProgress
from starchat_tui.sandbox.environments.known import RECIPES

FAILURES = {
    "OSError: [Errno 28] No space left on device": ("the disk is full", "MB free"),
    "not created successfully because ensurepip is not available.": (
        "has no `venv` module",
        "python3.11-venv",
    ),
    "error: Permission denied (os error 13)": ("cannot be written", "STARCHAT_ENVIRONMENTS"),
    "error: Request failed after 3 retries: dns error": ("cannot be reached", "PIP_INDEX_URL"),
    "Retrying: NewConnectionError(Network is unreachable)": ("cannot be reached", "env create"),
    "ERROR: No matching distribution found for numpy==1.23.5": ("no fitting version", "2023.log"),
    "Segmentation fault": ("the installation failed", "2023.log"),
}


@pytest.mark.parametrize("output", FAILURES)
def test_every_failure_has_a_sentence_and_a_remedy(output: str, tmp_path: Path) -> None:
    program = tmp_path / "bin" / "uv"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ncat <<'END' >&2\n{output}\nEND\nexit 1\n")
    program.chmod(0o755)
    work = Installation(
        RECIPES["2023"],
        Path("/usr/bin/python3.11"),
        (3, 11),
        tmp_path / "new",
        tmp_path / "2023.log",
        {"PATH": f"{program.parent}:/usr/bin:/bin"},
        lambda _: None,
        lambda: False,
    )
    message, hint = FAILURES[output]
    with pytest.raises(Unavailable, match="The environment 2023 could not be created") as told:
        work.run()
    assert message in told.value.message
    assert hint in told.value.hint


def test_the_progress_of_pip_counts_packages() -> None:
    progress = InstallProgress(3)
    assert progress.feed("Collecting numpy==1 (from -r x)\n") == "downloading package 1 of 3"
    assert progress.feed("  Downloading numpy-1-py3.whl (1 MB)\n") == ""
    assert progress.feed("Collecting six==1\n  x\nCollecting a==1\n").endswith("3 of 3")
    assert progress.feed("Installing collected packages: a, numpy\n") == "installing"


def test_the_progress_of_uv_names_large_packages() -> None:
    progress = InstallProgress(60)
    assert progress.feed("Downloading scipy (35.1MiB)\n Downloaded scipy\n") == "downloading scipy"
    assert progress.feed("Prepared 60 packages in 2s\n") == "installing"
    assert progress.feed("Installed 60 packages in 1s\n") == "compiling"
