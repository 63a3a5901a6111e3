"""Start of an engine process."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from starchat_tui.client import engine_launcher
from starchat_tui.client.engine_launcher import count_memory_kills, launch_engine
from starchat_tui.config.paths import find_paths
from tests.waiting import block_until


def test_the_log_has_what_a_failed_start_printed(tmp_path: Path) -> None:
    launched = launch_engine(
        find_paths({"STARCHAT_HOME": str(tmp_path)}), ["--no"], is_private=True
    )
    assert launched.process.wait(60) == 2
    launched.close()
    assert "--no" in launched.log.read_text()


def test_without_a_folder_for_temporary_files_the_engine_has_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = find_paths({"STARCHAT_HOME": str(tmp_path)})
    monkeypatch.setattr(engine_launcher, "find_temporary_folder", lambda: None)
    monkeypatch.setattr(
        engine_launcher,
        "_BOOTSTRAP",
        engine_launcher._BOOTSTRAP.rpartition("\n")[0] + "\nprint(os.environ['TMPDIR'], sys.argv)",
    )
    launched = launch_engine(paths, ["--flag"], is_private=True)
    assert launched.process.wait(60) == 0
    launched.close()
    assert launched.log.read_text().strip() == f"{paths.runtime} ['-c', 'serve', '--flag']"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_a_killed_process_is_told_from_one_that_exits(
    number: signal.Signals, tmp_path: Path
) -> None:
    paths = find_paths({"STARCHAT_HOME": str(tmp_path)})
    launched = launch_engine(paths, ["--socket", str(paths.socket), "--until-eof"], is_private=True)
    await asyncio.to_thread(block_until, paths.socket.exists, what="the engine listens")
    os.kill(launched.process.pid, number)
    assert await launched.was_killed() == (number == signal.SIGKILL)
    launched.close()


def test_a_private_engine_exits_when_it_is_closed(tmp_path: Path) -> None:
    paths = find_paths({"STARCHAT_HOME": str(tmp_path)})
    launched = launch_engine(paths, ["--socket", str(paths.socket), "--until-eof"], is_private=True)
    block_until(paths.socket.exists, what="the engine listens")
    launched.close()
    assert launched.process.returncode is not None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts them")
def test_memory_kills_are_counted_by_the_kernel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert count_memory_kills() >= 0
    for text, expected in (("a 1\noom_kill 7\nb 2\n", 7), ("a 1\n", 0), ("oom_kill x\n", 0)):
        (tmp_path / "vmstat").write_text(text)
        monkeypatch.setattr(engine_launcher, "_VMSTAT", tmp_path / "vmstat")
        assert count_memory_kills() == expected
