"""One question from the command line: stdin and question in, the answer on stdout.

stdout carries the answer alone; progress and statistics go to stderr, and only to a terminal.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TextIO

from starchat_tui.chat.events import Event, Failed, Finished, Said, Stats, Waiting
from starchat_tui.chat.session import Session
from starchat_tui.client.protocol import Progress
from starchat_tui.codeblocks import CodeBlock, blocks
from starchat_tui.errors import (
    AnswerCut,
    EngineGone,
    Interrupted,
    NoCode,
    StarChatError,
    Terminated,
    TimeLimit,
    UsageError,
)
from starchat_tui.sanitize import clean
from starchat_tui.terminal.ansi_markdown import Painter

_SECOND_INTERRUPT = 130
_LANGUAGES = {
    **{"py": "python", "pyi": "python", "js": "javascript", "ts": "typescript", "rs": "rust"},
    **{
        "sh": "bash",
        "rb": "ruby",
        "h": "c",
        "cc": "cpp",
        "hpp": "cpp",
        "yml": "yaml",
        "md": "markdown",
    },
}
_PYTHON = re.compile(r"^(?:#!.*python|(?:from|import|def|class|async def|@)\s*\w.*)", re.MULTILINE)
_SHELL = re.compile(r"\A#!.*\b(?:ba|z|da|k)?sh\b")


@dataclass(frozen=True, slots=True)
class Asking:
    """What the command line asked for."""

    question: str
    files: tuple[Path, ...] = ()
    piped: str = ""
    style: Literal["append", "prepend", "raw"] = "append"
    """Where what was piped in stands: fenced behind the question, before it, or as it is."""
    extract: Literal["", "first", "last"] = ""
    json: bool = False
    stream: bool = True
    fail_on_length: bool = False
    run: bool = False
    """Whether the answer's code is run afterwards, by whoever asks."""
    clean: bool = False
    """Whether a pipe gets the answer cleaned, too."""
    timeout: float = 0.0
    """Seconds the answer may take; 0 is for ever."""


@dataclass(slots=True)
class Terminal:
    """The three streams and how they may be written to."""

    out: TextIO = field(default_factory=lambda: sys.stdout)
    err: TextIO = field(default_factory=lambda: sys.stderr)
    color: bool = False
    quiet: bool = False

    @property
    def chatty(self) -> bool:
        """Whether progress and statistics have a reader."""
        return not self.quiet and self.err.isatty()


def question_text(asking: Asking) -> str:
    """The question with what was piped and attached in fences around it."""
    parts = [_fenced(text, _language_of(path, text)) for path, text in _attached(asking.files)]
    if asking.piped.strip():
        raw = asking.style == "raw"
        parts.append(asking.piped if raw else _fenced(asking.piped, _guessed(asking.piped)))
    question = asking.question.strip()
    ordered = [*parts, question] if asking.style == "prepend" else [question, *parts]
    text = "\n\n".join(part for part in ordered if part)
    if not text.strip():
        raise UsageError("There is no question", 'type one: starchat "why does it fail?"')
    return text


def _attached(files: tuple[Path, ...]) -> list[tuple[Path, str]]:
    try:
        return [(path, path.read_text(encoding="utf-8")) for path in files]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"A file cannot be read ({error})", "`-f` takes text files") from error


def _fenced(text: str, language: str) -> str:
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def _language_of(path: Path, text: str) -> str:
    suffix = path.suffix.lstrip(".").lower()
    return _LANGUAGES.get(suffix, suffix) or _guessed(text)


def _guessed(text: str) -> str:
    """The language of a piped text where its look is plain; Pygments' guess loads every lexer."""
    if _SHELL.match(text):
        return "bash"
    return "python" if _PYTHON.search(text) else ""


async def ask(session: Session, asking: Asking, terminal: Terminal) -> Finished:
    """Ask and print; raises a `StarChatError` with the exit code that tells how it failed.

    Where the code is to be run, too, the JSON is left to whoever runs it.
    """
    run = _Run(session, asking, terminal)
    return await run.to_end()


