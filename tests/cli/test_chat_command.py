"""Opening the chat, in line mode and full screen."""

from __future__ import annotations

import json

import pexpect
import pytest

from starchat_tui.cli import arguments, chat_command
from starchat_tui.cli.invocation import Invocation
from starchat_tui.ui.options import ChatOptions
from tests.cli.shell import Shell


def test_no_log_stores_no_input_line(shell: Shell) -> None:
    for more, said in (((), "an open line"), (("-n",), "a secret line")):
        terminal = shell.spawn("repl", *more, tokens=4)
        terminal.expect("›")
        terminal.send(f"{said}\r")
        terminal.expect("first token")
        terminal.send("\x04")
        terminal.expect(pexpect.EOF)
        terminal.close()
        assert terminal.exitstatus == 0
    kept = (shell.home / "state" / "history.jsonl").read_text()
    assert "an open line" in kept
    assert "a secret line" not in kept


def test_no_log_gives_the_app_no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[ChatOptions] = []

    class FakeApp:
        return_code = 0

        def __init__(self, session: object, options: ChatOptions) -> None:
            given.append(options)

        def run(self) -> None:
            pass

    monkeypatch.setattr("starchat_tui.ui.app.StarChatApp", FakeApp)
    for argv, stores in (((), True), (("-n",), False)):
        invocation = Invocation.from_flags(
            arguments.parse_arguments([*argv, "--mode", "chat", "--images", "half"])
        )
        assert chat_command._open_full_screen(invocation, "") == 0
        assert (given[-1].input_history is not None) == stores
        assert (given[-1].draft is not None) == stores


def test_line_mode_answers_and_quits(shell: Shell) -> None:
    terminal = shell.spawn("repl", tokens=400)
    terminal.expect("›")
    terminal.send("a question\r")
    terminal.expect("first token")
    terminal.send("\x04")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 0
    assert json.loads(shell.run("show", "--json").stdout)["turns"][0]["text"] == "a question"
