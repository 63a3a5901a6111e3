from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from starchat_tui.ui.driver import TerminalWriter
from tests.ui.chat_process import open_chat
from tests.ui.terminal_app import APP_SCRIPT, ROOT
from tests.waiting import PATIENCE, block_until


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


@pytest.mark.slow
@pytest.mark.parametrize("marks", [("\x1b[200~", "\x1b[201~"), ("", "")], ids=["marked", "plain"])
@pytest.mark.parametrize("environ", [{}, {"TMUX": "x"}], ids=["terminal", "multiplexer"])
@pytest.mark.parametrize("delay", [0.0, 0.5])
def test_a_paste_during_the_start_arrives_whole_and_sends_nothing(
    marks: tuple[str, str], environ: dict[str, str], delay: float, empty_home: Path
) -> None:
    """Multiplexers are not asked what they can draw: the line discipline keeps what is typed."""
    with open_chat(empty_home / "starchat", url="http://127.0.0.1:9", **environ) as chat:
        time.sleep(delay)
        chat.send("def f():\r    return 1\rwhy?".join(marks))
        block_until(
            lambda: chat.read_draft() == "def f():\n    return 1\nwhy?", what="the pasted draft"
        )
        assert not (chat.home / "state" / "history.jsonl").exists()


class ClosedFile(io.StringIO):
    """A terminal that is gone."""

    def write(self, text: str) -> int:
        raise OSError("Input/output error")


def test_the_first_failed_write_hangs_up_and_later_ones_are_discarded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent: list[int] = []
    reported: list[Exception] = []
    monkeypatch.setattr(os, "kill", lambda _, number: sent.append(number))
    writer = TerminalWriter(ClosedFile(), reported.append)
    for _ in range(3):
        writer.write("frame")
        writer.flush()
    assert sent == [signal.SIGHUP]
    assert reported == []


def test_another_error_is_reported_and_later_frames_are_written() -> None:
    class OnceBroken(io.StringIO):
        def write(self, text: str) -> int:
            if not reported:
                raise ValueError("no such character")
            return super().write(text)

    file, reported = OnceBroken(), list[Exception]()
    writer = TerminalWriter(file, reported.append)
    writer.write("frame")
    writer.write("restored")
    assert [str(error) for error in reported] == ["no such character"]
    assert file.getvalue() == "restored"


def test_a_working_terminal_gets_every_frame() -> None:
    file = io.StringIO()
    writer = TerminalWriter(file, lambda error: None)
    writer.write("one ")
    writer.write("two")
    writer.flush()
    assert file.getvalue() == "one two"
