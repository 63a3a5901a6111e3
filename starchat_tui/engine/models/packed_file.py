"""Packed weights on disk, since rounding a model to 4 bits takes a minute for a billion of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from torch import Tensor

from starchat_tui.config.byte_units import GIB
from starchat_tui.engine.models.packed_weights import Int4Weight, Int8Weight, PackedWeight
from starchat_tui.engine.models.rounding import GROUP_SIZE
from starchat_tui.engine.tensor_files import read_tensors, write_tensors

PACKED_FORMAT = f"packed int4 1 {GROUP_SIZE}"
"""Part of the key of a file: to be changed with the rounding or the layout."""
BUDGET_BYTES = 32 * GIB
"""Size of all files together; the least recently used are deleted."""
_FREE_SHARE = 0.5
"""Share of the free space of the disk that a new file may take."""
_KINDS: Mapping[Callable[[Tensor, Tensor], PackedWeight], tuple[str, str]] = {
    Int4Weight: ("packed", "scales_and_offsets"),
    Int8Weight: ("levels", "scales"),
}
"""Tensors of each kind of weight, by their names in a file."""


def read_packed_weights(path: Path) -> dict[str, PackedWeight]:
    """Return the packed weights in a file by name; none if it is missing or damaged."""
    try:
        return _join_tensors(read_tensors(path))
    except KeyError:
        return {}


def _join_tensors(tensors: Mapping[str, Tensor]) -> dict[str, PackedWeight]:
    """Return the weights that tensors of a file make up, in memory of their own.

    In the file they lie at any address, and the products read whole registers at aligned ones: what
    is not copied ends the process.
    """
    weights: dict[str, PackedWeight] = {}
    for kind, parts in _KINDS.items():
        ending = f":{parts[0]}"
        for name in (one.removesuffix(ending) for one in tensors if one.endswith(ending)):
            weights[name] = kind(*(tensors[f"{name}:{part}"].clone() for part in parts))
    return weights


def write_packed_weights(path: Path, weights: Mapping[str, PackedWeight]) -> None:
    """Write packed weights to a file, unless the disk has little space left."""
    size = sum(weight.bytes for weight in weights.values())
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        has_space = size <= _FREE_SHARE * shutil.disk_usage(path.parent).free
    except OSError:
        return
    if has_space:
        tensors = {
            f"{name}:{part}": getattr(weight, part)
            for name, weight in weights.items()
            for part in _KINDS[type(weight)]
        }
        write_tensors(path, tensors, budget=BUDGET_BYTES)
