"""Tensors that can be computed again, kept in files: read, written and evicted.

Failures are no errors: what cannot be read is computed, what cannot be written is computed again.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

_SUFFIX = ".safetensors"


def get_tensor_path(directory: Path, key: str) -> Path:
    """Return the path of the file with a key, a hexadecimal hash of what its tensors depend on."""
    return directory / f"{key[:32]}{_SUFFIX}"


def read_tensors(path: Path, device: str = "cpu") -> dict[str, Tensor]:
    """Return the tensors of a file by name; none if it is missing or damaged."""
    try:
        tensors = load_file(path, device=device)
        # Eviction goes by the time of change, since many systems record no time of access.
        path.touch()
    except (OSError, SafetensorError):
        return {}
    return tensors


def delete_file(path: Path) -> None:
    """Delete a file whose content is of no use, so that it can be written again."""
    with suppress(OSError):
        path.unlink()


def write_tensors(path: Path, tensors: Mapping[str, Tensor], *, budget: int) -> None:
    """Write a file for the user alone, and delete the least recently used beyond the budget.

    Args:
        path: From `get_tensor_path`; its directory is created.
        tensors: Tensors by name.
        budget: Bytes of all files of the directory together.
    """
    with suppress(OSError, SafetensorError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Renamed when it is complete, so that a crash leaves no half file under its name.
        partial = path.with_suffix(".part")
        save_file(dict(tensors), partial)
        partial.chmod(0o600)
        partial.replace(path)
        _evict_files(path.parent, budget)


def _evict_files(directory: Path, budget: int) -> None:
    newest_first = sorted(
        ((path.stat().st_mtime_ns, path) for path in directory.glob(f"*{_SUFFIX}")), reverse=True
    )
    total = 0
    for _, path in newest_first:
        total += path.stat().st_size
        if total > budget:
            path.unlink(missing_ok=True)
