"""Inputs of every estimate: the shape of a model, and the setup it is trained in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Sharding = Literal["none", "zero3", "fsdp"]


@dataclass(frozen=True, slots=True)
class ModelShape:
    """Sizes that determine the memory of a model."""

    parameters: int
    layers: int
    width: int
    """Hidden size d."""
    inner: int
    """Width of the feed-forward layers; 4 d in StarCoder."""
    keys: int
    """Width of the keys of one token, and of its values; one head in StarCoder."""
    vocabulary: int
    heads: int = 1
    """Query heads."""
    adapter: int = 0
    """Parameters of the LoRA adapter; 0 trains the whole model."""
    largest: int = 0
    """Parameters of the largest matrix."""


@dataclass(frozen=True, slots=True)
class TrainingSetup:
    """Devices of a run, and how the model is trained on them."""

    devices: int
    """Processes, one per device."""
    capacity: int
    """Free bytes of a device."""
    host: int
    """Bytes of main memory per process."""
    gpu: bool
    half: bool
    """Mixed precision with bfloat16."""
    tokens: int
    """Tokens of one forward pass on a device."""
    block: int
    """Tokens of one row."""
    sharding: Sharding = "none"
    offload: bool = False
    """ZeRO keeps the optimizer states in main memory."""
    in_backward: bool = False
    """The optimizer step is part of the backward pass."""
    checkpointing: bool = False
    """Activations are recomputed in the backward pass."""
    masked: bool = False
    """Attention takes a dense mask [T, T], as sdpa does."""
    blockwise: bool = False
    """Attention saves its weights, half of [T, T] per head, for the gradient."""
