"""Log of the engine process: opened for the engine, and its end for messages."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import BinaryIO

from starchat_tui.errors import ConfigError

_MAX_BYTES = 2**20
"""Size beyond which the log is rotated."""
_TAIL_LINES = 5


def open_log(path: Path) -> BinaryIO:
    """Open the log for appending, rotated if it is long; raise `ConfigError` if that fails."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size > _MAX_BYTES:
            path.replace(path.with_suffix(".log.1"))
        return _open_writable(path)
    except OSError as error:
        raise ConfigError(
            f"The log `{path}` cannot be written ({error.strerror})",
            "remove what is there in its place, or set STARCHAT_HOME to another folder",
        ) from error


def _open_writable(path: Path) -> BinaryIO:
    """Open the log, or nothing in its place if the disk is full.

    The engine would end at the first line that it cannot write.
    """
    file = path.open("ab", buffering=0)
    try:
        file.write(b"\n")
    except OSError as error:
        file.close()
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        return open(os.devnull, "wb", buffering=0)
    return file


def read_log_tail(path: Path) -> str:
    """Return the last lines of the log, below its name."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    last = [line for line in lines if line.strip()][-_TAIL_LINES:]
    return "\n  ".join([f"the end of its log, `{path}`:", *(last or ["(empty)"])])
