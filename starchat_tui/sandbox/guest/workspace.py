"""Working directory of the code: finds the files a run wrote, and transfers files by name."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

MAX_DEPTH = 3
"""Levels of subfolders that are searched for files."""
MAX_REPORTED_FILES = 100
"""Files reported per run."""
MAX_NAME_BYTES = 500
IGNORED_NAMES = ("__pycache__",)


def find_code_folder() -> str:
    """Return the folder in which the code was started; it may have changed its own since."""
    from IPython import get_ipython

    shell: Any = get_ipython()
    return str(shell.starting_dir) if shell is not None else os.getcwd()


class FileRefused(Exception):
    """A file cannot be sent; the message is the reason."""


class Workspace:
    """The working directory, compared with the snapshot that was taken last."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._snapshot = dict(self._scan_files())

    def take_snapshot(self) -> None:
        """Remember the files that are there now."""
        self._snapshot = dict(self._scan_files())

    def list_changed_files(self) -> list[tuple[str, int]]:
        """Return names and sizes in bytes of the files that are new or changed; snapshot again."""
        now = dict(self._scan_files())
        changed = [name for name, state in now.items() if self._snapshot.get(name) != state]
        self._snapshot = now
        return [(name, now[name][0]) for name in sorted(changed)]

    def _scan_files(
        self, folder: str = "", depth: int = 0
    ) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Yield the name of each regular file with its size, modification time and inode."""
        try:
            entries = list(os.scandir(os.path.join(self.path, folder)))
        except OSError:
            # Threads of the code may remove a folder, or forbid reading it, at any moment.
            return
        for entry in entries:
            name = os.path.join(folder, entry.name)
            if entry.name in IGNORED_NAMES or not _is_reportable_name(name):
                continue
            try:
                state = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            if stat.S_ISREG(state.st_mode):
                yield name, (state.st_size, state.st_mtime_ns, state.st_ino)
            elif stat.S_ISDIR(state.st_mode) and depth < MAX_DEPTH:
                yield from self._scan_files(name, depth + 1)

    def read_file(self, name: str, chunk_size: int, max_bytes: int) -> Iterator[bytes]:
        """Yield a regular file in chunks; links are not followed.

        Raises `FileRefused` if it is no regular file in the workspace, or larger than `max_bytes`.
        """
        parts = PurePosixPath(name).parts
        if not parts or "\0" in name or any(part in ("/", "..") for part in parts):
            raise FileRefused("it is not in the working directory of the code")
        try:
            descriptor = self._open_without_links(parts)
        except OSError as error:
            raise FileRefused(error.strerror or "it cannot be read") from None
        with os.fdopen(descriptor, "rb") as file:
            state = os.fstat(file.fileno())
            if not stat.S_ISREG(state.st_mode):
                raise FileRefused("it is not a regular file")
            if state.st_size > max_bytes:
                raise FileRefused(f"it is larger than {max_bytes / 2**20:g} MB")
            # The file may grow while it is read.
            while data := file.read(min(chunk_size, max_bytes)):
                max_bytes -= len(data)
                yield data

    def _open_without_links(self, parts: tuple[str, ...]) -> int:
        """Open a file for reading; each folder is opened relative to the one above it.

        A path opened as a whole could pass through a folder that is swapped for a link meanwhile.
        """
        folder = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        for part in parts[:-1]:
            parent = folder
            try:
                folder = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
            finally:
                os.close(parent)
        try:
            # O_NONBLOCK: opening a FIFO would wait for a writer.
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
            return os.open(parts[-1], flags, dir_fd=folder)
        finally:
            os.close(folder)

    def write_file(self, name: str, data: bytes) -> None:
        """Write a read-only file for the code, replacing what has its name."""
        path = os.path.join(self.path, os.path.basename(name))
        # Removed, not overwritten: the code may have put a link or a FIFO there.
        if os.path.lexists(path):
            os.unlink(path)
        # The mode is given at creation: `chmod` is denied at the level `restricted`.
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o444), "wb") as file:
            file.write(data)


def _is_reportable_name(name: str) -> bool:
    try:
        return len(name.encode()) <= MAX_NAME_BYTES
    except UnicodeEncodeError:
        # A name that is not UTF-8, which Python reads with lone surrogates.
        return False
