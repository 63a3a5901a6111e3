"""Every line that is printed for a terminal, and every way it could be misled."""

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

from starchat_tui import __main__ as door
from starchat_tui.chat.session import Session
from starchat_tui.chat.store import History, Summary
from starchat_tui.cli import subcommands
from starchat_tui.cli.ask import Asking, Terminal, ask
from starchat_tui.cli.repl import Repl
from starchat_tui.cli.run_command import Command, Wanted
from starchat_tui.client.protocol import Progress, Sampling
from starchat_tui.dialogue import Turn
from starchat_tui.engine.serving.server import _print_errors
from starchat_tui.errors import StarChatError
from starchat_tui.models.resolver import Voices
from starchat_tui.settings import Settings, find_paths
from starchat_tui.terminal.input_history import InputHistory
from starchat_tui.terminal.run_printer import Speaker
from tests.fakes import byte_tokenizer
from tests.scripted import ScriptedEngine, ScriptedWorkshop
from tests.sinks import NAMES, obeyed, outputs
from tests.test_sanitize import PAYLOADS

each_payload = pytest.mark.parametrize("bad", PAYLOADS.values(), ids=NAMES)


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def session_of(tmp_path: Path, engine: ScriptedEngine, workshop: ScriptedWorkshop) -> Session:
    tokenizer = tmp_path / "tokenizer.json"
    tokenizer.write_text(json.dumps(byte_tokenizer()))
    settings = Settings(url="http://x", tokenizer=str(tokenizer), window=30_000)
    voices = Voices(settings, engine)
    running = workshop.running()
    return Session(History.in_memory(), engine, voices, sampling=Sampling(), running=running)


@each_payload
@pytest.mark.parametrize("color", [True, False], ids=["colour", "plain"])
async def test_a_one_shot_answer(tmp_path: Path, bad: str, color: bool) -> None:
    engine = ScriptedEngine()
    code = f"```python\n# {bad}\nx = '{bad}'\n```"
    engine.enqueue(Progress(bad, 1, 2), f"prose {bad}\n\n", *code, f"\n\n```{bad}\nx\n```\n")  # type: ignore[arg-type]
    session = session_of(tmp_path, engine, ScriptedWorkshop())
    out, err = Screen(), Screen()
    await ask(session, Asking("q"), Terminal(out, err, color=color))
    assert "prose" in out.getvalue()
    assert obeyed(out.getvalue()) == ""
    assert obeyed(err.getvalue()) == ""


@each_payload
@pytest.mark.parametrize(
    "how", [{"extract": "first"}, {"extract": "last"}, {"json": True}], ids=["-x", "--xl", "--json"]
)
@pytest.mark.parametrize("where", ["terminal", "clean pipe"])
async def test_the_code_and_the_json_of_an_answer(
    tmp_path: Path, bad: str, how: dict[str, Any], where: str
) -> None:
    engine = ScriptedEngine([[f"prose {bad}\n\n```python\nx = '{bad}'\n```\n"]])
    session = session_of(tmp_path, engine, ScriptedWorkshop())
    out = Screen() if where == "terminal" else io.StringIO()
    asking = Asking("q", clean=where != "terminal", **how)
    await ask(session, asking, Terminal(out, io.StringIO()))
    assert "x = '" in out.getvalue()
    assert obeyed(out.getvalue()) == ""


async def test_json_has_the_same_value_wherever_it_goes(tmp_path: Path) -> None:
    text = "\x1b[2J \u202e \x9b31m \x7f é 🙂"
    for out in (Screen(), io.StringIO()):
        session = session_of(tmp_path, ScriptedEngine([[text]]), ScriptedWorkshop())
        await ask(session, Asking("q", json=True), Terminal(out, io.StringIO()))
        assert json.loads(out.getvalue())["response"] == text


async def test_code_goes_raw_into_a_pipe(tmp_path: Path) -> None:
    engine = ScriptedEngine([["```python\nx = '\x1b[2J\u202e'\n```\n"]])
    session = session_of(tmp_path, engine, ScriptedWorkshop())
    out = io.StringIO()
    await ask(session, Asking("q", extract="first"), Terminal(out, io.StringIO(), color=True))
    assert out.getvalue() == "x = '\x1b[2J\u202e'\n"


@each_payload
def test_an_error_at_the_door(bad: str, capsys: pytest.CaptureFixture[str]) -> None:
    door.tell(StarChatError(f"message {bad}", f"hint {bad}"))
    door.told(lambda: raised(ValueError(f"defect {bad}")))
    said = capsys.readouterr().err
    for told in ("message", "hint", "defect"):
        assert told in said
    assert obeyed(said) == ""


def raised(error: Exception) -> int:
    raise error


@each_payload
def test_a_list_of_conversations(bad: str) -> None:
    line = subcommands._summary_line(Summary("ab12", f"t {bad}", "chat", "m", 2, 0.0))
    assert obeyed(line) == ""
    assert "\n" not in line


