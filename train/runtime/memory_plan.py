"""What a fine-tune needs of each device: arithmetic, and a plan where it cannot fit.

Bytes a parameter, by the way it is trained (Rajbhandari et al., ZeRO, 2020, section 3.1):

    whole model, mixed precision    weights 4, gradients 4, Adam 8, a bfloat16 copy 2
    whole model, sharded            weights 2, gradients 2, Adam 8, float32 copy 4, over all devices
    applied in backward, bfloat16   weights 2, Adam 4, gradients of one matrix at a time
    LoRA                            weights 2; the adapter alone is trained

Activations are counted from what autograd saves in a block of GPT-2's kind: `14 d` elements a token
and the keys and values; a test counts them in a real model. Not counted: memory that the allocator
cannot use because it lies in pieces; a twentieth of the whole is set aside for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from starchat_tui.errors import OutOfMemory

GB = 10**9
SPARE = 0.05
"""The share of a device that is left for memory in pieces."""
RUNTIME = 1.5 * GB
"""Bytes of the CUDA context and its libraries."""
LIVE = 10**9
"""Parameters that ZeRO-3 holds whole at a time, at most (`stage3_max_live_parameters`)."""
BUCKETS = 1.5 * GB
"""ZeRO-3's buffers for prefetching and reducing, at most."""

Sharding = Literal["none", "zero3", "fsdp"]


@dataclass(frozen=True, slots=True)
class Shape:
    """What a model's memory depends on."""

    parameters: int
    layers: int
    width: int
    """The hidden size, d."""
    inner: int
    """The width of the feed-forward layers, 4 d in StarCoder."""
    keys: int
    """Width of the keys of a token; those and the values of one head in StarCoder."""
    vocabulary: int
    heads: int = 1
    """Of the queries."""
    adapter: int = 0
    """Parameters of the LoRA adapter; 0 trains the model itself."""
    largest: int = 0
    """Parameters of the largest matrix."""


@dataclass(frozen=True, slots=True)
class Setup:
    """How it is to be trained, and on what."""

    devices: int
    """Processes, one on each device."""
    capacity: int
    """Bytes of a device that are free."""
    host: int
    """Bytes of main memory for each process."""
    gpu: bool
    half: bool
    """bfloat16, in mixed precision."""
    tokens: int
    """Tokens of a forward pass on a device."""
    block: int
    sharding: Sharding = "none"
    offload: bool = False
    """Whether ZeRO keeps the optimizer in main memory."""
    in_backward: bool = False
    checkpointing: bool = False
    masked: bool = False
    """Whether attention is told by a mask [T, T], as sdpa is."""
    blockwise: bool = False
    """Whether attention keeps its weights, half of [T, T] for each head, for its gradient."""


@dataclass(frozen=True, slots=True)
class Need:
    """Bytes on each device."""

    weights: int
    gradients: int
    optimizer: int
    activations: int
    logits: int
    buffers: int
    host: int
    """In main memory, for each process."""

    @property
    def device(self) -> int:
        """All that is on the device, its spare part included."""
        parts = (self.weights, self.gradients, self.optimizer, self.activations, self.logits)
        return int((sum(parts) + self.buffers) / (1 - SPARE))


def predict(shape: Shape, setup: Setup) -> Need:
    """What each device has to hold at the worst moment of a step."""
    weights, gradients, optimizer = _states(shape, setup)
    shards = setup.devices if setup.sharding != "none" else 1
    buffers = RUNTIME if setup.gpu else 0.0
    if setup.sharding != "none":
        live = min(LIVE, shape.parameters) * (2 if setup.half else 4)
        buffers += live + min(BUCKETS, 4 * shape.parameters)
    kept = optimizer / shards
    on_device = 0.0 if setup.offload else kept
    host = kept if setup.offload else 0.0
    if not setup.gpu:
        on_device, host = on_device + host, 0.0
    return Need(
        int(weights / shards),
        int(gradients / shards),
        int(on_device),
        _activations(shape, setup),
        _logits(shape, setup),
        int(buffers),
        int(host),
    )


def _states(shape: Shape, setup: Setup) -> tuple[float, float, float]:
    """Bytes of weights, gradients and optimizer before they are sharded."""
    width = 2 if setup.half else 4
    if shape.adapter:
        return width * shape.parameters + 4 * shape.adapter, 4 * shape.adapter, 8 * shape.adapter
    if setup.in_backward:
        return width * shape.parameters, width * shape.largest, 2 * width * shape.parameters
    if setup.sharding != "none":
        copy = 4 if setup.half else 0
        return width * shape.parameters, width * shape.parameters, (8 + copy) * shape.parameters
    copied = 2 if setup.half else 0
    return (4 + copied) * shape.parameters, 4 * shape.parameters, 8 * shape.parameters


