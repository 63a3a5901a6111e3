"""The terminal is whole again however the chat ends: a real chat on a real pty."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import pexpect
import pytest

from tests.fakes import byte_tokenizer
from tests.waiting import block_until

RESTORED = r"\x1b\[\?1049l"


@pytest.fixture
def chat(empty_home: Path) -> pexpect.spawn[str]:
    """A chat that has drawn its first screen; nothing is asked, so no engine starts."""
    model = empty_home / "model"
    model.mkdir()
    (model / "config.json").write_text('{"n_positions": 4096}')
    (model / "tokenizer.json").write_text(json.dumps(byte_tokenizer()))
    spawned = pexpect.spawn(
        sys.executable,
        ["-m", "starchat_tui", "-m", str(model)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        encoding="utf-8",
        codec_errors="replace",
        timeout=60,
        dimensions=(30, 100),
    )
    spawned.expect("Everything stays on this machine")
    return spawned


def screen_process(chat: pexpect.spawn[str]) -> int:
    children = Path(f"/proc/{chat.pid}/task/{chat.pid}/children")
    if not children.exists():
        pytest.skip("this system does not list a process's children")
    return int(children.read_text().split()[0])


def test_the_terminal_is_restored_after_sigkill(chat: pexpect.spawn[str]) -> None:
    os.kill(screen_process(chat), signal.SIGKILL)
    chat.expect(RESTORED)
    chat.expect("killed by SIGKILL")
    chat.expect("starchat -c")
    chat.expect(pexpect.EOF)
    chat.close()
    assert chat.exitstatus == 128 + signal.SIGKILL


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_cleanly(chat: pexpect.spawn[str], number: signal.Signals) -> None:
    os.kill(chat.pid, number)
    chat.expect(RESTORED)
    chat.expect(pexpect.EOF)
    chat.close()
    assert chat.exitstatus == 128 + number


def test_quitting_leaves_no_process_behind(chat: pexpect.spawn[str]) -> None:
    child = screen_process(chat)
    chat.send("\x04")
    chat.expect(RESTORED)
    chat.expect(pexpect.EOF)
    chat.close()
    assert chat.exitstatus == 0
    block_until(lambda: not Path(f"/proc/{child}").exists())
