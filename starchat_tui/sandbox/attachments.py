"""Files that the user attaches: checked so that no name can lead to another or an endless file."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from starchat_tui.errors import UsageError

_COPY_SIZE = 2**20


def map_names(paths: Sequence[Path]) -> dict[str, Path]:
    """Return the files by the names under which code finds them; raise `UsageError` for a clash."""
    found: dict[str, Path] = {}
    for path in paths:
        if path.name in found and found[path.name] != path:
            message = f"Two attached files are called `{path.name}`"
            raise UsageError(message, "rename one: code finds a file by its name alone")
        found[path.name] = path
    return found


def open_attachment(path: Path, max_size: int) -> tuple[int, int]:
    """Return a descriptor of a regular file of at most `max_size` bytes, and its size.

    Raises `UsageError` for what is missing, unreadable, too large, or no regular file. A symbolic
    link is refused: it may have come with a folder from elsewhere and name a secret of the user's.
    """
    try:
        # Checked before it is opened, since opening a device may already have an effect, and after,
        # since it may be another file by then. Without O_NONBLOCK a FIFO would wait for a writer.
        _check_state(path, os.lstat(path), max_size)
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise UsageError(f"`{path}` cannot be attached ({error.strerror})") from error
    try:
        return file, _check_state(path, os.fstat(file), max_size)
    except UsageError:
        os.close(file)
        raise


def _check_state(path: Path, state: os.stat_result, max_size: int) -> int:
    if stat.S_ISLNK(state.st_mode):
        message = f"`{path}` is a symbolic link to `{os.readlink(path)}`"
        raise UsageError(message, "attach that file itself, if it is the one you mean")
    if not stat.S_ISREG(state.st_mode):
        kind = "folder" if stat.S_ISDIR(state.st_mode) else "device, pipe or socket"
        raise UsageError(f"`{path}` is a {kind}", "only files can be attached")
    if state.st_size > max_size:
        message = f"`{path}` has {state.st_size:,} bytes; {max_size:,} are left for attached files"
        raise UsageError(message, "attach a smaller file, or a part of this one")
    return state.st_size


def copy_bytes(file: int, size: int, target: int) -> None:
    """Copy the first `size` bytes between descriptors; a file that grows is cut there."""
    while size > 0 and (data := os.read(file, min(size, _COPY_SIZE))):
        size -= len(data)
        view = memoryview(data)
        while view:
            view = view[os.write(target, view) :]
