"""Files that are there whole or not at all: folders, checkpoints, and one writer at a time.

A folder is written beside its place and renamed. A checkpoint, which many processes write, is
sealed: a list of its files and their sizes comes last, and what has no seal, or not what the seal
says, is torn and never resumed from.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from starchat_tui.errors import ConfigError
from train.runtime.memory_plan import size
from train.train_errors import CannotSave, InUse, Torn

SEAL = "complete.json"
"""The last file of a checkpoint."""
_PART = ".part"
_FULL = (errno.ENOSPC, errno.EDQUOT)
_FULL_WORDS = re.compile(
    r"no space left|os error 28|disk quota|PytorchStreamWriter failed|unexpected pos", re.IGNORECASE
)
_CHECKPOINT = re.compile(r"checkpoint-(\d+)")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold `folder`, made where it is not there; raises `InUse` where another process does."""
    with disk(folder):
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise InUse(
                f"`{folder}` is in use: another process trains into it",
                "wait for it to end, or choose another `output`",
            ) from error
        yield
    finally:
        os.close(handle)


@contextmanager
def disk(folder: Path) -> Iterator[None]:
    """Turn what libraries raise for a full or forbidden disk into `CannotSave`.

    torch and safetensors raise errors of their own, which say it only in their text.
    """
    try:
        yield
    except CannotSave:
        raise
    except OSError as error:
        if error.errno in _FULL:
            raise _full(folder) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST):
            raise CannotSave(
                f"`{folder}` cannot be written to ({error.strerror})", "choose another `output`"
            ) from error
        raise
    except (RuntimeError, ValueError, SafetensorError) as error:
        if not _FULL_WORDS.search(str(error)):
            raise
        raise _full(folder) from error


def _full(folder: Path) -> CannotSave:
    return CannotSave(
        f"No space is left on the disk of `{folder}`",
        "free some, or choose another `output`; the last whole checkpoint is untouched",
    )


def check_room(folder: Path, needed: int) -> None:
    """Raise `CannotSave` where the disk of `folder` has less than `needed` bytes free."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise CannotSave(
            f"The disk of `{folder}` has {size(free)} free, and this run writes {size(needed)}",
            "free some, choose another `output`, or keep fewer checkpoints (`--keep 1`)",
        )


def bytes_in(folder: Path) -> int:
    """Bytes of all files in `folder`; 0 where there is none."""
    return sum(path.stat().st_size for path in _files(folder))


def part_of(folder: Path) -> Path:
    """Where `folder` is written before it is renamed."""
    return folder.with_name(folder.name + _PART)


def begin(folder: Path) -> Path:
    """An empty folder to write in, which `commit` will put in the place of `folder`."""
    part = part_of(folder)
    with disk(folder.parent):
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
    return part


def abandon(folder: Path) -> None:
    """Take away what was written for `folder`; what stood there stays."""
    shutil.rmtree(part_of(folder), ignore_errors=True)


def commit(folder: Path) -> None:
    """Put what was written in the place of `folder`, all at once as a reader sees it."""
    part, old = part_of(folder), folder.with_name(folder.name + ".old")
    with disk(folder.parent):
        for file in _files(part):
            _flush(file)
        _flush(part)
        shutil.rmtree(old, ignore_errors=True)
        if folder.exists():
            folder.rename(old)
        part.rename(folder)
        _flush(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


@contextmanager
def whole(folder: Path) -> Iterator[Path]:
    """A folder to write in that takes the place of `folder` at the end, or never.

    Raises `CannotSave` where the disk is full; nothing of the attempt stays then.
    """
    try:
        with disk(folder.parent):
            yield begin(folder)
        commit(folder)
    except BaseException:
        abandon(folder)
        raise


def write(path: Path, text: str) -> None:
    """Write a small file in one piece."""
    part = path.with_name(path.name + _PART)
    with disk(path.parent):
        part.write_text(text, encoding="utf-8")
        _flush(part)
        part.replace(path)


def _files(folder: Path) -> Iterator[Path]:
    yield from (path for path in sorted(folder.rglob("*")) if path.is_file())


def _flush(path: Path) -> None:
    """Make the disk keep a file's bytes, or a folder's names."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A whole checkpoint."""

    folder: Path
    step: int
    processes: int
    """How many wrote it: only as many can resume it."""
    sharded: bool
    """Whether DeepSpeed or FSDP divided it among them."""


def seal(folder: Path, facts: Mapping[str, Any]) -> None:
    """Declare a checkpoint whole: the sizes of its files, and `facts`, are its last file."""
    with disk(folder.parent):
        files = [path for path in _files(folder) if path.name != SEAL]
        for file in files:
            _flush(file)
        sizes = {str(path.relative_to(folder)): path.stat().st_size for path in files}
        write(folder / SEAL, json.dumps({**facts, "files": sizes}, indent=1) + "\n")
        _flush(folder)


def unseal(folder: Path) -> Checkpoint:
    """The checkpoint in `folder`; raises `Torn` that says what is missing."""
    hint = "leave it to an older one: move it away and resume again"
    try:
        told = json.loads((folder / SEAL).read_text(encoding="utf-8"))
        files, step = dict(told["files"]), int(told["step"])
        processes, sharded = int(told["processes"]), bool(told["sharded"])
    except FileNotFoundError as error:
        raise Torn(f"`{folder}` was not written to its end", hint) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Torn(f"`{folder / SEAL}` is damaged", hint) from error
    for name, length in files.items():
        path = folder / name
        found = path.stat().st_size if path.is_file() else -1
        if found != length:
            is_there = f"{found:,} of {length:,} bytes" if found >= 0 else "nothing"
            raise Torn(f"`{path}` is torn: {is_there} are there", hint)
    return Checkpoint(folder, step, processes, sharded)


def checkpoints(output: Path) -> list[Path]:
    """Every checkpoint in `output`, the newest first, whole or not."""
    found = ((_CHECKPOINT.fullmatch(path.name), path) for path in output.glob("checkpoint-*"))
    return [
        path
        for match, path in sorted(
            ((int(match[1]), path) for match, path in found if match), reverse=True
        )
    ]


def last_whole(output: Path) -> tuple[Checkpoint, list[Torn]]:
    """The newest whole checkpoint, and why newer ones were passed over.

    Raises `ConfigError` where there is no checkpoint at all, `Torn` where none is whole.
    """
    torn: list[Torn] = []
    for folder in checkpoints(output):
        try:
            return unseal(folder), torn
        except Torn as error:
            torn.append(error)
    if torn:
        raise Torn(
            f"No checkpoint in `{output}` is whole: {torn[0].message}",
            "begin anew in another `output`",
        )
    raise ConfigError(
        f"`{output}` has no checkpoint to resume from", "leave `--resume` out, to begin"
    )


def drop_unsealed(found: Checkpoint) -> None:
    """Delete what was begun after `found` and never sealed: those steps are taken again."""
    for folder in checkpoints(found.folder.parent):
        if folder == found.folder:
            return
        if not (folder / SEAL).exists():
            shutil.rmtree(folder, ignore_errors=True)


def keep_newest(output: Path, count: int) -> None:
    """Delete all but the newest `count` whole checkpoints, and torn ones that are older."""
    kept = 0
    for folder in checkpoints(output):
        if kept >= count:
            shutil.rmtree(folder, ignore_errors=True)
            continue
        with suppress(Torn):
            unseal(folder)
            kept += 1
