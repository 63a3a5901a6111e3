"""Printing of one answer.

stdout carries the answer alone; progress and statistics go to stderr, and only to a terminal.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TextIO

from starchat_tui.chat.events import (
    AnswerFailed,
    AnswerFinished,
    AnswerText,
    ChatEvent,
    EngineProgress,
)
from starchat_tui.chat.session import Session
from starchat_tui.cli.question import InputStyle, build_question
from starchat_tui.client.answer_stats import AnswerStats
from starchat_tui.client.protocol import Progress
from starchat_tui.codeblocks import CodeBlock, parse_code_blocks
from starchat_tui.errors import (
    AnswerTruncated,
    EngineGone,
    Interrupted,
    NoCode,
    StarChatError,
    Terminated,
    TimeLimitExceeded,
)
from starchat_tui.sanitize import sanitize_text
from starchat_tui.terminal.ansi_markdown import AnsiMarkdownRenderer
from starchat_tui.terminal.status_text import format_progress, format_stats

_EXIT_INTERRUPTED = 130
_CONTINUE_HINT = "`starchat -c` continues from the answer so far"


@dataclass(frozen=True, slots=True)
class AskOptions:
    """A question and how its answer is printed."""

    question: str
    files: tuple[Path, ...] = ()
    piped: str = ""
    style: InputStyle = "append"
    extract: Literal["", "first", "last"] = ""
    json: bool = False
    stream: bool = True
    fail_on_length: bool = False
    run: bool = False
    """True if the caller runs the answer's code afterwards and prints the JSON itself."""
    clean: bool = False
    """True to sanitize the answer also for a pipe."""
    timeout: float = 0.0
    """Seconds that the answer may take; 0: no limit."""

    @classmethod
    def from_flags(cls, flags: argparse.Namespace, question: str, piped: str) -> AskOptions:
        """Build the options from the flags of `starchat "question"`."""
        return cls(
            question,
            files=tuple(flags.file),
            piped=piped,
            style=flags.input_style,
            extract=flags.extract,
            json=flags.json,
            stream=flags.stream,
            fail_on_length=flags.fail_on_length,
            run=flags.run,
            clean=flags.clean,
            timeout=flags.timeout,
        )


@dataclass(slots=True)
class Terminal:
    """Output streams and how to write to them."""

    out: TextIO = field(default_factory=lambda: sys.stdout)
    err: TextIO = field(default_factory=lambda: sys.stderr)
    color: bool = False
    quiet: bool = False

    @property
    def shows_progress(self) -> bool:
        """True if progress and statistics are printed on stderr."""
        return not self.quiet and self.err.isatty()


async def ask_question(session: Session, options: AskOptions, terminal: Terminal) -> AnswerFinished:
    """Ask, print the answer and return its final event.

    Raises:
        StarChatError: There is no complete answer; its exit code says why.
    """
    return await _AnswerPrinter(session, options, terminal).print_answer()


