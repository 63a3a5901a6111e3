"""Compute device of a model: choice, number format and free memory."""

from __future__ import annotations

import os
import re
from pathlib import Path

import torch

from starchat_tui.errors import ConfigError

_RESERVED_BYTES = 2**29
"""Memory left free for activations and the runtime, in bytes."""


def choose_device(name: str) -> torch.device:
    """Return the device called `name`: auto, cuda, cuda:N, mps or cpu.

    Raises `ConfigError` if this machine does not have it.
    """
    if name == "auto":
        return _choose_best()
    if not re.fullmatch(r"cpu|mps|cuda(:\d+)?", name):
        raise ConfigError(f"Unknown device `{name}`", "use auto, cuda:N, mps or cpu")
    device = torch.device(name)
    cards = torch.cuda.device_count()
    if device.type == "cuda" and (device.index or 0) >= cards:
        raise ConfigError(
            f"There is no device `{name}`: torch sees {cards} CUDA devices",
            "use `--device cpu`, or install the CUDA build of torch and a driver",
        )
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise ConfigError("torch cannot use `mps` on this machine", "use `--device cpu`")
    return device


def _choose_best() -> torch.device:
    if torch.cuda.is_available():
        # On a shared machine the first card is the one that everybody else took.
        return torch.device("cuda", max(range(torch.cuda.device_count()), key=_get_free_gpu_bytes))
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def choose_dtype(device: torch.device) -> torch.dtype:
    """Return the number format to compute in.

    bfloat16 where CUDA supports it natively, else float16 on a GPU, and float32 on a CPU.
    """
    if device.type == "cpu":
        return torch.float32
    # bfloat16 has the exponent range of float32; float16 overflows at 65,504. By default torch
    # also counts cards that only emulate bfloat16, which is slower there than float16.
    if device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.bfloat16
    return torch.float16


def _get_free_gpu_bytes(index: int) -> int:
    return torch.cuda.mem_get_info(index)[0]


def get_free_bytes(device: torch.device) -> int:
    """Return the bytes that weights may still take on `device`."""
    if device.type == "cuda":
        # The driver counts what torch keeps for reuse as taken; a new model can have it.
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + cached - _RESERVED_BYTES
    if device.type == "mps":
        used = torch.mps.driver_allocated_memory()
        return torch.mps.recommended_max_memory() - used - _RESERVED_BYTES
    return _get_free_ram_bytes() - _RESERVED_BYTES


def _get_free_ram_bytes() -> int:
    """Return the main memory that can be allocated without swapping, in bytes."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            # Not MemFree: the page cache gives its memory back on demand.
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    # No system but Linux tells it without a library: assume that half of the memory is in use.
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


def get_total_free_bytes(device: torch.device) -> int:
    """Return the bytes free for a model that may be split over all GPUs and main memory."""
    cards = range(torch.cuda.device_count()) if device.type == "cuda" else ()
    free = sum(get_free_bytes(torch.device("cuda", card)) for card in cards)
    return free + _get_free_ram_bytes()


def release_memory(device: torch.device) -> None:
    """Return freed memory to the system, so that the next model can be loaded."""
    import gc

    # A tree of modules holds reference cycles (hooks, bound methods); until they are collected,
    # their tensors are in use, and the allocator has nothing to return.
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
