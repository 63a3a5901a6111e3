"""Prefixes on disk, so that a new engine need not compute the few-shot prompt again.

Written is only what a request marks as shared, the prompt of a file, and never a conversation.
"""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from starchat_tui.engine.models.interface import KVSlice, count_bytes, count_tokens
from starchat_tui.engine.models.weights import Checkpoint
from starchat_tui.engine.tensor_files import (
    delete_file,
    get_tensor_path,
    read_tensors,
    write_tensors,
)

MIN_TOKENS = 256
"""Length of a prefix below which computing it is faster than reading a file."""
BUDGET_BYTES = 2**31
"""Size of all files together; the least recently used are deleted."""


class DiskCache:
    """Files of one model's prefixes.

    Another model, number format or tokenizer has another key and finds none of them.
    """

    def __init__(self, directory: Path, key: str, *, budget: int = BUDGET_BYTES) -> None:
        """Keep files in `directory`, at most `budget` bytes; `key` is that of `compute_key`."""
        self._directory = directory
        self._key = key
        self._budget = budget

    def load(self, ids: Sequence[int], device: torch.device) -> KVSlice | None:
        """Return the slice of exactly `ids`; None if there is no file, or a damaged one."""
        path = self._path_of(ids)
        if len(ids) < MIN_TOKENS or not path.is_file():
            return None
        tensors = read_tensors(path, str(device))
        # The names are padded numbers: sorted, they are in the order of the layers.
        kv = tuple(tensors[name] for name in sorted(tensors))
        if kv and count_tokens(kv) == len(ids):
            return kv
        # Deleted, so that `contains` lets this answer write it again.
        delete_file(path)
        return None

    def save(self, ids: Sequence[int], kv: KVSlice) -> None:
        """Write the slice of `ids`; a full or read-only disk does not fail the answer."""
        path = self._path_of(ids)
        if len(ids) < MIN_TOKENS or path.exists() or count_bytes(kv) > self._budget:
            return
        # Private to the user: a prompt file may hold anything, and it can be reconstructed from
        # keys and values.
        tensors = {f"{index:04}": part.contiguous() for index, part in enumerate(kv)}
        write_tensors(path, tensors, budget=self._budget)

    def contains(self, ids: Sequence[int]) -> bool:
        """Return whether there is nothing to save: a file of `ids`, or too few of them."""
        return len(ids) < MIN_TOKENS or self._path_of(ids).exists()

    def _path_of(self, ids: Sequence[int]) -> Path:
        # Of every id: two prompts that differ in one token must not meet.
        digest = hashlib.sha256(self._key.encode() + array("q", ids).tobytes())
        return get_tensor_path(self._directory, digest.hexdigest())


def compute_key(checkpoint: Checkpoint, dtype: torch.dtype, layout: str) -> str:
    """Return a hash of all that keys and values depend on besides the ids.

    Args:
        checkpoint: Files of the model, and of an adapter.
        dtype: Number format of keys and values.
        layout: Quantization and implementation, which shapes the tensors.
    """
    adapter = checkpoint.adapter
    adapter_files = sorted(adapter.glob("adapter_*")) if adapter else []
    # The version of torch, because another one may compute slightly different numbers.
    parts: list[Any] = [str(dtype), layout, torch.__version__, checkpoint.config]
    for file in (*checkpoint.files, *adapter_files):
        # By size and time of change: hashing 31 GB takes longer than computing a prompt.
        status = file.stat()
        parts.append((file.name, status.st_size, status.st_mtime_ns))
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
