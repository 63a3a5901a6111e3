"""Commands whose standard streams are closed, full or gone."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STARCHAT = f"{sys.executable} -m starchat_tui"
ASK = f"{STARCHAT} -m nano-chat --max-tokens 8 'How do I read a file?'"


def run_line(line: str, home: Path, **environ: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command line of `sh`, which alone can close a stream."""
    return subprocess.run(
        ["sh", "-c", line],
        env={**os.environ, "STARCHAT_HOME": str(home), "PYTHONPATH": str(ROOT), **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize("buffering", ["", "1"])
@pytest.mark.parametrize("command", ["--version", "--help", "doctor", "ps"])
def test_a_full_disk_is_told_once(command: str, buffering: str, empty_home: Path) -> None:
    """`/dev/full` accepts nothing, as a file on a full disk."""
    line = f"{STARCHAT} {command} >/dev/full"
    done = run_line(line, empty_home, PYTHONUNBUFFERED=buffering)
    assert (done.returncode, done.stdout) == (1, b"")
    problem, hint = done.stderr.decode().splitlines()
    assert problem == "starchat: The output cannot be written (No space left on device)"
    assert hint == "  free space where it goes, or send it elsewhere"


@pytest.mark.parametrize("streams", ["2>&-", "2>/dev/full", "<&- 2>&-"])
def test_without_stderr_an_answer_is_complete(streams: str, empty_home: Path) -> None:
    """What is meant for a missing stderr is not written to stdout, nor to the database."""
    with_stderr = run_line(ASK + " -t 0", empty_home)
    without = run_line(ASK + f" -t 0 {streams}", empty_home)
    assert with_stderr.returncode == without.returncode == 0
    assert without.stdout == with_stderr.stdout != b""
    with closing(sqlite3.connect(empty_home / "data" / "chats.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    subprocess.run(
        [*STARCHAT.split(), "stop"],
        env={**os.environ, "STARCHAT_HOME": str(empty_home)},
        check=True,
    )


@pytest.mark.parametrize("command", ["--version", "--help", "doctor", "ps"])
@pytest.mark.parametrize("streams", [">&-", ">&- 2>&-", "<&- >&-"])
def test_without_stdout_a_command_fails(streams: str, command: str, empty_home: Path) -> None:
    """An answer that went nowhere is not reported as delivered."""
    done = run_line(f"{STARCHAT} {command} {streams}", empty_home)
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr


def test_without_stderr_an_error_keeps_its_exit_code(empty_home: Path) -> None:
    for stream in ("2>&-", "2>/dev/full"):
        assert run_line(f"{STARCHAT} --nonsense {stream}", empty_home).returncode == 2
