"""Files and folders that are written completely or not at all.

A folder is written next to its destination and renamed, which is atomic on one file system.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from train.train_errors import SaveError

_PART = ".part"


_FULL = (errno.ENOSPC, errno.EDQUOT)


_FULL_WORDS = re.compile(
    r"no space left|os error 28|disk quota|PytorchStreamWriter failed|unexpected pos", re.IGNORECASE
)


@contextmanager
def translate_disk_errors(folder: Path) -> Iterator[None]:
    """Translate library errors about a full or read-only disk to `SaveError`.

    torch and safetensors raise errors of their own, which mention the disk only in their text.
    """
    try:
        yield
    except SaveError:
        raise
    except OSError as error:
        if error.errno in _FULL:
            raise _disk_full(folder) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST):
            raise SaveError(
                f"`{folder}` is not writable ({error.strerror})", "choose another `output`"
            ) from error
        raise
    except (RuntimeError, ValueError, SafetensorError) as error:
        if not _FULL_WORDS.search(str(error)):
            raise
        raise _disk_full(folder) from error


def _disk_full(folder: Path) -> SaveError:
    return SaveError(
        f"No space left on the disk of `{folder}`",
        "free some, or choose another `output`; the last complete checkpoint is intact",
    )


def part_path(folder: Path) -> Path:
    """Return the path at which `folder` is written before it is renamed."""
    return folder.with_name(folder.name + _PART)


def begin_folder(folder: Path) -> Path:
    """Create an empty folder to write in, which `commit_folder` will move to `folder`."""
    part = part_path(folder)
    with translate_disk_errors(folder.parent):
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
    return part


def discard_part(folder: Path) -> None:
    """Delete what was written for `folder`; an existing `folder` stays."""
    shutil.rmtree(part_path(folder), ignore_errors=True)


def commit_folder(folder: Path) -> None:
    """Move the written folder to `folder` atomically, replacing an existing one."""
    part, old = part_path(folder), folder.with_name(folder.name + ".old")
    with translate_disk_errors(folder.parent):
        # Contents first, then names, then the rename: after a power loss the new name must never
        # refer to files that are empty or missing.
        for file in list_files(part):
            flush_to_disk(file)
        flush_to_disk(part)
        shutil.rmtree(old, ignore_errors=True)
        # A folder cannot be renamed onto one that is not empty, so the old one steps aside first.
        if folder.exists():
            folder.rename(old)
        part.rename(folder)
        flush_to_disk(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


@contextmanager
def replace_folder(folder: Path) -> Iterator[Path]:
    """Yield a folder to write in, which replaces `folder` at the end of the block.

    On any error nothing of the attempt remains; raises `SaveError` if the disk is full.
    """
    try:
        with translate_disk_errors(folder.parent):
            yield begin_folder(folder)
        commit_folder(folder)
    except BaseException:
        discard_part(folder)
        raise


def write_file(path: Path, text: str) -> None:
    """Write a small text file atomically."""
    part = path.with_name(path.name + _PART)
    with translate_disk_errors(path.parent):
        part.write_text(text, encoding="utf-8")
        flush_to_disk(part)
        part.replace(path)


def list_files(folder: Path) -> Iterator[Path]:
    """Yield every file below `folder`, sorted by path."""
    yield from (path for path in sorted(folder.rglob("*")) if path.is_file())


def flush_to_disk(path: Path) -> None:
    """Make the disk keep a file's contents, or the names in a folder."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
