"""Root's first step: what only root may enter is opened for nobody, in this one process alone."""

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
def closed(empty_home: Path) -> Path:
    """A folder of root's with something that has to be read, and a secret beside it."""
    empty_home.chmod(0o755)
    folder = empty_home / "closed"
    (folder / "deep" / "python").mkdir(parents=True)
    (folder / "deep" / "python" / "library").write_text("library")
    (folder / "deep" / "file").write_text("file")
    (folder / "secret").write_text("secret")
    folder.chmod(0o700)
    return folder


def test_it_becomes_nobody_with_no_group_and_no_capability() -> None:
    told = run({}, "/bin/sh", "-c", "id; grep CapEff /proc/self/status").stdout
    assert f"uid={NOBODY}" in told
    assert f"gid={NOBODY}" in told
    assert "groups=0" not in told
    assert told.split()[-1] == "0" * 16


def test_nobody_cannot_enter_without_it(closed: Path) -> None:
    told = run({}, "/bin/cat", str(closed / "deep/python/library"))
    assert told.returncode != 0
    assert "Permission denied" in told.stderr


def test_just_what_is_needed_is_opened(closed: Path) -> None:
    needed = [str(closed / "deep/python"), str(closed / "deep/file")]
    covers = {str(closed): needed}
    wanted = [str(closed / "deep/python/library"), str(closed / "deep/file")]
    assert run(covers, "/bin/cat", *wanted).stdout == "libraryfile"
    assert "No such file" in run(covers, "/bin/cat", str(closed / "secret")).stderr
    assert "denied" in run(covers, "/bin/sh", "-c", f"echo x > {closed}/deep/python/x").stderr


def test_nothing_changes_for_the_rest_of_the_machine(closed: Path) -> None:
    run({str(closed): [str(closed / "deep/python")]}, "/bin/true")
    assert (closed / "secret").read_text() == "secret"
    assert str(closed) not in Path("/proc/self/mountinfo").read_text()


def test_what_cannot_be_covered_is_said_and_nothing_runs(closed: Path) -> None:
    told = run({str(closed / "deep/file"): []}, "/bin/echo", "ran")
    assert told.returncode == 1
    assert told.stdout == ""
    assert told.stderr.startswith("drop_privileges: mount on ")