class _AnswerPrinter:
    """Prints the events of one answer."""

    def __init__(self, session: Session, options: AskOptions, terminal: Terminal) -> None:
        self._session = session
        self._options = options
        self._terminal = terminal
        self._renderer = AnsiMarkdownRenderer(color=terminal.color)
        self._sanitizes = terminal.out.isatty() or options.clean
        self._prints_raw = not (self._sanitizes or terminal.color)
        self._stop_reason: StarChatError | None = None
        """Set once the answer is stopped by a signal or by the time limit."""
        self._final_event: AnswerFinished | None = None
        self._progress_is_shown = False
        self._last_character = "\n"

    async def print_answer(self) -> AnswerFinished:
        """Ask, print and return the final event; raises the error that ends the command."""
        options = self._options
        text = build_question(
            options.question, piped=options.piped, files=options.files, style=options.style
        )
        self._install_handlers()
        try:
            async with aclosing(self._session.ask(text)) as events:
                async for event in events:
                    self._print_event(event)
        except BrokenPipeError:
            # The reader of the pipe has enough; the answer so far is stored.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._terminal.out.fileno())
            raise SystemExit(128 + signal.SIGPIPE) from None
        assert self._final_event is not None
        return self._final_event

    def _install_handlers(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self._interrupt)
        for number in (signal.SIGTERM, signal.SIGHUP):
            ended = Terminated(f"Ended by {number.name}", _CONTINUE_HINT)
            ended.exit_code = 128 + number
            loop.add_signal_handler(number, self._stop, ended)
        if self._options.timeout:
            seconds = self._options.timeout
            late = TimeLimitExceeded(
                f"No complete answer within {seconds:g} s", "raise `--timeout`"
            )
            loop.call_later(seconds, self._stop, late)

    def _interrupt(self) -> None:
        if self._stop_reason is not None:
            # A second Ctrl+C: the first one could not end what hangs.
            os._exit(_EXIT_INTERRUPTED)
        self._stop(Interrupted("Stopped", _CONTINUE_HINT))

    def _stop(self, reason: StarChatError) -> None:
        self._stop_reason = self._stop_reason or reason
        self._session.stop()

    def _print_event(self, event: ChatEvent) -> None:
        if isinstance(event, EngineProgress):
            self._print_progress(event.progress)
        elif isinstance(event, AnswerText):
            self._erase_progress()
            if self._is_streaming:
                self._print_text(event.text)
        elif isinstance(event, AnswerFailed):
            self._erase_progress()
            self._end_text()
            raise self._stop_reason or event.error
        elif isinstance(event, AnswerFinished):
            self._finish(event)

    @property
    def _is_streaming(self) -> bool:
        return self._options.stream and not self._options.extract and not self._options.json

    def _finish(self, event: AnswerFinished) -> None:
        self._final_event = event
        self._erase_progress()
        if event.state == "stopped" and self._stop_reason is None:
            # Not stopped by this process: a script must not take half an answer for a whole one.
            self._stop_reason = EngineGone(
                "The engine was stopped before the answer was complete",
                f"ask again to start a new one; {_CONTINUE_HINT}",
            )
        if self._stop_reason is None:
            self._print_whole(event)
        self._end_text()
        if self._stop_reason is not None:
            raise self._stop_reason
        self._print_stats(event.stats)
        if event.state == "cut" and self._options.fail_on_length:
            raise AnswerTruncated("The answer was truncated", "raise `--max-tokens`")

    def _print_whole(self, event: AnswerFinished) -> None:
        if self._options.json and self._options.run:
            # The caller prints the JSON when the code has run.
            return
        if self._options.json:
            document = build_answer_json(event, self._session.conversation)
            # Escapes keep the values; sanitizing would change them.
            self._write(json.dumps(document, ensure_ascii=self._sanitizes))
        elif self._options.extract:
            code = self._extract_block(event.text).code
            self._write(sanitize_text(code) if self._sanitizes else code)
        elif not self._options.stream:
            self._print_text(event.text)

    def _extract_block(self, text: str) -> CodeBlock:
        found = parse_code_blocks(text)
        if not found:
            raise NoCode(
                "The answer has no code block", "ask without `-x` to see it, or ask for code"
            )
        return found[0 if self._options.extract == "first" else -1]

    def _write(self, text: str) -> None:
        if text:
            self._terminal.out.write(text)
            self._terminal.out.flush()
            self._last_character = text[-1]

    def _print_text(self, text: str) -> None:
        self._write(text if self._prints_raw else self._renderer.feed(text))

    def _end_text(self) -> None:
        self._write(self._renderer.finish())
        if self._last_character != "\n":
            self._write("\n")

    def _print_progress(self, progress: Progress) -> None:
        if self._terminal.shows_progress:
            self._terminal.err.write(f"\r\x1b[K{sanitize_text(format_progress(progress))}")
            self._terminal.err.flush()
            self._progress_is_shown = True

    def _erase_progress(self) -> None:
        if self._progress_is_shown:
            self._terminal.err.write("\r\x1b[K")
            self._terminal.err.flush()
            self._progress_is_shown = False

    def _print_stats(self, stats: AnswerStats) -> None:
        if self._terminal.shows_progress:
            print(f"\x1b[2m{sanitize_text(format_stats(stats))}\x1b[0m", file=self._terminal.err)


def build_answer_json(event: AnswerFinished, conversation: str) -> dict[str, object]:
    """Return the object that `--json` prints."""
    stats = event.stats
    return {
        "response": event.text,
        "code_blocks": [
            {"language": block.language, "code": block.code}
            for block in parse_code_blocks(event.text)
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
        "proposed_tokens": stats.proposed_tokens,
        "accepted_tokens": stats.accepted_tokens,
        "conversation": conversation,
    }
