"""Errors of the conversation database, in words that say what to do."""

from __future__ import annotations

import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from starchat_tui.errors import StarChatError

_PRIMARY_CODE = 0xFF
"""Bits of an SQLite result code that name its kind; the others refine it."""


class StoreError(StarChatError):
    """The conversation database cannot be read or written."""

    code = "not_kept"


@contextmanager
def translate_errors(path: str) -> Iterator[None]:
    """Raise `StoreError` for the errors of SQLite; `path` is the file of the database."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise StoreError("This conversation was deleted", "start a new one with `/new`") from error
    except sqlite3.Error as error:
        raise StoreError(
            f"The conversations cannot be read or written ({error})",
            suggest_remedy(error, path),
        ) from error


def suggest_remedy(error: BaseException, path: str) -> str:
    """Return what can be done about an error of SQLite, or another one at the database's file."""
    # Codes and their meaning: https://www.sqlite.org/rescode.html
    match getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return f"another program holds the file: `fuser {shlex.quote(path)}` tells which"
        case sqlite3.SQLITE_FULL:
            return "free some disk space, then ask again"
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM | sqlite3.SQLITE_CANTOPEN:
            return "make the file and its folder writable, or use `starchat -n` to do without"
        case sqlite3.SQLITE_IOERR:
            return "the disk may be full or failing; `starchat -n` does without"
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return (
                "the file is damaged: close StarChat everywhere, then run `starchat recover`, "
                "which saves what can be read"
            )
    return "move the file away to start a new one, or use `starchat -n` to do without"
