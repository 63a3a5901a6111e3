"""Switch of a root host to nobody, with the private folders that nobody needs to enter."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from starchat_tui.sandbox.isolation import drop_privileges
from starchat_tui.sandbox.isolation.bubblewrap import NOBODY

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become nobody")


def run(covers: dict[str, list[str]], *command: str) -> subprocess.CompletedProcess[str]:
    plan = os.memfd_create("plan")
    os.write(plan, json.dumps({"user": NOBODY, "private_folders": covers}).encode())
    os.lseek(plan, 0, os.SEEK_SET)
    try:
        return subprocess.run(
            [sys.executable, "-I", "-S", drop_privileges.__file__, str(plan), *command],
            pass_fds=[plan],
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        os.close(plan)


@pytest.fixture
def private_folder(empty_home: Path) -> Path:
    """Private folder of root with paths that have to be readable, and a secret beside them."""
    empty_home.chmod(0o755)
    folder = empty_home / "private_folder"
    (folder / "deep" / "python").mkdir(parents=True)
    (folder / "deep" / "python" / "library").write_text("library")
    (folder / "deep" / "file").write_text("file")
    (folder / "secret").write_text("secret")
    folder.chmod(0o700)
    return folder


def test_nobody_has_no_group_and_no_capability() -> None:
    result = run({}, "/bin/sh", "-c", "id; grep CapEff /proc/self/status").stdout
    assert f"uid={NOBODY}" in result
    assert f"gid={NOBODY}" in result
    assert "groups=0" not in result
    assert result.split()[-1] == "0" * 16


def test_nobody_cannot_enter_a_private_folder(private_folder: Path) -> None:
    result = run({}, "/bin/cat", str(private_folder / "deep/python/library"))
    assert result.returncode != 0
    assert "Permission denied" in result.stderr


def test_only_the_paths_that_are_needed_become_readable(private_folder: Path) -> None:
    needed = [str(private_folder / "deep/python"), str(private_folder / "deep/file")]
    covers = {str(private_folder): needed}
    wanted = [str(private_folder / "deep/python/library"), str(private_folder / "deep/file")]
    assert run(covers, "/bin/cat", *wanted).stdout == "libraryfile"
    assert "No such file" in run(covers, "/bin/cat", str(private_folder / "secret")).stderr
    assert (
        "denied" in run(covers, "/bin/sh", "-c", f"echo x > {private_folder}/deep/python/x").stderr
    )


def test_nothing_changes_for_the_rest_of_the_machine(private_folder: Path) -> None:
    run({str(private_folder): [str(private_folder / "deep/python")]}, "/bin/true")
    assert (private_folder / "secret").read_text() == "secret"
    assert str(private_folder) not in Path("/proc/self/mountinfo").read_text()


def test_a_folder_that_cannot_be_covered_is_an_error(private_folder: Path) -> None:
    result = run({str(private_folder / "deep/file"): []}, "/bin/echo", "ran")
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.startswith("drop_privileges: mount on ")
