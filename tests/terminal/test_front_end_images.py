"""Plots in the front ends that only append: the one-shot and the line mode."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from starchat_tui.chat.session import Session
from starchat_tui.chat.store import ConversationStore
from starchat_tui.cli.ask import Terminal
from starchat_tui.cli.code_runner import CodeRunner, RunOptions
from starchat_tui.cli.repl import Repl
from starchat_tui.client.protocol import Sampling
from starchat_tui.config.settings import Settings
from starchat_tui.models.resolver import ModelResolver
from starchat_tui.terminal.input_history import InputHistory
from tests.cli.keyboard import Keyboard
from tests.fakes import byte_tokenizer
from tests.scripted import DRAWN, ScriptedEngine, ScriptedKernelFactory

KITTY_IMAGE = "\x1b_Ga=T,f=100"


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


async def test_the_run_command_draws_a_plot_as_the_terminal_can(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn = {}
    for term in ("xterm-kitty", "screen"):
        monkeypatch.setenv("TERM", term)
        kernels = ScriptedKernelFactory()
        kernels.enqueue(DRAWN)
        screen = Screen()
        runner = CodeRunner(kernels.create_manager(), RunOptions(), Terminal(Screen(), screen))
        await runner.run_file("plot()")
        drawn[term] = screen.getvalue()
    assert KITTY_IMAGE in drawn["xterm-kitty"]
    assert "\x1b[38;2;" not in drawn["xterm-kitty"]
    assert "\x1b[38;2;" in drawn["screen"]
    assert KITTY_IMAGE not in drawn["screen"]


async def test_the_line_mode_draws_a_plot_as_the_terminal_can(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text(json.dumps(byte_tokenizer()))
    settings = Settings(
        url="http://x", tokenizer=str(tmp_path / "tokenizer.json"), window=30_000, mode="chat"
    )
    engine, kernels = ScriptedEngine([["```python\nplot()\n```\n"]]), ScriptedKernelFactory()
    kernels.enqueue(DRAWN)
    session = Session(
        ConversationStore.in_memory(),
        engine,
        ModelResolver(settings, engine),
        sampling=Sampling(),
        kernel_manager=kernels.create_manager(),
    )
    screen = Screen()
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
        keys = Keyboard(pipe)
        repl = Repl(
            session,
            Terminal(Screen(), screen),
            InputHistory(None),
            accessible=False,
            environ={"TERM": "xterm-kitty"},
            images="auto",
        )
        keys.send_text("go\r/run\ry\r\x04")
        await repl.run()
    await session.aclose()
    assert KITTY_IMAGE in screen.getvalue()
    assert "\x1b[38;2;" not in screen.getvalue()