class _Run:
    """One question on its way to the terminal."""

    def __init__(self, session: Session, asking: Asking, terminal: Terminal) -> None:
        self._session = session
        self._asking = asking
        self._terminal = terminal
        self._painter = Painter(color=terminal.color)
        self._cleaned = terminal.out.isatty() or asking.clean
        self._plain = not (self._cleaned or terminal.color)
        self._ended: StarChatError | None = None
        """Why it was stopped from outside."""
        self._finish: Finished | None = None
        self._shown = False
        self._last = "\n"

    async def to_end(self) -> Finished:
        """Ask, print, and raise what the exit code is made of."""
        text = question_text(self._asking)
        self._watch()
        try:
            async with aclosing(self._session.say(text)) as events:
                async for event in events:
                    self._show(event)
        except BrokenPipeError:
            # Whoever read the answer has enough; what came is in the history.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._terminal.out.fileno())
            raise SystemExit(128 + signal.SIGPIPE) from None
        assert self._finish is not None
        return self._finish

    def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self._interrupt)
        for number in (signal.SIGTERM, signal.SIGHUP):
            ended = Terminated(f"Ended by {number.name}", "`starchat -c` goes on with what came")
            ended.exit_code = 128 + number
            loop.add_signal_handler(number, self._end, ended)
        if self._asking.timeout:
            seconds = self._asking.timeout
            late = TimeLimit(f"No whole answer within {seconds:g} s", "raise `--timeout`")
            loop.call_later(seconds, self._end, late)

    def _interrupt(self) -> None:
        if self._ended is not None:
            os._exit(_SECOND_INTERRUPT)
        self._end(Interrupted("Stopped", "`starchat -c` goes on with what came"))

    def _end(self, reason: StarChatError) -> None:
        self._ended = self._ended or reason
        self._session.stop()

    def _show(self, event: Event) -> None:
        if isinstance(event, Waiting):
            self._progress(event.progress)
        elif isinstance(event, Said):
            self._wipe()
            if self._streams:
                self._say(event.text)
        elif isinstance(event, Failed):
            self._wipe()
            self._end_text()
            raise self._ended or event.error
        elif isinstance(event, Finished):
            self._finished(event)

    @property
    def _streams(self) -> bool:
        return self._asking.stream and not self._asking.extract and not self._asking.json

    def _finished(self, event: Finished) -> None:
        self._finish = event
        self._wipe()
        if event.state == "stopped" and self._ended is None:
            # Not by this process: the answer is half of one, and nobody is to take it for a whole.
            self._ended = EngineGone(
                "The engine was told to leave before the answer was complete",
                "ask again: a new one starts; `starchat -c` goes on with what came",
            )
        if self._ended is None:
            self._print_whole(event)
        self._end_text()
        if self._ended is not None:
            raise self._ended
        self._statistics(event.stats)
        if event.state == "cut" and self._asking.fail_on_length:
            raise AnswerCut("The answer was cut", "raise `--max-tokens`")

    def _print_whole(self, event: Finished) -> None:
        if self._asking.json and self._asking.run:
            return
        if self._asking.json:
            document = answer_json(event, self._session.conversation)
            # Escaped, the values stay what they are; cleaned, they would be others.
            self._write(json.dumps(document, ensure_ascii=self._cleaned))
        elif self._asking.extract:
            code = self._extracted(event.text).code
            self._write(clean(code) if self._cleaned else code)
        elif not self._asking.stream:
            self._say(event.text)

    def _extracted(self, text: str) -> CodeBlock:
        found = blocks(text)
        if not found:
            raise NoCode(
                "The answer holds no code block", "ask without `-x` to see it, or ask for code"
            )
        return found[0 if self._asking.extract == "first" else -1]

    def _write(self, text: str) -> None:
        if text:
            self._terminal.out.write(text)
            self._terminal.out.flush()
            self._last = text[-1]

    def _say(self, text: str) -> None:
        self._write(text if self._plain else self._painter.feed(text))

    def _end_text(self) -> None:
        self._write(self._painter.finish())
        if self._last != "\n":
            self._write("\n")

    def _progress(self, progress: Progress) -> None:
        if self._terminal.chatty:
            self._terminal.err.write(f"\r\x1b[K{clean(progress_text(progress))}")
            self._terminal.err.flush()
            self._shown = True

    def _wipe(self) -> None:
        if self._shown:
            self._terminal.err.write("\r\x1b[K")
            self._terminal.err.flush()
            self._shown = False

    def _statistics(self, stats: Stats) -> None:
        if self._terminal.chatty:
            print(f"\x1b[2m{clean(stats_text(stats))}\x1b[0m", file=self._terminal.err)


def progress_text(progress: Progress) -> str:
    """What the engine does, for a reader."""
    if progress.stage == "queued":
        return f"waiting for {progress.done} before this one" if progress.done else "waiting"
    share = f" {progress.done} of {progress.total}" if progress.total else ""
    return f"{progress.stage}{share} …"


def stats_text(stats: Stats) -> str:
    """What the answer took, in one line."""
    return " · ".join(
        (
            stats.model,
            stats.mode,
            f"{stats.prompt_tokens} tokens of prompt, {stats.cached_tokens} cached",
            f"{stats.completion_tokens} of answer",
            f"{stats.tokens_per_second:.1f} tok/s",
            f"first after {stats.first_token:.2f} s",
        )
    )


def answer_json(event: Finished, conversation: str) -> dict[str, object]:
    """The one object `--json` prints."""
    stats = event.stats
    return {
        "response": event.text,
        "code_blocks": [
            {"language": block.language, "code": block.code} for block in blocks(event.text)
        ],
        "model": stats.model,
        "mode": stats.mode,
        "prompt_tokens": stats.prompt_tokens,
        "cached_tokens": stats.cached_tokens,
        "completion_tokens": stats.completion_tokens,
        "finish_reason": stats.finish_reason,
        "seconds": round(stats.seconds, 4),
        "first_token_seconds": round(stats.first_token, 4),
        "tokens_per_second": round(stats.tokens_per_second, 2),
        "conversation": conversation,
    }
