"""Disk space of a run: an estimate, and a check before anything is written."""

from __future__ import annotations

import shutil
from pathlib import Path

from train.atomic_files import list_files
from train.run_setup import ModelShape, TrainingSetup
from train.runtime.memory_plan import format_bytes
from train.train_errors import SaveError


def predict_disk_bytes(shape: ModelShape, setup: TrainingSetup, *, checkpoints: int) -> int:
    """Return the most bytes on disk: `checkpoints`, one more while it is written, and the model."""
    if shape.adapter:
        return (checkpoints + 1) * 12 * shape.adapter + 4 * shape.adapter
    model = (2 if setup.half else 4) * shape.parameters
    # A checkpoint has the weights and both Adam moments: in float32 12 bytes a parameter, with
    # in_backward all in the dtype of the weights, sharded with a copy of the weights besides.
    if setup.in_backward:
        each = 3 * model
    elif setup.sharding == "none":
        each = 12 * shape.parameters
    else:
        each = 12 * shape.parameters + model
    return (checkpoints + 1) * each + 2 * model


def check_free_space(folder: Path, needed: int) -> None:
    """Raise `SaveError` if the disk of `folder` has less than `needed` bytes free."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise SaveError(
            f"The disk of `{folder}` has {format_bytes(free)} free, and this run needs "
            f"{format_bytes(needed)}",
            "free some, choose another `output`, or keep fewer checkpoints (`--keep 1`)",
        )


def folder_bytes(folder: Path) -> int:
    """Return the bytes of all files in `folder`; 0 if there is none."""
    return sum(path.stat().st_size for path in list_files(folder))
