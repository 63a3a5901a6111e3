from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from starchat_tui.ui.driver import TerminalWriter
from tests.ui.terminal_app import APP_SCRIPT, ROOT
from tests.waiting import PATIENCE


def test_the_app_exits_when_its_terminal_vanishes_without_a_signal(tmp_path: Path) -> None:
    """No SIGHUP comes where the terminal does not control the app; the next frame finds it gone."""
    (tmp_path / "answer.json").write_text("[]")
    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (40, 100))
    with subprocess.Popen(
        [sys.executable, "-c", APP_SCRIPT, str(tmp_path)],
        cwd=ROOT,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        shown = b""
        while b"Enter send" not in shown:
            shown += os.read(ours, 65536)
        os.close(ours)
        try:
            assert process.wait(PATIENCE) == 128 + signal.SIGHUP
        finally:
            process.kill()


class ClosedFile(io.StringIO):
    """A terminal that is gone."""

    def write(self, text: str) -> int:
        raise OSError("Input/output error")


def test_the_first_failed_write_hangs_up_and_later_ones_are_discarded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent: list[int] = []
    monkeypatch.setattr(os, "kill", lambda _, number: sent.append(number))
    writer = TerminalWriter(ClosedFile())
    for _ in range(3):
        writer.write("frame")
        writer.flush()
    assert sent == [signal.SIGHUP]


def test_a_working_terminal_gets_every_frame() -> None:
    file = io.StringIO()
    writer = TerminalWriter(file)
    writer.write("one ")
    writer.write("two")
    writer.flush()
    assert file.getvalue() == "one two"
