"""Dispatch of the command line: a subcommand, a single question, or the chat."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Sequence

from starchat_tui.cli import argument_text, arguments, command_words, subcommands
from starchat_tui.cli.error_boundary import report_errors
from starchat_tui.cli.invocation import Invocation
from starchat_tui.cli.stdout import print_text
from starchat_tui.config.text_file import read_text
from starchat_tui.errors import UsageError

_EXAMPLE = 'ask one: starchat "why does it fail?"'


def run(argv: Sequence[str]) -> int:
    """Run the command in `argv` and return its exit code; errors are printed."""
    return report_errors(lambda: _dispatch(list(argv)))


def _dispatch(argv: list[str]) -> int:
    argument_text.require_text(argv, os.environ)
    name, rest = command_words.find_subcommand(argv) or ("", argv)
    if name and name != "repl":
        return subcommands.run_subcommand(name, rest)
    return _ask_or_chat(rest, line_mode=name == "repl")


def _ask_or_chat(argv: Sequence[str], *, line_mode: bool = False) -> int:
    """Answer the question on the command line or on stdin; without one, open the chat."""
    flags = arguments.parse_arguments(argv, line_mode=line_mode)
    if flags.version:
        from starchat_tui import __version__

        print_text(f"starchat {__version__}")
        return 0
    invocation = Invocation.from_flags(flags)
    question = " ".join(word for word in flags.words if word != "-")
    if not flags.file and not line_mode and not _has_piped_input():
        command_words.require_question(flags.words, argv)
    piped = _read_stdin(has_question=bool(question), explicit="-" in flags.words)
    if (question or piped or flags.file) and not (flags.interactive or line_mode):
        from starchat_tui.cli import ask_command

        return ask_command.answer_question(invocation, question, piped)
    _check_chat_flags(invocation)
    from starchat_tui.cli import chat_command

    first_question = "\n\n".join(part for part in (question, piped) if part)
    # The chat reads keys from stdin, which may be the pipe that was just read.
    _reopen_keyboard()
    return chat_command.open_chat(invocation, first_question, line_mode=line_mode)


def _check_chat_flags(invocation: Invocation) -> None:
    """Raise `UsageError` for flags that need a question, and without a terminal to chat in."""
    flags = invocation.flags
    for name, value in (
        ("--json", flags.json),
        ("-x", flags.extract),
        ("-f", flags.file),
        ("--run", flags.run),
    ):
        if value:
            raise UsageError(f"{name} needs a question", _EXAMPLE)
    if not (sys.stdout.isatty() and os.isatty(2)):
        raise UsageError("No question given, and no terminal to chat in", _EXAMPLE)


def _read_stdin(*, has_question: bool, explicit: bool) -> str:
    """Return the text piped into stdin, empty if there is none; `explicit` is a `-` argument.

    Beside a question only a pipe, a file or a socket is read: a stdin inherited from a service or
    an editor may stay open for ever without a byte.
    """
    try:
        is_terminal = os.isatty(0) or not os.fstat(0)
    except OSError:
        return ""
    if not explicit and (is_terminal or (has_question and not _has_piped_input())):
        return ""
    return read_text(sys.stdin.buffer, "Standard input")


def _has_piped_input() -> bool:
    """Return whether stdin is a pipe, a file or a socket."""
    try:
        mode = os.fstat(0).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or stat.S_ISSOCK(mode)


def _reopen_keyboard() -> None:
    """Make the keyboard stdin again after a pipe was read to its end."""
    if not os.isatty(0):
        os.dup2(os.open("/dev/tty", os.O_RDWR), 0)
        sys.stdin = sys.__stdin__ = os.fdopen(0)  # type: ignore[misc]
