"""Log of the engine process: opened for the engine, and its end for messages."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from starchat_tui.config.paths import NO_SPACE_TO_WRITE
from starchat_tui.errors import ConfigError

_MAX_BYTES = 2**20
"""Size beyond which the log is rotated."""
_TAIL_LINES = 5


def open_log(path: Path, fallback: Path | None = None) -> BinaryIO:
    """Open the log for appending, rotated if it is long.

    Where nothing can be written, the fallback is opened, and nothing where that cannot be written
    either: no answer depends on a log. The name of the opened file is its `name`. Raises
    `ConfigError` if something else is in the place of the log.
    """
    try:
        return _open_writable(path)
    except OSError as error:
        if error.errno not in NO_SPACE_TO_WRITE:
            raise ConfigError(
                f"The log `{path}` cannot be written ({error.strerror})",
                "remove what is there in its place, or set STARCHAT_HOME to another folder",
            ) from error
    return open_log(fallback) if fallback else open(os.devnull, "wb", buffering=0)


def _open_writable(path: Path) -> BinaryIO:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > _MAX_BYTES:
        path.replace(path.with_suffix(".log.1"))
    file = path.open("ab", buffering=0)
    try:
        # The engine would end at the first line that it cannot write.
        file.write(b"\n")
    except OSError:
        file.close()
        raise
    return file


def read_log_tail(path: Path) -> str:
    """Return the last lines of the log, below its name."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    last = [line for line in lines if line.strip()][-_TAIL_LINES:]
    return "\n  ".join([f"the end of its log, `{path}`:", *(last or ["(empty)"])])
