"""Packed weights on disk, since rounding a model to 4 bits takes a minute for a billion of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from starchat_tui.config.byte_units import GIB
from starchat_tui.engine.models.packed_weights import Int4Weight, Int8Weight, PackedWeight
from starchat_tui.engine.models.rounding import GROUP_SIZE

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
    if not path.is_file():
        return {}
    try:
        tensors = load_file(path)
        # Eviction goes by the time of change, since many systems record no time of access.
        path.touch()
        return _join_tensors(tensors)
    except (OSError, SafetensorError, KeyError):
        # It is written again after the model has been rounded.
        with suppress(OSError):
            path.unlink()
        return {}


def _join_tensors(tensors: Mapping[str, Tensor]) -> dict[str, PackedWeight]:
    """Return the weights that tensors of a file make up, in memory of their own.

    In the file they lie at any address, and the products read whole registers at aligned ones: what
    is not copied ends the process.
    """
    weights: dict[str, PackedWeight] = {}
    for kind, parts in _KINDS.items():
        names = [name.removesuffix(f":{parts[0]}") for name in tensors]
        for name in names:
            if f"{name}:{parts[0]}" in tensors:
                weights[name] = kind(*(tensors[f"{name}:{part}"].clone() for part in parts))
    return weights


def write_packed_weights(path: Path, weights: Mapping[str, PackedWeight]) -> None:
    """Write packed weights to a file.

    Failures are ignored: without the file, the next start takes longer.
    """
    size = sum(weight.bytes for weight in weights.values())
    with suppress(OSError, SafetensorError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if size > _FREE_SHARE * shutil.disk_usage(path.parent).free:
            return
        tensors = {
            f"{name}:{part}": getattr(weight, part)
            for name, weight in weights.items()
            for part in _KINDS[type(weight)]
        }
        # Renamed when it is complete, so that a crash leaves no half file under its name.
        partial = path.with_suffix(".part")
        save_file(tensors, partial)
        partial.chmod(0o600)
        partial.replace(path)
        _evict_files(path.parent)


def _evict_files(directory: Path) -> None:
    """Delete the least recently used files beyond the budget."""
    newest_first = sorted(
        ((path.stat().st_mtime_ns, path) for path in directory.glob("*.safetensors")), reverse=True
    )
    total = 0
    for _, path in newest_first:
        total += path.stat().st_size
        if total > BUDGET_BYTES:
            path.unlink(missing_ok=True)
