"""Log of the engine process: opened for the engine, and its end for messages."""

from __future__ import annotations

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
        return path.open("ab")
    except OSError as error:
        raise ConfigError(
            f"The log `{path}` cannot be written ({error.strerror})",
            "remove what is there in its place, or set STARCHAT_HOME to another folder",
        ) from error


def read_log_tail(path: Path) -> str:
    """Return the last lines of the log, below its name."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    last = [line for line in lines if line.strip()][-_TAIL_LINES:]
    return "\n  ".join([f"the end of its log, `{path}`:", *(last or ["(empty)"])])
