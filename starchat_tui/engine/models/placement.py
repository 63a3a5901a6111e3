"""Placement of a model: device, number format and quantization, decided before it is read."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast, get_args

import torch

from starchat_tui.config.settings import Quantization, QuantizationChoice
from starchat_tui.engine.models import device as devices
from starchat_tui.engine.models.weights import Checkpoint, is_bigcode
from starchat_tui.errors import ConfigError, OutOfMemory
from starchat_tui.models.hardware import estimate_parameter_bytes

_PACKED_BYTES: Mapping[str, float] = {"int8": 1.02, "int4": 0.64}
"""Bytes of a packed weight with its share of the scales, the biases and the norms."""


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
    if quantize == "auto":
        return _choose_least_quantization(checkpoint, target, device)
    return _place(checkpoint, target, device, _check_quantization(checkpoint, quantize, target))


def _choose_least_quantization(
    checkpoint: Checkpoint, target: torch.device, device: str
) -> Placement:
    """Return the placement with the least quantization that fits the device as a whole.

    If none fits, the error is that of the smallest one which this machine can compute.
    """
    last: Placement | OutOfMemory | None = None
    for quantization in get_args(Quantization):
        try:
            checked = _check_quantization(checkpoint, quantization, target)
            last = _place(checkpoint, target, device, checked)
        except ConfigError:
            continue
        except OutOfMemory as error:
            last = last if isinstance(last, Placement) else error
            continue
        # Divided over devices a model is slow: rather quantized on one of them.
        if not last.spread:
            return last
    assert last is not None, "a model can always be left as it is"
    if isinstance(last, Placement):
        return last
    raise last


def _place(
    checkpoint: Checkpoint, target: torch.device, device: str, quantization: Quantization
) -> Placement:
    """Return the placement with a quantization; raise `OutOfMemory` if it does not fit."""
    dtype = devices.choose_dtype(target)
    size = (
        _estimate_packed_bytes(checkpoint, quantization)
        if quantization != "none" and _packs_weights(checkpoint, target)
        else _estimate_bytes(checkpoint, dtype, quantization)
    )
    fits = size <= devices.get_free_bytes(target)
    # Only where the user left the choice to us: who names a device means that one.
    spread = target.type == "cuda" and device == "auto" and not fits
    if not fits and not (spread and size <= devices.get_total_free_bytes(target)):
        can_quantize = target.type == "cuda" or _packs_weights(checkpoint, target)
        # Said now, with numbers: on Linux a CPU load that outgrows the memory is killed, without
        # a chance to say anything.
        raise OutOfMemory(
            f"The model needs {size / 2**30:.1f} GiB and {target} has "
            f"{max(devices.get_free_bytes(target), 0) / 2**30:.1f} GiB free",
            "choose a smaller one"
            + (", or `--quantize auto`" if can_quantize and quantization != "int4" else "")
            + "; `starchat stop` frees what an engine holds",
        )
    return Placement(target, dtype, quantization, spread, size)


def _packs_weights(checkpoint: Checkpoint, device: torch.device) -> bool:
    """Return whether our own forward pass computes a model with packed weights on a device."""
    return device.type == "cpu" and is_bigcode(checkpoint)


def _check_quantization(
    checkpoint: Checkpoint, quantize: str, device: torch.device
) -> Quantization:
    """Return the quantization; raise `ConfigError` if it is unknown or lacks its means."""
    if quantize not in get_args(Quantization):
        known = ", ".join(get_args(QuantizationChoice))
        raise ConfigError(f"Unknown quantization `{quantize}`", f"use one of {known}")
    if quantize == "none" or _packs_weights(checkpoint, device):
        return cast("Quantization", quantize)
    if device.type != "cuda":
        raise ConfigError(
            f"`--quantize {quantize}` works on {device.type} for StarCoder models without an "
            "adapter",
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
    return int(_count_parameters(checkpoint) * estimate_parameter_bytes(quantize, dtype.itemsize))


def _estimate_packed_bytes(checkpoint: Checkpoint, quantize: Quantization) -> int:
    """Return the memory of a GPTBigCode with packed weights, in bytes.

    The embeddings stay as they are in the files, and the head is a copy in 8 bits.
    """
    # A downloaded file may say anything.
    rows, positions, width = (
        value if isinstance(value := checkpoint.config.get(name), int) else 0
        for name in ("vocab_size", "n_positions", "n_embd")
    )
    parameters = _count_parameters(checkpoint)
    embedded = min((rows + positions) * width, parameters)
    packed = (parameters - embedded) * _PACKED_BYTES[quantize]
    stored = _get_stored_dtype(checkpoint.config).itemsize
    return int(packed + embedded * stored + rows * width)


def _count_parameters(checkpoint: Checkpoint) -> float:
    """Return the number of parameters by the headers of the files, or by their size."""
    stored = _get_stored_dtype(checkpoint.config).itemsize
    return checkpoint.parameters or checkpoint.bytes / stored


def _get_stored_dtype(config: dict[str, Any]) -> torch.dtype:
    # transformers 5 writes `dtype`, earlier versions `torch_dtype`. torch has other attributes
    # than number formats, and the name is a downloaded file's.
    named = getattr(torch, str(config.get("dtype") or config.get("torch_dtype")), None)
    return named if isinstance(named, torch.dtype) else torch.float32
