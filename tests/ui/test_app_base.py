"""The app on a real terminal: what bytes it writes, and how it ends."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import termios
from pathlib import Path

import pexpect
import pytest

from tests.test_sanitize import PAYLOADS
from tests.waiting import PATIENCE

SCRIPT = """
import json, sys
from pathlib import Path
from starchat_tui.chat.store import History
from starchat_tui.chat.session import Session
from starchat_tui.settings import Settings
from starchat_tui.ui.app import StarChatApp
from starchat_tui.ui.options import ChatOptions
from starchat_tui.models.resolver import ModelResolver
from starchat_tui.client.protocol import Sampling
from tests.fakes import byte_tokenizer
from tests.scripted import ScriptedEngine

folder = Path(sys.argv[1])
(folder / "tokenizer.json").write_text(json.dumps(byte_tokenizer()))
engine = ScriptedEngine()
settings = Settings(tokenizer=str(folder / "tokenizer.json"), window=30_000)
session = Session(History.in_memory(), engine, ModelResolver(settings, engine), sampling=Sampling())
engine.enqueue(*json.loads((folder / "answer.json").read_text()))
app = StarChatApp(session, ChatOptions(is_demo=True))
if len(sys.argv) > 2:
    app.chat_view.request_next_copy = lambda: 1 / 0
try:
    app.run()
except ZeroDivisionError as error:
    print(f"the door was told: {error}")
sys.exit(app.return_code or 0)
"""
ROOT = Path(__file__).parent.parent.parent


def start(folder: Path, *arguments: str, answer: str = "", **environ: str) -> pexpect.spawn[bytes]:
    """The app on a terminal of its own, once its first frame is there."""
    (folder / "answer.json").write_text(json.dumps([answer]))
    child = pexpect.spawn(
        sys.executable,
        ["-c", SCRIPT, str(folder), *arguments],
        cwd=str(ROOT),
        env={**os.environ, "TEXTUAL_ANIMATIONS": "none", **environ},
        dimensions=(60, 100),
        timeout=PATIENCE,
    )
    child.logfile_read = io.BytesIO()
    child.expect("Enter send")
    return child


def written(child: pexpect.spawn[bytes]) -> bytes:
    """Every byte it wrote so far."""
    log = child.logfile_read
    assert isinstance(log, io.BytesIO)
    return log.getvalue()


def ended(child: pexpect.spawn[bytes]) -> int:
    child.expect(pexpect.EOF)
    return int(child.wait())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_and_leaves_the_terminal_as_it_was(
    tmp_path: Path, number: signal.Signals
) -> None:
    child = start(tmp_path)
    child.kill(number)
    assert ended(child) == 128 + number
    for restored in (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?1000l", b"\x1b[?2004l"):
        assert restored in written(child)


def test_it_ends_with_a_terminal_that_says_nothing(tmp_path: Path) -> None:
    """No SIGHUP comes where the terminal does not control the app; the next frame finds it gone."""
    (tmp_path / "answer.json").write_text("[]")
    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (40, 100))
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path)],
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


def test_a_defect_is_told_at_the_door_and_not_on_the_screen(tmp_path: Path) -> None:
    child = start(tmp_path, "defect")
    child.send("\x1by")
    child.expect("the door was told: division by zero")
    ended(child)
    assert b"Traceback" not in written(child)


def test_nothing_of_an_answer_is_obeyed_by_the_terminal(tmp_path: Path) -> None:
    """The bytes themselves: no sequence of the answer, in prose, code or a note, gets through."""
    everything = "".join(PAYLOADS.values()).replace("\ud800", "")
    answer = f"say {everything}\n\n```python\n# {everything}\nx = '{everything}'\n```\n\nTHE END"
    child = start(tmp_path, answer=answer)
    child.send(f"/system {'x'}\r")
    child.send("go\r")
    child.expect("THE END")
    child.sendcontrol("c")
    child.sendcontrol("d")
    ended(child)
    screen = re.sub(
        r"\x1b\]22;[a-z-]*\x07", "", written(child).decode()
    )  # the mouse pointer's shape
    for bad in ("\x1b]52", "\x1b]0;", "\x1bc", "\x1bP+", "\x1b_G", "\x07", "\x08", "\x9b", "\x9d"):
        assert bad not in screen, ascii(bad)
    for bad in ("\u202e", "\u2066", "\u200b", "\u2060", "\ufeff", "\U000e0068", "\u2028", "\x7f"):
        assert bad not in screen, ascii(bad)
    assert "␛]52" in screen


def test_without_colour_it_is_grey(tmp_path: Path) -> None:
    child = start(tmp_path, NO_COLOR="1", COLORTERM="truecolor", TERM="xterm-256color")
    child.sendcontrol("d")
    ended(child)
    colours = re.findall(rb"[34]8;2;(\d+);(\d+);(\d+)", written(child))
    assert colours
    assert all(red == green == blue for red, green, blue in colours)
