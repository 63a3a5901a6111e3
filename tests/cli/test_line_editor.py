"""Line editor: keys, completion, shared history."""

from __future__ import annotations

from pathlib import Path

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from starchat_tui.chat.commands import COMMANDS
from starchat_tui.cli.line_editor import create_prompt_session
from starchat_tui.terminal.input_history import InputHistory


async def read(history: InputHistory, keys: str) -> str:
    """Return the line that the editor reads from these keys."""
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
        pipe.send_text(keys)
        return await create_prompt_session(history).prompt_async("")


@pytest.fixture
def history(tmp_path: Path) -> InputHistory:
    return InputHistory(tmp_path / "history.jsonl")


@pytest.mark.parametrize("newline", ["\x0a", "\x1b\r"], ids=["Ctrl+J", "Alt+Enter"])
async def test_enter_sends_and_other_keys_break_the_line(
    history: InputHistory, newline: str
) -> None:
    assert await read(history, f"one{newline}two\r") == "one\ntwo"


async def test_up_brings_back_the_newest_line(history: InputHistory) -> None:
    history.add("older")
    history.add("newer")
    up = "\x1b[A"
    assert await read(history, f"{up}\r") == "newer"
    assert await read(InputHistory(None), f"typed{up}\r") == "typed"


async def test_lines_are_stored(history: InputHistory) -> None:
    await read(history, "hello\r")
    assert history.entries == ("hello",)


def test_every_command_is_completed(history: InputHistory) -> None:
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
        completer = create_prompt_session(history).completer
    found = {one.text for one in completer.get_completions(Document("/"), CompleteEvent())}
    assert found == {f"/{command.name}" for command in COMMANDS}
