"""What every training command ends with: an exit code, and a user's mistake in two lines."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from typing import NoReturn

from starchat_tui.errors import StarChatError, UsageError
from starchat_tui.sanitize import clean


def told(run: Callable[[], int]) -> int:
    """What `run` returns; an error is said on stderr and becomes its exit code."""
    try:
        code = run()
        sys.stdout.flush()
    except StarChatError as error:
        tell(error)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of the pipe left; what is still buffered has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 141
    return code


def tell(error: StarChatError, who: str = "") -> None:
    """Say on stderr what happened, to whom, and what to do next."""
    print(f"error: {who}{clean(error.message)}", file=sys.stderr)
    if error.hint:
        print(f"  {clean(error.hint)}", file=sys.stderr)


class Parser(argparse.ArgumentParser):
    """A parser whose errors are ours."""

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print."""
        raise UsageError(message[:1].upper() + message[1:], f"`{self.prog} --help` shows all flags")


def positive(text: str) -> int:
    """A whole number above zero, for a flag."""
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number
