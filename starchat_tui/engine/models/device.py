"""Where a model computes, in which number format, and whether it fits."""

from __future__ import annotations

import os
import re
from pathlib import Path

import torch

from starchat_tui.errors import ConfigError

_RESERVE = 2**29
"""Bytes left free for activations and the runtime."""


def choose(name: str) -> torch.device:
    """The device a user named (auto, cuda, cuda:N, mps, cpu); raises `ConfigError` without it."""
    if name == "auto":
        return _best()
    if not re.fullmatch(r"cpu|mps|cuda(:\d+)?", name):
        raise ConfigError(f"Unknown device `{name}`", "it is auto, cuda:N, mps or cpu")
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


def _best() -> torch.device:
    if torch.cuda.is_available():
        return torch.device("cuda", max(range(torch.cuda.device_count()), key=_free_of_card))
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def number_format(device: torch.device) -> torch.dtype:
    """bfloat16 where CUDA computes it natively, else float16 on cards, float32 on a CPU."""
    if device.type == "cpu":
        return torch.float32
    if device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.bfloat16
    return torch.float16


def _free_of_card(index: int) -> int:
    return torch.cuda.mem_get_info(index)[0]


def free_memory(device: torch.device) -> int:
    """Bytes that weights may still take on `device`."""
    if device.type == "cuda":
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + cached - _RESERVE
    if device.type == "mps":
        used = torch.mps.driver_allocated_memory()
        return torch.mps.recommended_max_memory() - used - _RESERVE
    return _available() - _RESERVE


def _available() -> int:
    """Main memory that can be had without swapping, in bytes."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


def free_everywhere(device: torch.device) -> int:
    """Bytes for a model that may spread over all cards and main memory."""
    cards = range(torch.cuda.device_count()) if device.type == "cuda" else ()
    return sum(free_memory(torch.device("cuda", card)) for card in cards) + _available()


def release(device: torch.device) -> None:
    """Give freed memory back to the system."""
    import gc

    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
