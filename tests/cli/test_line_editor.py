"""Line editor: keys, completion, shared history."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from starchat_tui.chat.commands import COMMANDS
from starchat_tui.cli.line_editor import PASTE_SECONDS, create_prompt_session
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


@pytest.mark.parametrize("ending", ["", "\r"])
async def test_lines_that_come_at_once_are_one_paste(history: InputHistory, ending: str) -> None:
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
        pipe.send_text(f"one\rtwo\rthree{ending}")
        reading = asyncio.ensure_future(create_prompt_session(history).prompt_async(""))
        # Longer than the line breaks of one paste are apart.
        await asyncio.sleep(4 * PASTE_SECONDS)
        assert not reading.done()
        pipe.send_text("\r")
        assert await reading == f"one\ntwo\nthree{ending}".replace("\r", "\n")


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
