"""Printing of one answer: streams, JSON, extraction, exit codes."""

from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path
from typing import Any

import pytest

from starchat_tui.chat.session import Session
from starchat_tui.chat.store import ConversationStore
from starchat_tui.cli.ask import AskOptions, Terminal, ask_question
from starchat_tui.client.protocol import Delta, Progress, Sampling, Usage
from starchat_tui.config.settings import Settings
from starchat_tui.errors import (
    AnswerTruncated,
    EngineGone,
    NoCode,
    StarChatError,
    TimeLimitExceeded,
)
from starchat_tui.models.resolver import ModelResolver
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
def ask(tmp_path: Path) -> Any:
    """Asks a question; returns stdout, stderr and the error it ended with."""
    tokenizer = tmp_path / "tokenizer.json"
    tokenizer.write_text(json.dumps(byte_tokenizer()))

    async def run(
        *script: Piece, tty: bool = False, color: bool = False, quiet: bool = False, **how: Any
    ) -> tuple[str, str, StarChatError | None]:
        engine = ScriptedEngine([script])
        settings = Settings(url="http://x", tokenizer=str(tokenizer), window=4000)
        session = Session(
            ConversationStore.in_memory(),
            engine,
            ModelResolver(settings, engine),
            sampling=Sampling(),
        )
        out, err = Stream(tty=tty), Stream(tty=tty)
        try:
            await ask_question(
                session, AskOptions("q", **how), Terminal(out, err, color=color, quiet=quiet)
            )
        except StarChatError as error:
            return out.getvalue(), err.getvalue(), error
        return out.getvalue(), err.getvalue(), None

    return run


async def test_stdout_is_the_answer_and_a_newline(ask: Any) -> None:
    assert await ask(Progress("loading", 1, 2), "Hel", "lo") == ("Hello\n", "", None)


async def test_pipe_gets_raw_text_and_terminal_sanitized_text(ask: Any) -> None:
    assert (await ask("\x1b[2Jhi"))[0] == "\x1b[2Jhi\n"
    assert "\x1b" not in (await ask("\x1b[2Jhi", tty=True))[0]


async def test_progress_and_statistics_go_to_stderr(ask: Any) -> None:
    out, err, _ = await ask(Progress("loading", 1, 2), "hi", tty=True)
    assert out == "hi\n"
    assert "loading the model … 50 %" in err
    assert "answer tokens" in err
    assert (await ask(Progress("loading", 1, 2), "hi", tty=True, quiet=True))[1] == ""


async def test_extract_prints_only_code(ask: Any) -> None:
    assert (await ask(CODE, extract="first"))[0] == "x = 1\n"
    assert (await ask(CODE, extract="last"))[0] == "ls\n"


async def test_extract_without_code_is_exit_3(ask: Any) -> None:
    out, _, error = await ask("no code", extract="first")
    assert (out, type(error), error.exit_code) == ("", NoCode, 3)


async def test_json_is_one_object(ask: Any) -> None:
    out, _, _ = await ask(CODE, json=True)
    found = json.loads(out)
    assert found["response"] == CODE
    assert found["code_blocks"][1] == {"language": "sh", "code": "ls\n"}
    wanted = {"response", "code_blocks", "model", "mode", "prompt_tokens", "cached_tokens"}
    wanted |= {"completion_tokens", "finish_reason", "seconds", "tokens_per_second"}
    assert {*wanted, "conversation"} <= set(found)


async def test_truncated_answer_fails_only_if_requested(ask: Any) -> None:
    script = ("abc", Delta(finish_reason="length", usage=Usage(1, 1, 0)))
    assert (await ask(*script))[2] is None
    out, _, error = await ask(*script, fail_on_length=True)
    assert (out, type(error), error.exit_code) == ("abc\n", AnswerTruncated, 4)


async def test_timeout_is_exit_124_and_the_text_is_printed(ask: Any) -> None:
    out, _, error = await ask("abc", asyncio.Event(), timeout=1.0)
    assert (out, type(error), error.exit_code) == ("abc\n", TimeLimitExceeded, 124)


async def test_lost_engine_is_exit_69(ask: Any) -> None:
    out, _, error = await ask("abc", EngineGone("gone", "see the log"))
    assert (out, error.exit_code, error.hint) == ("abc\n", 69, "see the log")


@pytest.mark.parametrize("how", [{}, {"extract": "first"}, {"json": True}, {"stream": False}])
async def test_answer_stopped_elsewhere_is_exit_69(ask: Any, how: dict[str, Any]) -> None:
    out, _, error = await ask(CODE, Delta(finish_reason="cancelled"), **how)
    assert (out, type(error), error.exit_code) == ("" if how else CODE, EngineGone, 69)
    assert "starchat -c" in error.hint


async def test_failure_erases_the_progress(ask: Any) -> None:
    _, err, error = await ask(Progress("loading", 1, 2), EngineGone("gone", "log"), tty=True)
    assert error.exit_code == 69
    assert err.endswith("\r\x1b[K")


async def test_no_stream_prints_the_whole_answer(ask: Any) -> None:
    assert (await ask("a", "b", stream=False))[0] == "ab\n"
