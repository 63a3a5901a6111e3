"""Standard error of libraries while the full screen is shown: it goes to a log.

Python's own streams are taken by Textual, but native code (libpng, Rust's panic handler) writes
to descriptor 2, which is the screen.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_MAX_BYTES = 2**20
"""Size beyond which the log is begun anew."""


@contextmanager
def divert_stderr(log: Path) -> Iterator[None]:
    """Let descriptor 2 lead to a log in the block; `sys.__stderr__` stays the terminal.

    Textual writes its frames to `sys.__stderr__`. Where there is no log, as on a full disk, what
    libraries write is discarded.
    """
    before, stream = os.dup(2), sys.__stderr__
    target = _open_log(log)
    # A descriptor of its own: closing the stream must not close the one to restore.
    with open(os.dup(before), "w", encoding="utf-8", errors="backslashreplace") as terminal:
        sys.__stderr__ = terminal  # type: ignore[misc]
        os.dup2(target, 2)
        os.close(target)
        try:
            yield
        finally:
            with suppress(OSError):  # the terminal may be gone
                terminal.flush()
            os.dup2(before, 2)
            os.close(before)
            sys.__stderr__ = stream  # type: ignore[misc]


def _open_log(log: Path) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    with suppress(OSError):
        if log.exists() and log.stat().st_size > _MAX_BYTES:
            log.unlink()
        return os.open(log, flags, 0o600)
    return os.open(os.devnull, os.O_WRONLY)
