"""Placement of a model: device, number format and quantization, decided before it is read."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import Any, cast, get_args

import torch

from starchat_tui.config.settings import Quantization
from starchat_tui.engine.models import device as devices
from starchat_tui.engine.models.weights import Checkpoint
from starchat_tui.errors import ConfigError, OutOfMemory
from starchat_tui.models.hardware import estimate_parameter_bytes

_QUANTIZED = tuple(name for name in get_args(Quantization) if name != "none")


@dataclass(frozen=True, slots=True)
class Placement:
    """Device and number format for the weights of a model."""

    device: torch.device
    dtype: torch.dtype
    quantize: Quantization
    spread: bool
    """True if accelerate divides the model over all GPUs and main memory."""
    bytes: int
    """Estimated memory of the weights, in bytes."""


def choose_placement(checkpoint: Checkpoint, *, device: str, quantize: str) -> Placement:
    """Decide where a checkpoint goes.

    Raises `ConfigError` for a device or quantization that this machine does not have, and
    `OutOfMemory` if the model does not fit.
    """
    target = devices.choose_device(device)
    checked = _check_quantization(quantize, target)
    dtype = devices.choose_dtype(target)
    size = _estimate_bytes(checkpoint, dtype, checked)
    fits = size <= devices.get_free_bytes(target)
    # Only where the user left the choice to us: who names a device means that one.
    spread = target.type == "cuda" and device == "auto" and not fits
    if not fits and not (spread and size <= devices.get_total_free_bytes(target)):
        # Said now, with numbers: on Linux a CPU load that outgrows the memory is killed, without
        # a chance to say anything.
        raise OutOfMemory(
            f"The model needs {size / 2**30:.1f} GiB and {target} has "
            f"{max(devices.get_free_bytes(target), 0) / 2**30:.1f} GiB free",
            "choose a smaller one"
            + (f", or `--quantize {' or '.join(_QUANTIZED)}`" if target.type == "cuda" else "")
            + "; `starchat stop` frees what an engine holds",
        )
    return Placement(target, dtype, checked, spread, size)


def _check_quantization(quantize: str, device: torch.device) -> Quantization:
    """Return the quantization; raise `ConfigError` if it is unknown or lacks its means."""
    if quantize not in get_args(Quantization):
        known = ", ".join(get_args(Quantization))
        raise ConfigError(f"Unknown quantization `{quantize}`", f"use one of {known}")
    if quantize == "none":
        return "none"
    if device.type != "cuda":
        raise ConfigError(
            f"`--quantize {quantize}` needs a CUDA device, and this is {device.type}",
            "leave it out, or choose a smaller model",
        )
    if importlib.util.find_spec("bitsandbytes") is None:
        raise ConfigError(
            f"`--quantize {quantize}` needs the bitsandbytes library",
            "install it with `pip install bitsandbytes`",
        )
    return cast("Quantization", quantize)


def _estimate_bytes(checkpoint: Checkpoint, dtype: torch.dtype, quantize: Quantization) -> int:
    """Return the memory of the weights once loaded, in bytes.

    Where the files do not tell the number of parameters, it follows from their size and the number
    format that config.json names.
    """
    config = checkpoint.config
    # Quantized files are loaded as they are.
    if "quantization_config" in config:
        return checkpoint.bytes
    parameters = checkpoint.parameters or checkpoint.bytes / _get_stored_dtype(config).itemsize
    return int(parameters * estimate_parameter_bytes(quantize, dtype.itemsize))


def _get_stored_dtype(config: dict[str, Any]) -> torch.dtype:
    # transformers 5 writes `dtype`, earlier versions `torch_dtype`. torch has other attributes
    # than number formats, and the name is a downloaded file's.
    named = getattr(torch, str(config.get("dtype") or config.get("torch_dtype")), None)
    return named if isinstance(named, torch.dtype) else torch.float32
