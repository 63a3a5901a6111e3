"""Running code in the line mode."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from starchat_tui.chat.session import Session
from starchat_tui.chat.store import ConversationStore
from starchat_tui.cli.ask import Terminal
from starchat_tui.cli.repl import Repl
from starchat_tui.client.protocol import Sampling
from starchat_tui.config.settings import Settings
from starchat_tui.models.resolver import ModelResolver
from starchat_tui.sandbox.host.downloads import Download
from starchat_tui.sandbox.isolation.probe import Capability
from starchat_tui.sandbox.outputs import Failure, Note, Result, RunEnded, WrittenFile
from starchat_tui.terminal.input_history import InputHistory
from tests.cli.keyboard import Keyboard
from tests.fakes import byte_tokenizer
from tests.scripted import DRAWN, ScriptedEngine, ScriptedKernelFactory

CODE = "Here:\n\n```python\ntotal = 1\n```\n"


@pytest.fixture
def engine() -> ScriptedEngine:
    return ScriptedEngine()


@pytest.fixture
def factory() -> ScriptedKernelFactory:
    return ScriptedKernelFactory()


class Chat:
    """A line mode that reads the lines of a test and quits."""

    def __init__(self, session: Session, keys: Keyboard, folder: Path) -> None:
        self.session = session
        self.keys = keys
        self.out, self.err = io.StringIO(), io.StringIO()
        terminal = Terminal(self.out, self.err, color=False)
        input_history = InputHistory(folder / "history.jsonl")
        self.repl = Repl(session, terminal, input_history, accessible=False, environ={})

    async def type_lines(self, *lines: str) -> str:
        """Return the output on stdout and stderr after these lines."""
        self.keys.send_text("".join(f"{line}\r" for line in lines) + "\x04")
        await self.repl.run()
        await self.session.aclose()
        return self.out.getvalue() + self.err.getvalue()


@pytest.fixture
def chat(
    tmp_path: Path, engine: ScriptedEngine, factory: ScriptedKernelFactory, keys: Keyboard
) -> Chat:
    tokenizer = tmp_path / "tokenizer.json"
    tokenizer.write_text(json.dumps(byte_tokenizer()))
    settings = Settings(url="http://x", tokenizer=str(tokenizer), window=30_000)
    session = Session(
        ConversationStore.in_memory(),
        engine,
        ModelResolver(settings, engine),
        sampling=Sampling(),
        kernel_manager=factory.create_manager(),
    )
    engine.enqueue(CODE)
    return Chat(session, keys, tmp_path)


async def test_block_is_shown_and_run_after_consent(
    chat: Chat, factory: ScriptedKernelFactory
) -> None:
    factory.enqueue("printed\n", Result("a table"), DRAWN, WrittenFile("a.csv", 3))
    printed = await chat.type_lines("go", "/run", "y", "/files")
    assert "    total = 1" in printed
    for text in ("printed", "a table", "axes 1: 'Bars'", "ran · 0.4 s · isolated", "a.csv"):
        assert text in printed
    assert factory.kernel.codes == ["total = 1\n"]
    assert chat.session.load_run_results(chat.session.turns[-1].id)[0].figures == [DRAWN]


async def test_all_plots_are_printed_with_numbers(
    chat: Chat, factory: ScriptedKernelFactory
) -> None:
    factory.enqueue(DRAWN, replace(DRAWN, card="axes: 'Other'"))
    printed = await chat.type_lines("go", "/plots", "/run", "y", "/plots", "/plots 2", "/plots 3")
    assert "This conversation has no plots" in printed
    assert printed.count("plot 1, code block 1:") == 1
    assert printed.count("plot 2, code block 1:") == 2
    assert printed.count("axes: 'Other'") == 3
    assert "No plot 3" in printed


@pytest.mark.parametrize("word", ["", "n", "e", "nonsense"])
async def test_nothing_runs_without_consent(
    chat: Chat, factory: ScriptedKernelFactory, word: str
) -> None:
    printed = await chat.type_lines("go", "/run", word)
    assert "not run" in printed
    assert not any(kernel.codes for kernel in factory.kernels)
    assert chat.session.permission == ("never" if word == "e" else "ask")


async def test_always_does_not_ask_again(chat: Chat, factory: ScriptedKernelFactory) -> None:
    factory.enqueue("one")
    factory.enqueue("two")
    await chat.type_lines("go", "/run 1", "a", "/run 1")
    assert len(factory.kernel.codes) == 2


async def test_invisible_characters_are_asked_about_despite_always(
    chat: Chat, engine: ScriptedEngine, factory: ScriptedKernelFactory
) -> None:
    engine.answers[:] = [["```python\nx = '\u202e'\n```"]]
    factory.enqueue("one")
    assert chat.session.kernel_manager is not None
    await chat.session.kernel_manager.probe_sandbox()
    chat.session.permission = "always"
    printed = await chat.type_lines("go", "/run", "y")
    assert "x = '<U+202E>'" in printed
    assert "invisible characters" in printed
    assert factory.kernel.codes == ["x = '\u202e'\n"]


async def test_downloads_need_consent(
    chat: Chat, engine: ScriptedEngine, factory: ScriptedKernelFactory
) -> None:
    factory.urls = ("https://data.example/a.csv",)
    engine.answers[:] = [["```python\nread('https://data.example/a.csv')\n```"]]
    factory.enqueue("one")
    factory.enqueue("two")
    printed = await chat.type_lines("go", "/run", "y", "n", "/run", "y", "y")
    assert "download it from data.example" in printed or "data.example" in printed
    assert [len(one) for one in factory.kernel.downloads] == [0, 1]


async def test_fix_sends_the_error_to_the_model(
    chat: Chat, engine: ScriptedEngine, factory: ScriptedKernelFactory
) -> None:
    failure = Failure("NameError", "name 'sn'", "Cell 1, line 1\nNameError: name 'sn'")
    factory.enqueue(Note("compat: x → y"), failure, Note("use `sns`", is_hint=True))
    engine.enqueue("Use sns.")
    printed = await chat.type_lines("/fix", "go", "/run", "y", "/fix")
    assert "No run has failed" in printed
    assert "NameError: name 'sn'" in printed
    assert "Use sns." in printed
    question = chat.session.turns[-2].turn.text
    assert "NameError" in question
    assert "Hint: use `sns`\n\nNote: compat: x → y\n" in question


@pytest.mark.parametrize("command", ["/new", "/retry"])
async def test_fix_ignores_errors_of_replaced_blocks(
    chat: Chat, engine: ScriptedEngine, factory: ScriptedKernelFactory, command: str
) -> None:
    factory.enqueue(Failure("NameError", "name 'sn'", "Cell 1, line 1\nNameError: name 'sn'"))
    engine.enqueue("```python\nother = 1\n```")
    printed = await chat.type_lines("go", "/run", "y", command, "/fix", "/fix 1")
    assert printed.count("No run has failed") == 2
    assert not any("This code fails" in one.turn.text for one in chat.session.turns)


async def test_reason_of_the_end_is_printed(chat: Chat, factory: ScriptedKernelFactory) -> None:
    reason = "Stopped after 60 s. \x1b[2JVariables are gone."
    factory.enqueue("x", RunEnded("timeout", "isolated", 60.0, reason))
    printed = await chat.type_lines("go", "/run", "y")
    assert "stopped: its time ran out" in printed
    assert "Stopped after 60 s. ␛[2JVariables are gone." in printed


async def test_ctrl_c_cancels_a_download_and_the_run(
    chat: Chat, engine: ScriptedEngine, factory: ScriptedKernelFactory
) -> None:
    async def interrupt_download(url: str) -> Download:
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.Event().wait()
        raise AssertionError(url)

    factory.urls = ("https://data.example/a.csv",)
    engine.answers[:] = [["```python\nread('https://data.example/a.csv')\n```"]]
    manager = chat.session.kernel_manager
    assert manager is not None
    manager._factory = replace(manager._factory, download=interrupt_download)
    printed = await chat.type_lines("go", "/run", "y", "y", "/files")
    assert "not run" in printed
    assert "no files written" in printed, "the chat continues"
    assert not any(kernel.codes for kernel in factory.kernels)


async def test_attach_savefile_and_restart(
    chat: Chat, factory: ScriptedKernelFactory, tmp_path: Path
) -> None:
    data = tmp_path / "d.csv"
    data.write_text("1")
    factory.enqueue("x", DRAWN)
    target = tmp_path / "kept.png"
    printed = await chat.type_lines(
        "go", f"/attach {data}", "/run", "y", f"/savefile figure-1.png {target}", "/restart"
    )
    assert factory.kernel.attached == [data]
    assert factory.kernel.restarts == 1
    assert target.read_bytes() == DRAWN.png
    assert "kernel restarted" in printed


async def test_missing_sandbox_names_the_commands(
    chat: Chat, factory: ScriptedKernelFactory
) -> None:
    factory.capability = Capability(
        "off", "bubblewrap is missing", ("sudo apt install bubblewrap",)
    )
    printed = await chat.type_lines("go", "/run")
    assert "Running code is off: bubblewrap is missing" in printed
    assert "sudo apt install bubblewrap" in printed
    assert not factory.kernels
