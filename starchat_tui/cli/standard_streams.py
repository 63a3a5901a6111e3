"""Standard streams that are closed, full or gone: no command may fail at its own messages."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress

from starchat_tui.errors import StarChatError
from starchat_tui.sanitize import sanitize_text

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


def open_missing_streams() -> None:
    """Make the three standard streams usable where the caller closed them (`>&-`).

    Python has None in their place, and `print` writes to stdout what was meant for a missing
    stderr. The descriptors are opened as well: the next file would get theirs, and what a library
    prints would be written into a database.
    """
    for descriptor in (0, 1, 2):
        with suppress(OSError):
            os.fstat(descriptor)
            continue
        # Not writable, so that an answer is not taken for delivered. The lowest free descriptor is
        # the one that is given out.
        os.open(os.devnull, os.O_WRONLY if descriptor == 2 else os.O_RDONLY)
    if sys.stdin is None:
        sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)


def find_write_failure(error: Exception | None) -> StarChatError | None:
    """Return an error of ours if stdout cannot be written, or if `error` is a disk that is full."""
    reason: OSError | None = None
    try:
        # Text that could not be written stays in the buffer, and fails again.
        sys.stdout.flush()
    except OSError as failed:
        reason = failed
        discard_output(1)
    if reason is None and isinstance(error, OSError) and error.errno in _FULL:
        # Python had no buffer (PYTHONUNBUFFERED), or it was a file of ours.
        reason = error
    if reason is None:
        return None
    what = f"`{reason.filename}`" if reason.filename else "The output"
    return StarChatError(
        f"{what} cannot be written ({reason.strerror})",
        "free space where it goes, or send it elsewhere",
    )


def discard_output(descriptor: int) -> None:
    """Let what is still written to a descriptor vanish: the flush at exit must not fail on it."""
    with suppress(OSError):
        target = os.open(os.devnull, os.O_WRONLY)
        os.dup2(target, descriptor)
        os.close(target)


def print_message(text: str) -> None:
    """Print sanitized text on stderr, or nothing where that cannot be written."""
    try:
        print(sanitize_text(text), file=sys.stderr, flush=True)
    # ValueError: the stream was closed.
    except (OSError, ValueError):
        discard_output(2)
