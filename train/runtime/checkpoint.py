"""Checkpoints that are complete or never resumed from.

Many processes write a checkpoint, so it cannot be renamed into place by one of them. Instead it is
sealed: a list of its files and their sizes is written last. A checkpoint without a seal, or with
other sizes, is incomplete.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starchat_tui.errors import ConfigError
from train.atomic_files import flush_to_disk, list_files, translate_disk_errors, write_file
from train.train_errors import IncompleteCheckpoint

SEAL = "complete.json"
"""Last file of a checkpoint: its files and their sizes."""
_CHECKPOINT = re.compile(r"checkpoint-(\d+)")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A complete checkpoint."""

    folder: Path
    step: int
    processes: int
    """Number of processes that wrote it, and that can resume it."""
    sharded: bool
    """True if DeepSpeed or FSDP divided it among them."""


def seal_checkpoint(folder: Path, facts: Mapping[str, Any]) -> None:
    """Declare a checkpoint complete: write its file sizes and `facts` as its last file."""
    with translate_disk_errors(folder.parent):
        files = [path for path in list_files(folder) if path.name != SEAL]
        # The seal must not reach the disk before the files that it vouches for.
        for file in files:
            flush_to_disk(file)
        sizes = {str(path.relative_to(folder)): path.stat().st_size for path in files}
        write_file(folder / SEAL, json.dumps({**facts, "files": sizes}, indent=1) + "\n")
        flush_to_disk(folder)


def verify_checkpoint(folder: Path) -> Checkpoint:
    """Return the checkpoint in `folder`; raises `IncompleteCheckpoint` with what is missing."""
    hint = "to resume from an older one, move it away"
    try:
        record = json.loads((folder / SEAL).read_text(encoding="utf-8"))
        files, step = dict(record["files"]), int(record["step"])
        processes, sharded = int(record["processes"]), bool(record["sharded"])
    except FileNotFoundError as error:
        raise IncompleteCheckpoint(f"`{folder}` is unfinished", hint) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise IncompleteCheckpoint(f"`{folder / SEAL}` is damaged", hint) from error
    for name, length in files.items():
        path = folder / name
        found = path.stat().st_size if path.is_file() else -1
        if found != length:
            present = f"{found:,} of {length:,} bytes" if found >= 0 else "missing"
            raise IncompleteCheckpoint(f"`{path}` is incomplete: {present}", hint)
    return Checkpoint(folder, step, processes, sharded)


def list_checkpoints(output: Path) -> list[Path]:
    """Return every checkpoint in `output`, newest first, complete or not."""
    found = ((_CHECKPOINT.fullmatch(path.name), path) for path in output.glob("checkpoint-*"))
    return [
        path
        for match, path in sorted(
            ((int(match[1]), path) for match, path in found if match), reverse=True
        )
    ]


def find_newest_complete(output: Path) -> tuple[Checkpoint, list[IncompleteCheckpoint]]:
    """Return the newest complete checkpoint, and the errors of newer ones.

    Raises `ConfigError` if there is no checkpoint at all, `IncompleteCheckpoint` if none is
    complete.
    """
    incomplete: list[IncompleteCheckpoint] = []
    for folder in list_checkpoints(output):
        try:
            return verify_checkpoint(folder), incomplete
        except IncompleteCheckpoint as error:
            incomplete.append(error)
    if incomplete:
        raise IncompleteCheckpoint(
            f"No checkpoint in `{output}` is complete: {incomplete[0].message}",
            "start over in another `output`",
        )
    raise ConfigError(f"`{output}` has no checkpoint to resume from", "start without `--resume`")


def delete_unsealed(found: Checkpoint) -> None:
    """Delete checkpoints newer than `found` that were never sealed; their steps are repeated."""
    for folder in list_checkpoints(found.folder.parent):
        if folder == found.folder:
            return
        # A sealed one stays even if it is damaged: only what was never sealed is surely worthless.
        if not (folder / SEAL).exists():
            shutil.rmtree(folder, ignore_errors=True)


def keep_newest(output: Path, count: int) -> None:
    """Delete all but the newest `count` complete checkpoints, and older incomplete ones."""
    kept = 0
    for folder in list_checkpoints(output):
        if kept >= count:
            shutil.rmtree(folder, ignore_errors=True)
            continue
        with suppress(IncompleteCheckpoint):
            verify_checkpoint(folder)
            kept += 1
