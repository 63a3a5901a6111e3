"""Exclusive lock on the output folder of a run."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from train.atomic_files import translate_disk_errors
from train.train_errors import OutputInUse


@contextmanager
def lock_output(folder: Path) -> Iterator[None]:
    """Hold `folder`, creating it if needed; raises `OutputInUse` if another process does."""
    with translate_disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        # flock ends with the process, also after SIGKILL: no stale lock has to be cleaned up.
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise OutputInUse(
                f"`{folder}` is in use: another process is training into it",
                "wait until it ends, or choose another `output`",
            ) from error
        yield
    finally:
        os.close(handle)
