"""A run in its folder: what began it, and whether it may go on from a checkpoint."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict
from pathlib import Path
from typing import Any

from starchat_tui.errors import ConfigError, UsageError
from train.config import Config, changed
from train.runtime import checkpoint, memory
from train.runtime.checkpoint import Checkpoint

RECORD = "run.json"
SPREAD = frozenset(("deepspeed", "batch_size", "accumulation"))
"""Keys that a universal checkpoint may be resumed with other values of."""
MODEL = "model"
"""The finished model's folder in the output."""
BASE = "base"
"""The folder of the model that a sharded run begins with, grown by its rows; gone at the end."""


def checkpoint_of(
    config: Config, *, processes: int, fingerprint: str
) -> tuple[Checkpoint | None, list[str]]:
    """Where the run goes on: a whole checkpoint, or None at its beginning; and what to tell.

    Raises `UsageError` where the output holds a run and `resume` is off, `Torn` where no checkpoint
    is whole, `ConfigError` where the run would not be the one that began.
    """
    output = Path(config.output)
    if not config.resume:
        held = [
            path.name for path in (*checkpoint.checkpoints(output), output / MODEL) if path.exists()
        ]
        if held:
            raise UsageError(
                f"`{output}` holds a run already ({held[0]})",
                "go on with it by `--resume`, or choose another `output`",
            )
        return None, []
    found, torn = checkpoint.last_whole(output)
    notes = [f"passed over: {one.message}" for one in torn]
    universal = _universal(config, found)
    _same(config, _record(output), fingerprint, but=SPREAD if universal else frozenset())
    if processes != found.processes and not universal:
        raise _other_size(config, found, processes)
    return found, [*notes, f"going on from {found.folder}"]


def check_room(config: Config, found: Checkpoint | None, needed: int) -> None:
    """Raise `CannotSave` where `needed` bytes and what the output holds of them do not fit.

    What was begun after the checkpoint `found`, and never sealed, is taken away before.
    """
    if found:
        checkpoint.drop_unsealed(found)
    output = Path(config.output)
    held = checkpoint.checkpoints(output)[: config.keep]
    if config.deepspeed and not config.lora_rank:  # else `needed` is without it
        held.append(output / BASE)
    checkpoint.check_room(output, needed - sum(map(checkpoint.bytes_in, held)))


def record(config: Config, *, processes: int, fingerprint: str) -> None:
    """Write down what began the run."""
    told = {"config": asdict(config), "processes": processes, "data": fingerprint}
    checkpoint.write(Path(config.output) / RECORD, json.dumps(told, indent=1) + "\n")


def _record(output: Path) -> dict[str, Any]:
    try:
        found = json.loads((output / RECORD).read_text(encoding="utf-8"))
        return {"config": dict(found["config"]), "data": str(found["data"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"`{output / RECORD}` cannot be read, which says how the run began",
            "begin anew in another `output`",
        ) from error


def _same(config: Config, began: dict[str, Any], fingerprint: str, *, but: Collection[str]) -> None:
    other = [key for key in changed(config, began["config"]) if key not in but]
    if other:
        key = other[0]
        raise ConfigError(
            f"The run began with `{key}: {began['config'][key]}`, and now it is "
            f"{getattr(config, key)}",
            "put it back to go on, or begin anew in another `output`",
        )
    if fingerprint != began["data"]:
        raise ConfigError(
            "The data are not those that the run began with",
            "put them back to go on, or begin anew in another `output`",
        )


def _universal(config: Config, found: Checkpoint) -> bool:
    """Whether DeepSpeed was told to load a checkpoint that was made for any number of processes."""
    if not config.deepspeed or not (found.folder / "latest_universal").is_file():
        return False
    told = memory.read_deepspeed(config.deepspeed).get("checkpoint")
    return isinstance(told, dict) and bool(told.get("load_universal"))


def _other_size(config: Config, found: Checkpoint, processes: int) -> ConfigError:
    said = f"`{found.folder}` was written by {found.processes} processes, and now there are "
    if not found.sharded:
        return ConfigError(
            f"{said}{processes}", f"start {found.processes}: with others the run would differ"
        )
    step = f"global_step{found.step}"
    return ConfigError(
        f"{said}{processes}",
        f"start {found.processes}; or make it universal: `python -m "
        f"deepspeed.checkpoint.ds_to_universal --input_folder {found.folder}/{step} "
        f"--output_folder {found.folder}/universal`, then put "
        '`"checkpoint": {"load_universal": true}` into a copy of the DeepSpeed file and '
        f"`--resume` with it, and with a `--batch-size` that keeps the rows of a step "
        f"({config.batch_size} x {found.processes} now; not to the bit: sums are taken in another "
        "order)",
    )