@each_payload
def test_a_stored_conversation(bad: str, monkeypatch: pytest.MonkeyPatch) -> None:
    history = History.open(find_paths(os.environ).database)
    name = history.start(f"title {bad}", mode="chat", model="m", system=f"system {bad}")
    history.add(name, Turn("user", f"turn {bad}"), parent=None, state="done", model="m")
    history.close()
    monkeypatch.setattr(sys, "stdout", screen := Screen())
    for command in ("ls", "show"):
        for argv in ((), ("--json",)):
            assert subcommands.run(command, argv) == 0
    for told in ("title", "system", "turn"):
        assert told in screen.getvalue()
    assert obeyed(screen.getvalue()) == ""


@each_payload
def test_a_shown_prompt(tmp_path: Path, bad: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = tmp_path / "tokenizer.json"
    tokenizer.write_text(json.dumps(byte_tokenizer()))
    monkeypatch.setattr(sys, "stdout", screen := Screen())
    argv = ["--tokenizer", str(tokenizer), "--window", "4000", "--mode", "chat", f"asked {bad}"]
    for more in ((), ("--json",)):
        assert subcommands.run("prompt", [*more, *argv]) == 0
    assert screen.getvalue().count("asked") == 2
    assert obeyed(screen.getvalue()) == ""


@each_payload
def test_what_the_engine_says_of_a_failed_load(
    bad: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _print_errors(StarChatError(f"message {bad}", f"hint {bad}"))
    said = capsys.readouterr().err
    assert "message" in said
    assert "hint" in said
    assert obeyed(said) == ""


@each_payload
def test_what_a_run_says(bad: str) -> None:
    out, err = Screen(), Screen()
    speaker = Speaker(out, err, images="half")
    for output in outputs(bad):
        speaker.say(output)
    speaker.tell(f"told {bad}", warning=True)
    for told in ("out", "result", "card"):
        assert told in out.getvalue()
    for told in ("err", "trace", "name", "note", "▀", "told"):
        assert told in err.getvalue()
    assert obeyed(out.getvalue()) == ""
    assert obeyed(err.getvalue()) == ""


@each_payload
async def test_the_run_command(bad: str, tmp_path: Path) -> None:
    workshop = ScriptedWorkshop(urls=(f"https://e.example/{bad}",))
    out, err = Screen(), Screen()
    asked: list[str] = []
    terminal = Terminal(out, err, color=True)

    def confirm(question: str, terminal: Terminal) -> bool:
        asked.append(question)
        return "Run" in question

    workshop.enqueue(*outputs(bad))
    wanted = Wanted(save_dir=tmp_path / "d")
    command = Command(workshop.running(), wanted, terminal, confirm=confirm)
    with pytest.raises(StarChatError):
        await command.file(f"x = 'https://e.example/{bad}'")
    assert obeyed(out.getvalue()) == ""
    assert obeyed(err.getvalue()) == ""


@each_payload
async def test_the_run_command_as_json(bad: str) -> None:
    workshop = ScriptedWorkshop()
    workshop.enqueue(*outputs(bad))
    out, err = Screen(), Screen()
    command = Command(
        workshop.running(), Wanted(json=True), Terminal(out, err), confirm=lambda *_: True
    )
    with pytest.raises(StarChatError):
        await command.file("x = 1")
    assert json.loads(out.getvalue())["stdout"]
    assert obeyed(out.getvalue()) == ""


@each_payload
async def test_the_line_mode(bad: str, tmp_path: Path) -> None:
    engine, workshop = ScriptedEngine(), ScriptedWorkshop()
    session = session_of(tmp_path, engine, workshop)
    engine.enqueue(f"prose {bad}\n\n```python\nx = '{bad}'\n```\n")
    workshop.enqueue(*outputs(bad))
    out, err = io.StringIO(), io.StringIO()
    recall = InputHistory(tmp_path / "history.jsonl")
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        repl = Repl(session, Terminal(out, err), recall, accessible=False, environ={})
        keys.send_text("go\r/run\ry\r/files\r/prompt\r/attach none\r/nothing\r\x04")
        await repl.run()
    await session.aclose()
    for told in ("prose", "card", "result"):
        assert told in out.getvalue()
    for told in ("note", "name"):
        assert told in err.getvalue()
    assert obeyed(out.getvalue()) == ""
    assert obeyed(err.getvalue()) == ""


@each_payload
def test_a_printed_conversation(bad: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Screen())
    assert obeyed(subcommands._safe(f"turn {bad}")) == ""


async def test_a_pipe_is_raw_unless_it_is_to_be_clean(tmp_path: Path) -> None:
    for clean, expected in ((False, "\x1b]0;x\x07\u202e\n"), (True, "␛]0;x␇<U+202E>\n")):
        engine = ScriptedEngine([["\x1b]0;x\x07\u202e"]])
        session = session_of(tmp_path, engine, ScriptedWorkshop())
        out = io.StringIO()
        await ask(session, Asking("q", clean=clean), Terminal(out, io.StringIO()))
        assert out.getvalue() == expected


def test_the_check_finds_what_gets_through() -> None:
    for name, bad in PAYLOADS.items():
        assert obeyed(bad), name
