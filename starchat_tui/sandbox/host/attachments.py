"""Files the user attaches: no name can mean another file, and none is endless."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from starchat_tui.errors import UsageError

_STEP = 2**20


def names(paths: Sequence[Path]) -> dict[str, Path]:
    """The files by the name that code finds them under; raises `UsageError` where two share one."""
    found: dict[str, Path] = {}
    for path in paths:
        if path.name in found and found[path.name] != path:
            said = f"Two attached files are called `{path.name}`"
            raise UsageError(said, "rename one: code finds a file by its name alone")
        found[path.name] = path
    return found


def open_file(path: Path, most: int) -> tuple[int, int]:
    """A descriptor of a regular file of at most `most` bytes, and its size.

    Raises `UsageError` for what is missing, unreadable, too large, or no regular file. A symbolic
    link is refused: it may have come with a folder from elsewhere and name a secret of the user's.
    """
    try:
        # Looked at before it is opened, since opening a device may already do something, and after,
        # since it may be another one by then. Without O_NONBLOCK a FIFO waits here for a writer.
        _check(path, os.lstat(path), most)
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise UsageError(f"`{path}` cannot be attached ({error.strerror})") from error
    try:
        return file, _check(path, os.fstat(file), most)
    except UsageError:
        os.close(file)
        raise


def _check(path: Path, found: os.stat_result, most: int) -> int:
    if stat.S_ISLNK(found.st_mode):
        said = f"`{path}` is a symbolic link to `{os.readlink(path)}`"
        raise UsageError(said, "attach that file itself, if it is the one you mean")
    if not stat.S_ISREG(found.st_mode):
        kind = "folder" if stat.S_ISDIR(found.st_mode) else "device, pipe or socket"
        raise UsageError(f"`{path}` is a {kind}", "only files can be attached")
    if found.st_size > most:
        said = f"`{path}` has {found.st_size:,} bytes; {most:,} are left for attached files"
        raise UsageError(said, "attach a smaller file, or a part of this one")
    return found.st_size


def copy(file: int, size: int, target: int) -> None:
    """Write the first `size` bytes of `file` into `target`; a file that grows does not matter."""
    while size > 0 and (data := os.read(file, min(size, _STEP))):
        size -= len(data)
        view = memoryview(data)
        while view:
            view = view[os.write(target, view) :]
