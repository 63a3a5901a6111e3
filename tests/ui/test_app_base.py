"""The app on a real terminal: what bytes it writes, and how it ends."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import sys
from pathlib import Path

import pexpect
import pytest
from textual import events
from textual.screen import Screen

from starchat_tui.ui.app import StarChatApp
from tests.test_sanitize import PAYLOADS
from tests.ui.terminal_app import APP_SCRIPT, ROOT
from tests.waiting import PATIENCE


def start(folder: Path, *arguments: str, answer: str = "", **environ: str) -> pexpect.spawn[bytes]:
    """The app on a terminal of its own, once its first frame is there."""
    (folder / "answer.json").write_text(json.dumps([answer]))
    child = pexpect.spawn(
        sys.executable,
        ["-c", APP_SCRIPT, str(folder), *arguments],
        cwd=str(ROOT),
        env={**os.environ, "TEXTUAL_ANIMATIONS": "none", **environ},
        dimensions=(60, 100),
        timeout=PATIENCE,
    )
    child.logfile_read = io.BytesIO()
    child.expect("Enter send")
    return child


def read_output(child: pexpect.spawn[bytes]) -> bytes:
    """Every byte it wrote so far."""
    log = child.logfile_read
    assert isinstance(log, io.BytesIO)
    return log.getvalue()


def wait_for_exit(child: pexpect.spawn[bytes]) -> int:
    child.expect(pexpect.EOF)
    return int(child.wait())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_exits_and_restores_the_terminal(tmp_path: Path, number: signal.Signals) -> None:
    child = start(tmp_path)
    child.kill(number)
    assert wait_for_exit(child) == 128 + number
    for restored in (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?1000l", b"\x1b[?2004l"):
        assert restored in read_output(child)


def test_an_unexpected_error_is_raised_by_run_and_not_printed(tmp_path: Path) -> None:
    child = start(tmp_path, "defect")
    child.send("\x1by")
    child.expect("raised: division by zero")
    wait_for_exit(child)
    assert b"Traceback" not in read_output(child)


def test_no_escape_sequence_of_an_answer_reaches_the_terminal(tmp_path: Path) -> None:
    """The bytes themselves: no sequence of the answer, in prose, code or a note, gets through."""
    everything = "".join(PAYLOADS.values()).replace("\ud800", "")
    answer = f"say {everything}\n\n```python\n# {everything}\nx = '{everything}'\n```\n\nTHE END"
    child = start(tmp_path, answer=answer)
    child.send(f"/system {'x'}\r")
    child.send("go\r")
    child.expect("THE END")
    child.sendcontrol("c")
    child.sendcontrol("d")
    wait_for_exit(child)
    screen = re.sub(
        r"\x1b\]22;[a-z-]*\x07", "", read_output(child).decode()
    )  # the mouse pointer's shape
    for bad in ("\x1b]52", "\x1b]0;", "\x1bc", "\x1bP+", "\x1b_G", "\x07", "\x08", "\x9b", "\x9d"):
        assert bad not in screen, ascii(bad)
    for bad in ("\u202e", "\u2066", "\u200b", "\u2060", "\ufeff", "\U000e0068", "\u2028", "\x7f"):
        assert bad not in screen, ascii(bad)
    assert "␛]52" in screen


def test_no_color_draws_in_grays(tmp_path: Path) -> None:
    child = start(tmp_path, NO_COLOR="1", COLORTERM="truecolor", TERM="xterm-256color")
    child.sendcontrol("d")
    wait_for_exit(child)
    colors = re.findall(rb"[34]8;2;(\d+);(\d+);(\d+)", read_output(child))
    assert colors
    assert all(red == green == blue for red, green, blue in colors)


async def test_losing_the_focus_restyles_no_widget(
    app: StarChatApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Textual would style every widget, seconds in a long conversation."""
    styled: list[Screen[object]] = []
    async with app.run_test() as pilot:
        monkeypatch.setattr(Screen, "update_node_styles", styled.append)
        app.post_message(events.AppBlur())
        await pilot.pause()
        await pilot.press("a")
        app.post_message(events.AppFocus())
        await pilot.pause()
        await pilot.press("b")
        assert styled == []
        assert app.chat_view.composer.text == "ab"