def _activations(shape: Shape, setup: Setup) -> int:
    """Bytes that autograd saves; with checkpointing, each block's input and one block's own."""
    width = 2 if setup.half else 4
    # Two norms in and out, the queries, what attention gives, and the feed-forward before and
    # after its activation: 6 d + 2 inner, and the keys and values.
    block = 6 * shape.width + 2 * shape.inner + 2 * shape.keys
    if setup.masked:
        block += setup.block
    if setup.blockwise:
        # The softmax in float32, and its copy in the format of the values.
        block += shape.heads * setup.block * 9 // 16 * (3 if setup.half else 1)
    # The gradient of a block's widest activation exists beside it.
    moment = 2 * shape.inner
    each = shape.width if setup.checkpointing else block
    beside = block + moment if setup.checkpointing else moment
    low_rank = 2 * shape.width if shape.adapter else 0
    return width * setup.tokens * (shape.layers * (each + low_rank) + beside)


def _logits(shape: Shape, setup: Setup) -> int:
    """Bytes of the scores of every token, in float32 too, and their gradient."""
    return setup.tokens * shape.vocabulary * (10 if setup.half else 12)


def decided(shape: Shape, setup: Setup, checkpointing: str) -> tuple[Setup, Need]:
    """The setup with checkpointing decided, and its need; raises `OutOfMemory` with a plan.

    `checkpointing` is `on`, `off`, or `auto`: only where it does not fit without.
    """
    tries = {"on": (True,), "off": (False,)}.get(checkpointing, (False, True))
    for switch in tries:
        chosen = replace(setup, checkpointing=switch)
        need = predict(shape, chosen)
        if fits(need, chosen):
            return chosen, need
    raise OutOfMemory(
        f"This run needs {size(need.device)} on each device, and {size(setup.capacity)} are free"
        if need.device > setup.capacity
        else f"This run needs {size(need.host)} of main memory for each process, and "
        f"{size(setup.host)} are free",
        plan(shape, chosen),
    )


def fits(need: Need, setup: Setup) -> bool:
    """Whether both the device and main memory have room."""
    return need.device <= setup.capacity and need.host <= setup.host


def plan(shape: Shape, setup: Setup) -> str:
    """What would fit, the least change first."""
    found = [
        words for words, shape, other in _ways(shape, setup) if fits(predict(shape, other), other)
    ]
    if not found:
        return "nothing that could be changed here makes it fit: choose a smaller model"
    return "it would fit with " + "; or with ".join(found[:4])


def _ways(shape: Shape, setup: Setup) -> Iterator[tuple[str, Shape, Setup]]:
    lean = replace(setup, checkpointing=True)
    if not setup.checkpointing:
        yield "`checkpointing: on`", shape, lean
    rows = setup.tokens // setup.block
    if rows > 1:
        single = replace(lean, tokens=setup.block)
        yield "`batch_size: 1` and more `accumulation`", shape, single
    lean = replace(lean, tokens=setup.block)
    for block in (2048, 1024, 512):
        if block < setup.block:
            yield f"`block: {block}`", shape, replace(lean, tokens=block, block=block)
    # What is sharded keeps its gradients, to exchange them.
    sharded = replace(lean, sharding="zero3", in_backward=False)
    if not shape.adapter:
        if setup.gpu and setup.devices == 1 and not setup.in_backward:
            applied = replace(lean, in_backward=True, half=True, sharding="none")
            yield "`optimizer: in_backward`", shape, applied
        if setup.sharding == "none" and setup.devices > 1:
            yield "`--deepspeed train/configs/zero3.json`", shape, sharded
        if setup.gpu and not setup.offload:
            offload = replace(sharded, offload=True)
            yield "ZeRO-3 with `offload_optimizer` to the CPU", shape, offload
        for devices in (2, 4, 8, 16, 32, 64):
            if setup.gpu and devices > setup.devices:
                more = replace(sharded, devices=devices)
                if fits(predict(shape, more), more):
                    yield f"{devices} such GPUs and ZeRO-3", shape, more
                    break
        low = replace(shape, adapter=max(1, shape.parameters // 200))
        yield "`lora_rank: 16`", low, replace(lean, in_backward=False)


def lines(need: Need, setup: Setup) -> list[str]:
    """The need as a table, one part a line."""
    parts = {
        "weights": need.weights,
        "gradients": need.gradients,
        "optimizer": need.optimizer,
        "activations, " + ("recomputed" if setup.checkpointing else "kept"): need.activations,
        "scores of the vocabulary": need.logits,
        "buffers and runtime": need.buffers,
        "all, with a twentieth to spare": need.device,
        "free on the device": setup.capacity,
    }
    told = [f"  {name:32} {size(value):>9}" for name, value in parts.items()]
    if need.host:
        told.append(f"  {'main memory, each process':32} {size(need.host):>9}")
    return told


def size(count: float) -> str:
    """Bytes as a person says them."""
    return f"{count / GB:.1f} GB" if count >= GB / 10 else f"{count / 1e6:.1f} MB"


def written(shape: Shape, setup: Setup, *, checkpoints: int) -> int:
    """Bytes on disk at the worst moment: `checkpoints`, one more being written, and the model."""
    if shape.adapter:
        return (checkpoints + 1) * 12 * shape.adapter + 4 * shape.adapter
    model = (2 if setup.half else 4) * shape.parameters
    if setup.in_backward:
        each = 3 * model
    elif setup.sharding == "none":
        each = 12 * shape.parameters
    else:
        each = 12 * shape.parameters + model
    return (checkpoints + 1) * each + 2 * model
