from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from starchat_tui.chat.session import Session
from starchat_tui.chat.store import ConversationStore
from starchat_tui.cli.ask import Terminal
from starchat_tui.cli.repl import Repl
from starchat_tui.client.protocol import Progress, Sampling
from starchat_tui.config.settings import Settings
from starchat_tui.errors import OutOfMemory
from starchat_tui.models.resolver import ModelResolver
from starchat_tui.terminal.input_history import InputHistory
from tests.cli.keyboard import Keyboard
from tests.fakes import byte_tokenizer
from tests.scripted import ScriptedEngine

QUIT = "\x04"
MakeRepl = Callable[..., tuple[Repl, io.StringIO, io.StringIO]]


@pytest.fixture
def engine() -> ScriptedEngine:
    return ScriptedEngine()


@pytest.fixture
def make_repl(tmp_path: Path, engine: ScriptedEngine, keys: Keyboard) -> MakeRepl:
    tokenizer = tmp_path / "tokenizer.json"
    tokenizer.write_text(json.dumps(byte_tokenizer()))

    def make(*, accessible: bool = False) -> tuple[Repl, io.StringIO, io.StringIO]:
        settings = Settings(url="http://x", tokenizer=str(tokenizer), window=30_000)
        session = Session(
            ConversationStore.in_memory(),
            engine,
            ModelResolver(settings, engine),
            sampling=Sampling(),
        )
        out, err = io.StringIO(), io.StringIO()
        input_history = InputHistory(tmp_path / "history.jsonl")
        terminal = Terminal(out, err, color=False)
        return Repl(session, terminal, input_history, accessible=accessible, environ={}), out, err

    return make


async def test_questions_are_answered_in_order(
    make_repl: MakeRepl, engine: ScriptedEngine, keys: Keyboard
) -> None:
    engine.enqueue(Progress("loading", 1, 2), "Hel", "lo\x1b[2J")
    engine.enqueue("Bye")
    repl, out, err = make_repl()
    keys.send_text("one\rtwo\x0alines\r" + QUIT)
    await repl.run()
    assert out.getvalue() == "Hello␛[2J\nBye\n"
    assert "loading the model … 50 %" in err.getvalue()
    assert err.getvalue().count("answer tokens") == 2
    asked = engine.requests[1].prompt
    text = bytes(token for token in asked if isinstance(token, int) and token < 256).decode()
    assert "two\nlines" in text


async def test_commands_run_and_are_not_sent_to_the_model(
    make_repl: MakeRepl, engine: ScriptedEngine, keys: Keyboard, tmp_path: Path
) -> None:
    engine.enqueue("```python\nx = 1\n```")
    engine.enqueue("again")
    repl, out, err = make_repl()
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
    assert re.search(r"/savefile NAME \[PATH\] +save a file", out.getvalue())
    printed = err.getvalue()
    for text in ("ta mode", str(saved), "Unknown command `/nope`", "numbered 1 to"):
        assert text in re.sub(r"\s+", " ", printed), text


async def test_error_is_printed_and_the_chat_continues(
    make_repl: MakeRepl, engine: ScriptedEngine, keys: Keyboard
) -> None:
    engine.enqueue("half", OutOfMemory("No memory", "choose a smaller model"))
    engine.enqueue("whole")
    repl, out, err = make_repl()
    keys.send_text("one\rtwo\r" + QUIT)
    await repl.run()
    assert out.getvalue() == "half\nwhole\n"
    assert "No memory\n  choose a smaller model" in err.getvalue()


async def test_accessible_mode_has_labels_and_no_progress(
    make_repl: MakeRepl, engine: ScriptedEngine, keys: Keyboard
) -> None:
    engine.enqueue(Progress("loading", 1, 2), "Hello")
    repl, out, err = make_repl(accessible=True)
    keys.send_text("one\r" + QUIT)
    await repl.run()
    assert out.getvalue() == "Assistant:\nHello\n"
    assert "loading" not in err.getvalue()
    assert "\x1b" not in out.getvalue() + err.getvalue()


async def test_input_lines_are_stored(
    make_repl: MakeRepl, engine: ScriptedEngine, keys: Keyboard, tmp_path: Path
) -> None:
    engine.enqueue("a")
    repl, _, _ = make_repl()
    keys.send_text("remember me\r" + QUIT)
    await repl.run()
    assert InputHistory(tmp_path / "history.jsonl").entries == ("remember me",)


async def test_ctrl_c_at_the_prompt_clears_the_line(
    make_repl: MakeRepl, engine: ScriptedEngine, keys: Keyboard
) -> None:
    engine.enqueue("a")
    repl, out, _ = make_repl()
    keys.send_text("wrong\x03right\r" + QUIT)
    await repl.run()
    assert len(engine.requests) == 1
    assert out.getvalue() == "a\n"


async def test_command_without_a_handler_is_a_message(
    make_repl: MakeRepl, engine: ScriptedEngine, keys: Keyboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    handlers = {name: run for name, run in Repl.COMMAND_HANDLERS.items() if name != "theme"}
    monkeypatch.setattr(Repl, "COMMAND_HANDLERS", handlers)
    engine.enqueue("still here")
    repl, out, err = make_repl()
    keys.send_text("/theme\rhello\r" + QUIT)
    await repl.run()
    assert "`/theme` does not work in the line mode" in err.getvalue()
    assert out.getvalue() == "still here\n"


@pytest.mark.parametrize("command", ["/stop", "/theme"])
async def test_commands_of_the_full_screen_are_explained(
    make_repl: MakeRepl, keys: Keyboard, command: str
) -> None:
    repl, _, err = make_repl()
    keys.send_text(f"{command}\r" + QUIT)
    await repl.run()
    assert ("Ctrl+C" if command == "/stop" else "colors of your terminal") in err.getvalue()
