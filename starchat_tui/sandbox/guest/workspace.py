"""The folder of the code: what a run left in it, and files in and out, by name."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import PurePosixPath

DEEPEST = 3
"""Folders below which nothing is listed."""
MOST_FILES = 100
"""Files that are told of one run."""
LONGEST_NAME = 500
"""Bytes."""
HIDDEN = ("__pycache__",)


class Refused(Exception):
    """A file cannot be had; the text says why."""


class Folder:
    """Knows what its files were like when it looked last."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._seen = dict(self._files())

    def look(self) -> None:
        """Take what is there as known."""
        self._seen = dict(self._files())

    def fresh(self) -> list[tuple[str, int]]:
        """The names and sizes of the files that are new, or not as they were."""
        now = dict(self._files())
        changed = [name for name, state in now.items() if self._seen.get(name) != state]
        self._seen = now
        return [(name, now[name][0]) for name in sorted(changed)]

    def _files(self, under: str = "", depth: int = 0) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Regular files: name, and size, time, inode."""
        try:
            entries = list(os.scandir(os.path.join(self.path, under)))
        except OSError:
            return
        for entry in entries:
            name = os.path.join(under, entry.name)
            if entry.name in HIDDEN or not _is_text(name):
                continue
            try:
                state = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            if stat.S_ISREG(state.st_mode):
                yield name, (state.st_size, state.st_mtime_ns, state.st_ino)
            elif stat.S_ISDIR(state.st_mode) and depth < DEEPEST:
                yield from self._files(name, depth + 1)

    def read(self, name: str, piece: int, most: int) -> Iterator[bytes]:
        """A regular file of at most `most` bytes in pieces; no link is followed.

        Raises `Refused`.
        """
        parts = PurePosixPath(name).parts
        if not parts or "\0" in name or any(part in ("/", "..") for part in parts):
            raise Refused("that is no name of a file in the folder of the code")
        try:
            opened = self._open(parts)
        except OSError as error:
            raise Refused(error.strerror or "it cannot be read") from None
        with os.fdopen(opened, "rb") as file:
            state = os.fstat(file.fileno())
            if not stat.S_ISREG(state.st_mode):
                raise Refused("that is not a regular file")
            if state.st_size > most:
                raise Refused(f"it has more than {most / 2**20:g} MB")
            while data := file.read(min(piece, most)):
                most -= len(data)
                yield data

    def _open(self, parts: tuple[str, ...]) -> int:
        """Each folder opened from the one above it, so that none is swapped for a link."""
        folder = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        for part in parts[:-1]:
            above = folder
            try:
                folder = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=above)
            finally:
                os.close(above)
        try:
            # A FIFO must not wait for its writer.
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
            return os.open(parts[-1], flags, dir_fd=folder)
        finally:
            os.close(folder)

    def write(self, name: str, data: bytes) -> None:
        """A file for the code to read, in the place of what was there."""
        path = os.path.join(self.path, os.path.basename(name))
        if os.path.lexists(path):
            os.unlink(path)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o444), "wb") as file:
            file.write(data)


def _is_text(name: str) -> bool:
    try:
        return len(name.encode()) <= LONGEST_NAME
    except UnicodeEncodeError:
        return False
