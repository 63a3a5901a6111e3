"""Every text that is printed to a terminal, with every payload that could command it."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from starchat_tui.chat.session import Session
from starchat_tui.chat.store import ConversationStore, Summary
from starchat_tui.cli.ask import AskOptions, Terminal, ask_question
from starchat_tui.cli.code_runner import CodeRunner, RunOptions
from starchat_tui.cli.conversations_command import _format_line
from starchat_tui.cli.error_boundary import print_error, report_errors
from starchat_tui.cli.repl import Repl
from starchat_tui.cli.stdout import sanitize_for_stdout
from starchat_tui.cli.subcommands import run_subcommand
from starchat_tui.client.protocol import Progress, Sampling
from starchat_tui.config.paths import find_paths
from starchat_tui.config.settings import Settings
from starchat_tui.dialogue import Turn
from starchat_tui.engine.serving.server import _print_error
from starchat_tui.errors import StarChatError
from starchat_tui.models.resolver import ModelResolver
from starchat_tui.terminal.image_detection import ImageDetector
from starchat_tui.terminal.input_history import InputHistory
from starchat_tui.terminal.run_printer import RunPrinter
from tests.cli.keyboard import Keyboard
from tests.fakes import byte_tokenizer
from tests.scripted import ScriptedEngine, ScriptedKernelFactory
from tests.sinks import NAMES, create_hostile_outputs, find_unsafe_text
from tests.test_sanitize import PAYLOADS

each_payload = pytest.mark.parametrize("bad", PAYLOADS.values(), ids=NAMES)


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def create_session(
    tmp_path: Path, engine: ScriptedEngine, kernels: ScriptedKernelFactory
) -> Session:
    tokenizer = tmp_path / "tokenizer.json"
    tokenizer.write_text(json.dumps(byte_tokenizer()))
    settings = Settings(url="http://x", tokenizer=str(tokenizer), window=30_000)
    resolver = ModelResolver(settings, engine)
    manager = kernels.create_manager()
    return Session(
        ConversationStore.in_memory(), engine, resolver, sampling=Sampling(), kernel_manager=manager
    )


@each_payload
@pytest.mark.parametrize("color", [True, False], ids=["color", "plain"])
async def test_a_one_shot_answer(tmp_path: Path, bad: str, color: bool) -> None:
    engine = ScriptedEngine()
    code = f"```python\n# {bad}\nx = '{bad}'\n```"
    engine.enqueue(Progress(bad, 1, 2), f"prose {bad}\n\n", *code, f"\n\n```{bad}\nx\n```\n")  # type: ignore[arg-type]
    session = create_session(tmp_path, engine, ScriptedKernelFactory())
    out, err = Screen(), Screen()
    await ask_question(session, AskOptions("q"), Terminal(out, err, color=color))
    assert "prose" in out.getvalue()
    assert find_unsafe_text(out.getvalue()) == ""
    assert find_unsafe_text(err.getvalue()) == ""


@each_payload
@pytest.mark.parametrize(
    "how", [{"extract": "first"}, {"extract": "last"}, {"json": True}], ids=["-x", "--xl", "--json"]
)
@pytest.mark.parametrize("where", ["terminal", "clean pipe"])
async def test_the_code_and_the_json_of_an_answer(
    tmp_path: Path, bad: str, how: dict[str, Any], where: str
) -> None:
    engine = ScriptedEngine([[f"prose {bad}\n\n```python\nx = '{bad}'\n```\n"]])
    session = create_session(tmp_path, engine, ScriptedKernelFactory())
    out = Screen() if where == "terminal" else io.StringIO()
    asking = AskOptions("q", clean=where != "terminal", **how)
    await ask_question(session, asking, Terminal(out, io.StringIO()))
    assert "x = '" in out.getvalue()
    assert find_unsafe_text(out.getvalue()) == ""


async def test_json_has_the_same_value_wherever_it_goes(tmp_path: Path) -> None:
    text = "\x1b[2J \u202e \x9b31m \x7f é 🙂"
    for out in (Screen(), io.StringIO()):
        session = create_session(tmp_path, ScriptedEngine([[text]]), ScriptedKernelFactory())
        await ask_question(session, AskOptions("q", json=True), Terminal(out, io.StringIO()))
        assert json.loads(out.getvalue())["response"] == text


async def test_code_is_written_raw_to_a_pipe(tmp_path: Path) -> None:
    engine = ScriptedEngine([["```python\nx = '\x1b[2J\u202e'\n```\n"]])
    session = create_session(tmp_path, engine, ScriptedKernelFactory())
    out = io.StringIO()
    await ask_question(
        session, AskOptions("q", extract="first"), Terminal(out, io.StringIO(), color=True)
    )
    assert out.getvalue() == "x = '\x1b[2J\u202e'\n"


@each_payload
def test_an_error_message(bad: str, capsys: pytest.CaptureFixture[str]) -> None:
    print_error(StarChatError(f"message {bad}", f"hint {bad}"))
    report_errors(lambda: raise_error(ValueError(f"defect {bad}")))
    printed = capsys.readouterr().err
    for text in ("message", "hint", "defect"):
        assert text in printed
    assert find_unsafe_text(printed) == ""


def raise_error(error: Exception) -> int:
    raise error


@each_payload
def test_a_list_of_conversations(bad: str) -> None:
    line = _format_line(Summary("ab12", f"t {bad}", "chat", "m", 2, 0.0))
    assert find_unsafe_text(line) == ""
    assert "\n" not in line


@each_payload
def test_a_stored_conversation(bad: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store = ConversationStore.open(find_paths(os.environ).database)
    name = store.create_conversation(f"title {bad}", mode="chat", model="m", system=f"system {bad}")
    store.add_turn(name, Turn("user", f"turn {bad}"), parent=None, state="done", model="m")
    store.close()
    monkeypatch.setattr(sys, "stdout", screen := Screen())
    for command in ("ls", "show"):
        for argv in ((), ("--json",)):
            assert run_subcommand(command, argv) == 0
    for text in ("title", "system", "turn"):
        assert text in screen.getvalue()
    assert find_unsafe_text(screen.getvalue()) == ""


@each_payload
def test_a_shown_prompt(tmp_path: Path, bad: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = tmp_path / "tokenizer.json"
    tokenizer.write_text(json.dumps(byte_tokenizer()))
    monkeypatch.setattr(sys, "stdout", screen := Screen())
    argv = ["--tokenizer", str(tokenizer), "--window", "4000", "--mode", "chat", f"asked {bad}"]
    for more in ((), ("--json",)):
        assert run_subcommand("prompt", [*more, *argv]) == 0
    assert screen.getvalue().count("asked") == 2
    assert find_unsafe_text(screen.getvalue()) == ""


@each_payload
def test_the_engines_message_about_a_failed_load(
    bad: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _print_error(StarChatError(f"message {bad}", f"hint {bad}"))
    printed = capsys.readouterr().err
    assert "message" in printed
    assert "hint" in printed
    assert find_unsafe_text(printed) == ""


@each_payload
def test_the_output_of_a_run(bad: str) -> None:
    out, err = Screen(), Screen()
    printer = RunPrinter(out, err, ImageDetector("half", {}))
    for output in create_hostile_outputs(bad):
        printer.print_output(output)
    printer.print_note(f"warned {bad}", warning=True)
    for text in ("out", "result", "card"):
        assert text in out.getvalue()
    for text in ("err", "trace", "name", "note", "\x1b[38;2;", "warned"):
        assert text in err.getvalue()
    assert find_unsafe_text(out.getvalue()) == ""
    assert find_unsafe_text(err.getvalue()) == ""


@each_payload
async def test_the_run_command(bad: str, tmp_path: Path) -> None:
    kernels = ScriptedKernelFactory(urls=(f"https://e.example/{bad}",))
    out, err = Screen(), Screen()
    asked: list[str] = []
    terminal = Terminal(out, err, color=True)

    def confirm(question: str, terminal: Terminal) -> bool:
        asked.append(question)
        return "Run" in question

    kernels.enqueue(*create_hostile_outputs(bad))
    wanted = RunOptions(save_dir=tmp_path / "d")
    command = CodeRunner(kernels.create_manager(), wanted, terminal, confirm=confirm)
    with pytest.raises(StarChatError):
        await command.run_file(f"x = 'https://e.example/{bad}'")
    assert find_unsafe_text(out.getvalue()) == ""
    assert find_unsafe_text(err.getvalue()) == ""


@each_payload
async def test_the_run_command_as_json(bad: str) -> None:
    kernels = ScriptedKernelFactory()
    kernels.enqueue(*create_hostile_outputs(bad))
    out, err = Screen(), Screen()
    command = CodeRunner(
        kernels.create_manager(),
        RunOptions(json=True),
        Terminal(out, err),
        confirm=lambda *_: True,
    )
    with pytest.raises(StarChatError):
        await command.run_file("x = 1")
    assert json.loads(out.getvalue())["stdout"]
    assert find_unsafe_text(out.getvalue()) == ""


@each_payload
async def test_the_line_mode(bad: str, tmp_path: Path) -> None:
    engine, kernels = ScriptedEngine(), ScriptedKernelFactory()
    session = create_session(tmp_path, engine, kernels)
    engine.enqueue(f"prose {bad}\n\n```python\nx = '{bad}'\n```\n")
    kernels.enqueue(*create_hostile_outputs(bad))
    out, err = io.StringIO(), io.StringIO()
    prompts = InputHistory(tmp_path / "history.jsonl")
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
        repl = Repl(session, Terminal(out, err), prompts, accessible=False, environ={})
        Keyboard(pipe).send_text("go\r/run\ry\r/files\r/prompt\r/attach none\r/nothing\r\x04")
        await repl.run()
    await session.aclose()
    for text in ("prose", "card", "result"):
        assert text in out.getvalue()
    for text in ("note", "name"):
        assert text in err.getvalue()
    assert find_unsafe_text(out.getvalue()) == ""
    assert find_unsafe_text(err.getvalue()) == ""


@each_payload
def test_a_printed_conversation(bad: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Screen())
    assert find_unsafe_text(sanitize_for_stdout(f"turn {bad}")) == ""


async def test_a_pipe_is_raw_unless_it_is_to_be_clean(tmp_path: Path) -> None:
    for clean, expected in ((False, "\x1b]0;x\x07\u202e\n"), (True, "␛]0;x␇<U+202E>\n")):
        engine = ScriptedEngine([["\x1b]0;x\x07\u202e"]])
        session = create_session(tmp_path, engine, ScriptedKernelFactory())
        out = io.StringIO()
        await ask_question(session, AskOptions("q", clean=clean), Terminal(out, io.StringIO()))
        assert out.getvalue() == expected


def test_the_check_detects_unsanitized_text() -> None:
    for name, bad in PAYLOADS.items():
        assert find_unsafe_text(bad), name
