"""Error boundary of every command, of `starchat` and of training.

An error becomes two lines on stderr (what happened, what to do next) and an exit code; a bug
becomes one line and an entry in a log. Imports nothing heavy, because `train` uses it as well.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

from starchat_tui.cli.standard_streams import (
    discard_output,
    find_write_failure,
    open_missing_streams,
    print_message,
)
from starchat_tui.config.extras import find_missing_extra
from starchat_tui.errors import StarChatError, UsageError
from starchat_tui.sanitize import replace_surrogates

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

_EXIT_INTERRUPTED = 130
_EXIT_BROKEN_PIPE = 141
"""128 + SIGPIPE, the code of a program that does not handle the signal."""


_NOT_TEXT = UsageError("An argument is not text in UTF-8", "check its bytes: `printf %s … | xxd`")


class ArgumentParser(argparse.ArgumentParser):
    """Parser that raises `UsageError` instead of exiting."""

    def error(self, message: str) -> NoReturn:
        """Raise the message that argparse would print."""
        raise UsageError(message[:1].upper() + message[1:], f"`{self.prog} --help` lists all flags")

    def _print_message(self, message: str, file: SupportsWrite[str] | None = None) -> None:
        # argparse ignores that a help text cannot be written.
        (file or sys.stderr).write(message)


def report_errors(run: Callable[[], int], *, program: str = "starchat") -> int:
    """Return the exit code of `run`; an error is printed and becomes its own exit code."""
    open_missing_streams()
    try:
        code = run()
        # A closed pipe shows here and not while the interpreter exits, with a traceback.
        sys.stdout.flush()
    except StarChatError as error:
        return print_error(error, program=program)
    except SystemExit:
        # `--help` ends so, and where its text cannot be written, the flush at exit would fail.
        if (failure := find_write_failure(None)) is not None:
            return print_error(failure, program=program)
        raise
    except KeyboardInterrupt:
        return _EXIT_INTERRUPTED
    except BrokenPipeError:
        # Nobody reads what is still buffered.
        discard_output(1)
        return _EXIT_BROKEN_PIPE
    except UnicodeEncodeError as error:
        # Python keeps bytes of the command line that are no UTF-8 as surrogates, which no database
        # and no server takes.
        if not any(map(_has_surrogates, sys.argv)):
            return _report_bug(error, program)
        return print_error(_NOT_TEXT, program=program)
    except Exception as error:  # noqa: BLE001 (the boundary: a bug becomes a hint and a log entry)
        missing = find_missing_extra(error) if isinstance(error, ImportError) else None
        if missing is not None:
            return print_error(missing, program=program)
        failure = find_write_failure(error)
        if failure is not None:
            return print_error(failure, program=program)
        return _report_bug(error, program)
    return code


def print_error(error: StarChatError, *, program: str = "starchat", context: str = "") -> int:
    """Print on stderr what happened and what to do next; returns the exit code.

    `context` says which part of the program failed, such as the process of a distributed run.
    """
    print_message(f"{program}: {context}{error.message}")
    if error.hint:
        print_message(f"  {error.hint}")
    return error.exit_code


def _has_surrogates(text: str) -> bool:
    return replace_surrogates(text) != text


def _report_bug(error: Exception, program: str) -> int:
    from starchat_tui.config.paths import find_paths

    message = type(error).__name__
    try:
        message += f": {error}"
        log = find_paths(os.environ).state / "errors.log"
        # Tracebacks may quote what was asked.
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "a", encoding="utf-8", errors="replace") as file:
            traceback.print_exception(error, file=file)
    except Exception:  # noqa: BLE001  (whatever is wrong with the machine: this is the last handler)
        # Without a place for the log, the traceback itself is the best report.
        print_message("".join(traceback.format_exception(error)))
        hint = "this is a bug in StarChat: please report it with the traceback above"
    else:
        hint = f"this is a bug in StarChat: please report it with the end of `{log}`"
    print_message(f"{program}: {message}\n  {hint}")
    return 1
