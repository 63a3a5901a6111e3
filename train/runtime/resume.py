"""State of a run in its output folder: how it began, and where it can resume."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict
from pathlib import Path
from typing import Any

from starchat_tui.errors import ConfigError, UsageError
from train import atomic_files
from train.config import Config, list_changed_keys
from train.runtime import checkpoint, deepspeed_file, disk_space
from train.runtime.checkpoint import Checkpoint

RECORD = "run.json"
RESHARDABLE = frozenset(("deepspeed", "batch_size", "accumulation"))
"""Keys that may change when a universal checkpoint is resumed."""
MODEL = "model"
"""Folder of the finished model in the output."""
BASE = "base"
"""Folder of the extended base model of a sharded run; deleted at the end."""


def find_checkpoint(
    config: Config, *, processes: int, fingerprint: str
) -> tuple[Checkpoint | None, list[str]]:
    """Return the checkpoint to resume from, or None for a new run, and notes to print.

    Raises `UsageError` if the output contains a run and `resume` is off, `IncompleteCheckpoint` if
    no checkpoint is complete, and `ConfigError` if the resumed run would not be the same.
    """
    output = Path(config.output)
    if not config.resume:
        held = [
            path.name
            for path in (*checkpoint.list_checkpoints(output), output / MODEL)
            if path.exists()
        ]
        if held:
            raise UsageError(
                f"`{output}` already contains a run ({held[0]})",
                "continue it with `--resume`, or choose another `output`",
            )
        return None, []
    found, incomplete = checkpoint.find_newest_complete(output)
    notes = [f"skipped: {one.message}" for one in incomplete]
    universal = _is_universal(config, found)
    _require_same_run(
        config, _read_record(output), fingerprint, but=RESHARDABLE if universal else frozenset()
    )
    if processes != found.processes and not universal:
        raise _process_count_error(config, found, processes)
    return found, [*notes, f"resuming from {found.folder}"]


def check_disk_space(config: Config, found: Checkpoint | None, needed: int) -> None:
    """Raise `SaveError` unless `needed` bytes fit, less what the output already holds of them.

    Unsealed checkpoints newer than `found` are deleted first.
    """
    if found:
        checkpoint.delete_unsealed(found)
    output = Path(config.output)
    held = checkpoint.list_checkpoints(output)[: config.keep]
    # Only then does `needed` include the extended base model.
    if config.deepspeed and not config.lora_rank:
        held.append(output / BASE)
    disk_space.check_free_space(output, needed - sum(map(disk_space.folder_bytes, held)))


def record_run(config: Config, *, processes: int, fingerprint: str) -> None:
    """Record how the run began."""
    record = {"config": asdict(config), "processes": processes, "data": fingerprint}
    atomic_files.write_file(Path(config.output) / RECORD, json.dumps(record, indent=1) + "\n")


def _read_record(output: Path) -> dict[str, Any]:
    try:
        found = json.loads((output / RECORD).read_text(encoding="utf-8"))
        return {"config": dict(found["config"]), "data": str(found["data"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"`{output / RECORD}` cannot be read, which records how the run began",
            "start over in another `output`",
        ) from error


def _require_same_run(
    config: Config, began: dict[str, Any], fingerprint: str, *, but: Collection[str]
) -> None:
    other = [key for key in list_changed_keys(config, began["config"]) if key not in but]
    if other:
        key = other[0]
        raise ConfigError(
            f"The run began with `{key}: {began['config'][key]}`, and now it is "
            f"{getattr(config, key)}",
            "restore it to resume, or start over in another `output`",
        )
    # By content and not by path: a moved file is fine, and an edited one is not.
    if fingerprint != began["data"]:
        raise ConfigError(
            "The data have changed since the run began",
            "restore them to resume, or start over in another `output`",
        )


def _is_universal(config: Config, found: Checkpoint) -> bool:
    """Return whether DeepSpeed is to load a checkpoint that was converted for any process count."""
    if not config.deepspeed or not (found.folder / "latest_universal").is_file():
        return False
    options = deepspeed_file.read_deepspeed_file(config.deepspeed).get("checkpoint")
    return isinstance(options, dict) and bool(options.get("load_universal"))


def _process_count_error(config: Config, found: Checkpoint, processes: int) -> ConfigError:
    message = f"`{found.folder}` was written by {found.processes} processes, and now there are "
    if not found.sharded:
        return ConfigError(
            f"{message}{processes}", f"start {found.processes}: with others the run would differ"
        )
    step = f"global_step{found.step}"
    return ConfigError(
        f"{message}{processes}",
        f"start {found.processes}; or make it universal: `python -m "
        f"deepspeed.checkpoint.ds_to_universal --input_folder {found.folder}/{step} "
        f"--output_folder {found.folder}/universal`, then put "
        '`"checkpoint": {"load_universal": true}` into a copy of the DeepSpeed file and '
        f"`--resume` with it, and with a `--batch-size` that keeps the rows of a step "
        f"({config.batch_size} x {found.processes} now; not to the bit: sums are taken in another "
        "order)",
    )
