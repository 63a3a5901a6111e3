"""Hardware of this machine, and the models that fit it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from starchat_tui.config.byte_units import GIB, MIB
from starchat_tui.config.settings import Quantization
from starchat_tui.models.registry import KNOWN_MODELS, Model

_WEIGHTS_SHARE = 0.85
"""Share of the memory that weights may take; the rest is for the KV cache and the runtime."""
_GPU_DTYPE_BYTES, _CPU_DTYPE_BYTES = 2, 4
"""Bytes of a parameter that is not quantized: the engine computes in 16 bits on a GPU, else 32."""


@dataclass(frozen=True, slots=True)
class Machine:
    """Memory of a machine, in bytes."""

    memory: int
    gpu_memory: int
    """Memory of the largest NVIDIA GPU; 0 without one."""


def detect_machine() -> Machine:
    """Return this machine's memory without importing torch, which takes seconds.

    It takes some 50 ms on a machine with an NVIDIA GPU, else less than one.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Machine(memory, _detect_gpu_memory())


def _detect_gpu_memory() -> int:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return 0
    query = [tool, "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    try:
        ended = subprocess.run(query, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    # One line per GPU, in MiB; a GPU without memory of its own says "[N/A]".
    sizes = (int(line) for line in ended.stdout.split() if line.isdigit())
    return max(sizes, default=0) * MIB


_QUANTIZED_BYTES: Mapping[str, float] = {"int8": 1.1, "int4": 0.65}


def estimate_parameter_bytes(quantization: Quantization, dtype_bytes: int) -> float:
    """Return the bytes that one parameter takes once loaded; `dtype_bytes` if not quantized.

    bitsandbytes quantizes the linear layers only: embeddings and norms stay in 16 bits, and each
    block of weights brings its scale. That makes 1.10 (int8) and 0.67 (int4) for a StarCoder of 1B
    parameters, a tenth of which are embeddings, and 1.02 and 0.55 for one of 15.5B. One figure
    serves all sizes: it is better to refuse a large model than to run out of memory loading it.
    """
    return _QUANTIZED_BYTES.get(quantization, dtype_bytes)


def recommend_model(machine: Machine) -> str:
    """Return a sentence that names the largest model for a machine, and the flags that load it."""
    budget = machine.gpu_memory or machine.memory
    device = f"{budget / GIB:.0f} GB {'GPU' if machine.gpu_memory else 'and no GPU'}"
    flags = _find_largest_fit(budget * _WEIGHTS_SHARE, on_gpu=machine.gpu_memory > 0)
    return f"This machine ({device}) fits `starchat {flags}`"


def _find_largest_fit(budget: float, *, on_gpu: bool) -> str:
    candidates = _list_model_sizes()
    dtype_bytes = _GPU_DTYPE_BYTES if on_gpu else _CPU_DTYPE_BYTES
    # A CPU would take a second for each token of a model that fits only if it is quantized. The
    # least quantization comes first: it costs quality.
    for model in candidates:
        for quantization in get_args(Quantization) if on_gpu else ("none",):
            size = model.parameters * estimate_parameter_bytes(quantization, dtype_bytes)
            if size <= budget:
                flag = f" --quantize {quantization}" if quantization != "none" else ""
                return f"--model {model.name}{flag}"
    return f"--model {candidates[-1].name}"


def _list_model_sizes() -> list[Model]:
    """Return the first known model of each size, the largest first."""
    first = {model.parameters: model for model in reversed(KNOWN_MODELS.values())}
    return [first[size] for size in sorted(first, reverse=True) if size]
