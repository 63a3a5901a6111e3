"""Running code in the line mode."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput

from starchat_tui.chat.session import Session
from starchat_tui.chat.store import History
from starchat_tui.cli.ask import Terminal
from starchat_tui.cli.repl import Repl
from starchat_tui.client.protocol import Sampling
from starchat_tui.models.resolver import Voices
from starchat_tui.sandbox.host.downloads import Download
from starchat_tui.sandbox.isolation.probe import Verdict
from starchat_tui.sandbox.outputs import Ended, Failure, Result, Written
from starchat_tui.settings import Settings
from starchat_tui.terminal.input_history import InputHistory
from tests.fakes import byte_tokenizer
from tests.scripted import DRAWN, ScriptedEngine, ScriptedWorkshop

CODE = "Here:\n\n```python\ntotal = 1\n```\n"


@pytest.fixture
def keys() -> Iterator[PipeInput]:
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
        yield pipe


@pytest.fixture
def engine() -> ScriptedEngine:
    return ScriptedEngine()


@pytest.fixture
def workshop() -> ScriptedWorkshop:
    return ScriptedWorkshop()


class Chat:
    """A line mode that reads what a test types, and leaves."""

    def __init__(self, session: Session, keys: PipeInput, folder: Path) -> None:
        self.session = session
        self.keys = keys
        self.out, self.err = io.StringIO(), io.StringIO()
        terminal = Terminal(self.out, self.err, color=False)
        recall = InputHistory(folder / "history.jsonl")
        self.repl = Repl(session, terminal, recall, accessible=False, environ={})

    async def types(self, *lines: str) -> str:
        """What is on stdout and stderr after these lines."""
        self.keys.send_text("".join(f"{line}\r" for line in lines) + "\x04")
        await self.repl.run()
        await self.session.aclose()
        return self.out.getvalue() + self.err.getvalue()


@pytest.fixture
def chat(
    tmp_path: Path, engine: ScriptedEngine, workshop: ScriptedWorkshop, keys: PipeInput
) -> Chat:
    tokenizer = tmp_path / "tokenizer.json"
    tokenizer.write_text(json.dumps(byte_tokenizer()))
    settings = Settings(url="http://x", tokenizer=str(tokenizer), window=30_000)
    session = Session(
        History.in_memory(),
        engine,
        Voices(settings, engine),
        sampling=Sampling(),
        running=workshop.running(),
    )
    engine.enqueue(CODE)
    return Chat(session, keys, tmp_path)


async def test_a_block_is_shown_agreed_to_and_run(chat: Chat, workshop: ScriptedWorkshop) -> None:
    workshop.enqueue("printed\n", Result("a table"), DRAWN, Written("a.csv", 3))
    said = await chat.types("go", "/run", "y", "/files")
    assert "    total = 1" in said
    for told in ("printed", "a table", "axes 1: 'Bars'", "ran · 0.4 s · isolated", "a.csv"):
        assert told in said
    assert workshop.kernel.codes == ["total = 1\n"]
    assert chat.session.outcomes(chat.session.turns[-1].id)[0].figures == [DRAWN]


@pytest.mark.parametrize("word", ["", "n", "e", "nonsense"])
async def test_without_a_yes_nothing_is_run(
    chat: Chat, workshop: ScriptedWorkshop, word: str
) -> None:
    said = await chat.types("go", "/run", word)
    assert "not run" in said
    assert not any(kernel.codes for kernel in workshop.kernels)
    assert chat.session.allowed == ("never" if word == "e" else "ask")


async def test_always_asks_no_more(chat: Chat, workshop: ScriptedWorkshop) -> None:
    workshop.enqueue("one")
    workshop.enqueue("two")
    await chat.types("go", "/run 1", "a", "/run 1")
    assert len(workshop.kernel.codes) == 2


async def test_unseen_characters_are_shown_even_then(
    chat: Chat, engine: ScriptedEngine, workshop: ScriptedWorkshop
) -> None:
    engine.answers[:] = [["```python\nx = '\u202e'\n```"]]
    workshop.enqueue("one")
    assert chat.session.running is not None
    await chat.session.running.wall()
    chat.session.allowed = "always"
    said = await chat.types("go", "/run", "y")
    assert "x = '<U+202E>'" in said
    assert "characters one cannot see" in said
    assert workshop.kernel.codes == ["x = '\u202e'\n"]


async def test_addresses_are_fetched_with_consent(
    chat: Chat, engine: ScriptedEngine, workshop: ScriptedWorkshop
) -> None:
    workshop.urls = ("https://data.example/a.csv",)
    engine.answers[:] = [["```python\nread('https://data.example/a.csv')\n```"]]
    workshop.enqueue("one")
    workshop.enqueue("two")
    said = await chat.types("go", "/run", "y", "n", "/run", "y", "y")
    assert "download it from data.example" in said or "data.example" in said
    assert [len(one) for one in workshop.kernel.downloads] == [0, 1]


async def test_an_error_goes_back_to_the_model(
    chat: Chat, engine: ScriptedEngine, workshop: ScriptedWorkshop
) -> None:
    workshop.enqueue(Failure("NameError", "name 'sn'", "Cell 1, line 1\nNameError: name 'sn'"))
    engine.enqueue("Use sns.")
    said = await chat.types("/fix", "go", "/run", "y", "/fix")
    assert "There is no failed run" in said
    assert "NameError: name 'sn'" in said
    assert "Use sns." in said
    assert "NameError" in chat.session.turns[-2].turn.text


@pytest.mark.parametrize("command", ["/new", "/retry"])
async def test_the_error_of_what_is_no_longer_there_is_not_sent(
    chat: Chat, engine: ScriptedEngine, workshop: ScriptedWorkshop, command: str
) -> None:
    workshop.enqueue(Failure("NameError", "name 'sn'", "Cell 1, line 1\nNameError: name 'sn'"))
    engine.enqueue("```python\nother = 1\n```")
    said = await chat.types("go", "/run", "y", command, "/fix", "/fix 1")
    assert said.count("There is no failed run") == 2
    assert not any("This code fails" in one.turn.text for one in chat.session.turns)


async def test_why_a_run_ended_is_said(chat: Chat, workshop: ScriptedWorkshop) -> None:
    reason = "Stopped after 60 s. \x1b[2JVariables are gone."
    workshop.enqueue("x", Ended("timeout", "isolated", 60.0, reason))
    said = await chat.types("go", "/run", "y")
    assert "stopped: its time ran out" in said
    assert "Stopped after 60 s. ␛[2JVariables are gone." in said


async def test_ctrl_c_calls_a_download_off_and_nothing_is_run(
    chat: Chat, engine: ScriptedEngine, workshop: ScriptedWorkshop
) -> None:
    async def interrupted(url: str) -> Download:
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.Event().wait()
        raise AssertionError(url)

    workshop.urls = ("https://data.example/a.csv",)
    engine.answers[:] = [["```python\nread('https://data.example/a.csv')\n```"]]
    running = chat.session.running
    assert running is not None
    running._workshop = replace(running._workshop, download=interrupted)
    said = await chat.types("go", "/run", "y", "y", "/files")
    assert "not run" in said
    assert "the code wrote no file" in said, "the chat goes on"
    assert not any(kernel.codes for kernel in workshop.kernels)


async def test_files_are_attached_and_kept_and_the_kernel_begun_anew(
    chat: Chat, workshop: ScriptedWorkshop, tmp_path: Path
) -> None:
    data = tmp_path / "d.csv"
    data.write_text("1")
    workshop.enqueue("x", DRAWN)
    target = tmp_path / "kept.png"
    said = await chat.types(
        "go", f"/attach {data}", "/run", "y", f"/savefile figure-1.png {target}", "/restart"
    )
    assert workshop.kernel.attached == [data]
    assert workshop.kernel.restarts == 1
    assert target.read_bytes() == DRAWN.png
    assert "a fresh kernel" in said


async def test_without_a_wall_the_message_says_what_helps(
    chat: Chat, workshop: ScriptedWorkshop
) -> None:
    workshop.verdict = Verdict("off", "bubblewrap is missing", ("sudo apt install bubblewrap",))
    said = await chat.types("go", "/run")
    assert "Running code is off: bubblewrap is missing" in said
    assert "sudo apt install bubblewrap" in said
    assert not workshop.kernels
