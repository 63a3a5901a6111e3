"""Prefixes on disk: a fresh engine does not read the few-shot prompt anew.

Only what a request calls shared is kept, which is a prompt from a file, never a conversation.
"""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from starchat_tui.engine.models.interface import Run, run_bytes, run_length
from starchat_tui.engine.models.weights import Checkpoint

SHORTEST = 256
"""Tokens that are read sooner than a file is."""
BUDGET = 2**31
"""Bytes on disk; the oldest files leave."""


class Store:
    """The files of one model; another model, number format or tokenizer finds none of them."""

    def __init__(self, directory: Path, key: str, *, budget: int = BUDGET) -> None:
        self._directory = directory
        self._key = key
        self._budget = budget

    def load(self, ids: Sequence[int], device: torch.device) -> Run | None:
        """The run of exactly `ids`; None where it is not kept, or its file is damaged."""
        path = self._path(ids)
        if len(ids) < SHORTEST or not path.is_file():
            return None
        try:
            found = load_file(path, device=str(device))
            run = tuple(found[name] for name in sorted(found))
            path.touch()
        except (OSError, SafetensorError):
            run = ()
        if run and run_length(run) == len(ids):
            return run
        with suppress(OSError):
            path.unlink()
        return None

    def save(self, ids: Sequence[int], run: Run) -> None:
        """Keep the run of `ids`; a full or forbidden disk is no error of the answer's."""
        path = self._path(ids)
        if len(ids) < SHORTEST or path.exists() or run_bytes(run) > self._budget:
            return
        with suppress(OSError, SafetensorError):
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            whole = path.with_suffix(".part")
            save_file({f"{index:04}": part.contiguous() for index, part in enumerate(run)}, whole)
            whole.chmod(0o600)
            whole.replace(path)
            self._shrink()

    def has(self, ids: Sequence[int]) -> bool:
        """Whether saving `ids` would be in vain."""
        return len(ids) < SHORTEST or self._path(ids).exists()

    def _path(self, ids: Sequence[int]) -> Path:
        digest = hashlib.sha256(self._key.encode() + array("q", ids).tobytes())
        return self._directory / f"{digest.hexdigest()[:32]}.safetensors"

    def _shrink(self) -> None:
        found = sorted(
            ((path.stat().st_mtime_ns, path) for path in self._directory.glob("*.safetensors")),
            reverse=True,
        )
        total = 0
        for _, path in found:
            total += path.stat().st_size
            if total > self._budget:
                path.unlink(missing_ok=True)


def key_of(checkpoint: Checkpoint, dtype: torch.dtype, quantize: str) -> str:
    """What keys and values depend on besides the ids: files, number format, configuration.

    A file is told by size and time of change, because reading 31 GB to hash them takes longer
    than reading a prompt.
    """
    folders = (checkpoint.folder, checkpoint.adapter)
    adapters = [
        file for folder in folders[1:] if folder for file in sorted(folder.glob("adapter_*"))
    ]
    told: list[Any] = [str(dtype), quantize, torch.__version__, checkpoint.config]
    for file in (*checkpoint.files, *adapters):
        found = file.stat()
        told.append((file.name, found.st_size, found.st_mtime_ns))
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
