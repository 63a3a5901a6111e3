from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path
from typing import Any

import pytest

from starchat_tui.chat.session import Session
from starchat_tui.chat.store import History
from starchat_tui.cli.ask import Asking, Terminal, ask, question_text
from starchat_tui.client.protocol import Delta, Progress, Sampling, Usage
from starchat_tui.errors import AnswerCut, EngineGone, NoCode, StarChatError, TimeLimit, UsageError
from starchat_tui.models.resolver import Voices
from starchat_tui.settings import Settings
from tests.fakes import byte_tokenizer
from tests.scripted import Piece, ScriptedEngine

CODE = "Sure:\n\n```python\nx = 1\n```\nand\n\n```sh\nls\n```\n"


class Stream(io.StringIO):
    def __init__(self, *, tty: bool = False) -> None:
        super().__init__()
        self._tty = tty

    def isatty(self) -> bool:
        return self._tty


@pytest.fixture
def asked(tmp_path: Path) -> Any:
    """Asks a question; returns stdout, stderr and the error it ended with."""
    tokenizer = tmp_path / "tokenizer.json"
    tokenizer.write_text(json.dumps(byte_tokenizer()))

    async def run(
        *script: Piece, tty: bool = False, color: bool = False, quiet: bool = False, **how: Any
    ) -> tuple[str, str, StarChatError | None]:
        engine = ScriptedEngine([script])
        settings = Settings(url="http://x", tokenizer=str(tokenizer), window=4000)
        session = Session(
            History.in_memory(), engine, Voices(settings, engine), sampling=Sampling()
        )
        out, err = Stream(tty=tty), Stream(tty=tty)
        try:
            await ask(session, Asking("q", **how), Terminal(out, err, color=color, quiet=quiet))
        except StarChatError as error:
            return out.getvalue(), err.getvalue(), error
        return out.getvalue(), err.getvalue(), None

    return run


async def test_stdout_is_the_answer_and_ends_with_a_newline(asked: Any) -> None:
    assert await asked(Progress("loading", 1, 2), "Hel", "lo") == ("Hello\n", "", None)


async def test_a_pipe_gets_the_bytes_and_a_terminal_gets_them_clean(asked: Any) -> None:
    assert (await asked("\x1b[2Jhi"))[0] == "\x1b[2Jhi\n"
    assert "\x1b" not in (await asked("\x1b[2Jhi", tty=True))[0]


async def test_a_terminal_sees_progress_and_statistics_on_stderr(asked: Any) -> None:
    out, err, _ = await asked(Progress("loading", 1, 2), "hi", tty=True)
    assert out == "hi\n"
    assert "loading 1 of 2" in err
    assert "tok/s" in err
    assert (await asked(Progress("loading", 1, 2), "hi", tty=True, quiet=True))[1] == ""


async def test_extract_prints_only_code(asked: Any) -> None:
    assert (await asked(CODE, extract="first"))[0] == "x = 1\n"
    assert (await asked(CODE, extract="last"))[0] == "ls\n"


async def test_extract_without_code_is_exit_3(asked: Any) -> None:
    out, _, error = await asked("no code", extract="first")
    assert (out, type(error), error.exit_code) == ("", NoCode, 3)


async def test_json_is_one_object(asked: Any) -> None:
    out, _, _ = await asked(CODE, json=True)
    found = json.loads(out)
    assert found["response"] == CODE
    assert found["code_blocks"][1] == {"language": "sh", "code": "ls\n"}
    wanted = {"response", "code_blocks", "model", "mode", "prompt_tokens", "cached_tokens"}
    wanted |= {"completion_tokens", "finish_reason", "seconds", "tokens_per_second"}
    assert {*wanted, "conversation"} <= set(found)


async def test_a_cut_answer_fails_only_where_that_was_asked(asked: Any) -> None:
    script = ("abc", Delta(finish_reason="length", usage=Usage(1, 1, 0)))
    assert (await asked(*script))[2] is None
    out, _, error = await asked(*script, fail_on_length=True)
    assert (out, type(error), error.exit_code) == ("abc\n", AnswerCut, 4)


async def test_a_late_answer_is_exit_124_and_what_came_is_printed(asked: Any) -> None:
    out, _, error = await asked("abc", asyncio.Event(), timeout=1.0)
    assert (out, type(error), error.exit_code) == ("abc\n", TimeLimit, 124)


async def test_an_engine_that_goes_is_exit_69(asked: Any) -> None:
    out, _, error = await asked("abc", EngineGone("gone", "see the log"))
    assert (out, error.exit_code, error.hint) == ("abc\n", 69, "see the log")


@pytest.mark.parametrize("how", [{}, {"extract": "first"}, {"json": True}, {"stream": False}])
async def test_an_answer_that_others_ended_is_exit_69(asked: Any, how: dict[str, Any]) -> None:
    out, _, error = await asked(CODE, Delta(finish_reason="cancelled"), **how)
    assert (out, type(error), error.exit_code) == ("" if how else CODE, EngineGone, 69)
    assert "starchat -c" in error.hint


async def test_a_failure_leaves_no_progress_on_the_terminal(asked: Any) -> None:
    _, err, error = await asked(Progress("loading", 1, 2), EngineGone("gone", "log"), tty=True)
    assert error.exit_code == 69
    assert err.endswith("\r\x1b[K")


async def test_no_stream_prints_at_the_end(asked: Any) -> None:
    assert (await asked("a", "b", stream=False))[0] == "ab\n"


def test_the_question_comes_first_and_the_pipe_is_fenced() -> None:
    text = question_text(Asking("Why?", piped="def f():\n    return '```'\n"))
    assert text == "Why?\n\n````python\ndef f():\n    return '```'\n````"


@pytest.mark.parametrize(
    ("style", "text"), [("prepend", "```\nab\n```\n\nWhy?"), ("raw", "Why?\n\nab\n")]
)
def test_the_pipe_stands_where_it_is_wanted(style: Any, text: str) -> None:
    assert question_text(Asking("Why?", piped="ab\n", style=style)) == text


def test_a_file_brings_its_language(tmp_path: Path) -> None:
    (tmp_path / "a.rs").write_text("fn main() {}")
    text = question_text(Asking("Explain", files=(tmp_path / "a.rs",)))
    assert text == "Explain\n\n```rust\nfn main() {}\n```"


@pytest.mark.parametrize(
    ("piped", "language"),
    [
        ("#!/bin/sh\nls", "bash"),
        ("import os", "python"),
        ("hello there", ""),
        ("@x\nclass A: 1", "python"),
    ],
)
def test_the_language_is_named_where_it_is_plain(piped: str, language: str) -> None:
    assert question_text(Asking("", piped=piped)).startswith(f"```{language}\n")


def test_nothing_to_ask_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no question"):
        question_text(Asking(" ", piped="\n"))
    with pytest.raises(UsageError, match="cannot be read"):
        question_text(Asking("q", files=(tmp_path / "absent",)))
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="cannot be read"):
        question_text(Asking("q", files=(tmp_path / "binary",)))
