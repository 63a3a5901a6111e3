"""Every line that is printed for a terminal, and every way it could be misled."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from starchat_tui import __main__ as door
from starchat_tui import subcommands
from starchat_tui.ask import Asking, Terminal, ask
from starchat_tui.errors import StarChatError
from starchat_tui.history import History, Summary
from starchat_tui.recall import InputHistory
from starchat_tui.repl import Repl
from starchat_tui.run import Command, Wanted
from starchat_tui.session import Session
from starchat_tui.settings import Settings
from starchat_tui.speaking import Speaker
from starchat_tui.voice import Voices
from starchat_tui.wire import Progress, Sampling
from tests.fakes import byte_tokenizer
from tests.scripted import ScriptedEngine, ScriptedWorkshop
from tests.sinks import NAMES, obeyed, outputs
from tests.test_clean import PAYLOADS

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
