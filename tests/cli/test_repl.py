from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput

from starchat_tui.chat.session import Session
from starchat_tui.chat.store import History
from starchat_tui.cli.ask import Terminal
from starchat_tui.cli.repl import Repl
from starchat_tui.client.protocol import Progress, Sampling
from starchat_tui.errors import OutOfMemory
from starchat_tui.models.resolver import Voices
from starchat_tui.settings import Settings
from starchat_tui.terminal.input_history import InputHistory
from tests.fakes import byte_tokenizer
from tests.scripted import ScriptedEngine

LEAVE = "\x04"
Talk = Callable[..., tuple[Repl, io.StringIO, io.StringIO]]


@pytest.fixture
def keys() -> Iterator[PipeInput]:
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
        yield pipe


@pytest.fixture
def engine() -> ScriptedEngine:
    return ScriptedEngine()


@pytest.fixture
def talk(tmp_path: Path, engine: ScriptedEngine, keys: PipeInput) -> Talk:
    tokenizer = tmp_path / "tokenizer.json"
    tokenizer.write_text(json.dumps(byte_tokenizer()))

    def made(*, accessible: bool = False) -> tuple[Repl, io.StringIO, io.StringIO]:
        settings = Settings(url="http://x", tokenizer=str(tokenizer), window=30_000)
        session = Session(
            History.in_memory(), engine, Voices(settings, engine), sampling=Sampling()
        )
        out, err = io.StringIO(), io.StringIO()
        recall = InputHistory(tmp_path / "history.jsonl")
        terminal = Terminal(out, err, color=False)
        return Repl(session, terminal, recall, accessible=accessible, environ={}), out, err

    return made


async def test_questions_are_answered_in_turn(
    talk: Talk, engine: ScriptedEngine, keys: PipeInput
) -> None:
    engine.enqueue(Progress("loading", 1, 2), "Hel", "lo\x1b[2J")
    engine.enqueue("Bye")
    repl, out, err = talk()
    keys.send_text("one\rtwo\x0alines\r" + LEAVE)
    await repl.run()
    assert out.getvalue() == "Hello␛[2J\nBye\n"
    assert "loading 1 of 2" in err.getvalue()
    assert err.getvalue().count("tok/s") == 2
    asked = engine.requests[1].prompt
    text = bytes(token for token in asked if isinstance(token, int) and token < 256).decode()
    assert "two\nlines" in text


async def test_commands_are_obeyed_and_never_sent(
    talk: Talk, engine: ScriptedEngine, keys: PipeInput, tmp_path: Path
) -> None:
    engine.enqueue("```python\nx = 1\n```")
    engine.enqueue("again")
    repl, out, err = talk()
    saved = tmp_path / "x.py"
    keys.send_text(
        f"q\r/save 1 {saved}\r/save 9 y\r/copy\r/mode ta\r/retry\r/prompt\r/nope\r/help\r/quit\r"
    )
    await repl.run()
    assert saved.read_text() == "x = 1\n"
    assert [request.shared > 0 for request in engine.requests] == [False, True]
    assert "\x1b]52;c;eCA9IDE" in out.getvalue()
    assert "Human: q\n\nAssistant: again" in out.getvalue()
    assert "/resume [words]" in out.getvalue()
    said = err.getvalue()
    for told in ("ta mode", str(saved), "no command `/nope`", "numbered 1 to"):
        assert told in re.sub(r"\s+", " ", said), told


async def test_a_failure_is_told_and_the_talk_goes_on(
    talk: Talk, engine: ScriptedEngine, keys: PipeInput
) -> None:
    engine.enqueue("half", OutOfMemory("No memory", "choose a smaller model"))
    engine.enqueue("whole")
    repl, out, err = talk()
    keys.send_text("one\rtwo\r" + LEAVE)
    await repl.run()
    assert out.getvalue() == "half\nwhole\n"
    assert "No memory\n  choose a smaller model" in err.getvalue()


async def test_a_screen_reader_hears_labels_and_no_progress(
    talk: Talk, engine: ScriptedEngine, keys: PipeInput
) -> None:
    engine.enqueue(Progress("loading", 1, 2), "Hello")
    repl, out, err = talk(accessible=True)
    keys.send_text("one\r" + LEAVE)
    await repl.run()
    assert out.getvalue() == "Assistant:\nHello\n"
    assert "loading" not in err.getvalue()
    assert "\x1b" not in out.getvalue() + err.getvalue()


async def test_what_was_typed_is_remembered(
    talk: Talk, engine: ScriptedEngine, keys: PipeInput, tmp_path: Path
) -> None:
    engine.enqueue("a")
    repl, _, _ = talk()
    keys.send_text("remember me\r" + LEAVE)
    await repl.run()
    assert InputHistory(tmp_path / "history.jsonl").entries == ("remember me",)


async def test_ctrl_c_at_the_prompt_clears_the_line(
    talk: Talk, engine: ScriptedEngine, keys: PipeInput
) -> None:
    engine.enqueue("a")
    repl, out, _ = talk()
    keys.send_text("wrong\x03right\r" + LEAVE)
    await repl.run()
    assert len(engine.requests) == 1
    assert out.getvalue() == "a\n"
