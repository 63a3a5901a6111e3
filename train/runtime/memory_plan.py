"""Memory that a fine-tune needs per device, and suggestions if it does not fit.

Bytes per parameter (Rajbhandari et al., ZeRO, 2020, section 3.1):

    whole model, mixed precision    weights 4, gradients 4, Adam 8, a bfloat16 copy 2
    whole model, sharded            weights 2, gradients 2, Adam 8, float32 copy 4, over all devices
    in_backward, bfloat16           weights 2, Adam 4, gradients of one matrix at a time
    LoRA                            weights 2; only the adapter is trained

Activations are counted from what autograd saves in a GPT-2-like block: `14 d` elements per token
plus keys and values; a test counts them in a real model. Fragmentation of the allocator is not
counted; a twentieth of the total is set aside for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from starchat_tui.errors import OutOfMemory
from train.run_setup import ModelShape, TrainingSetup

GB = 10**9
SPARE = 0.05
"""Share of a device set aside for fragmentation."""
RUNTIME = 1.5 * GB
"""Bytes of the CUDA context and its libraries."""
LIVE = 10**9
"""Most parameters that ZeRO-3 gathers at a time (`stage3_max_live_parameters`)."""
BUCKETS = 1.5 * GB
"""Most bytes of ZeRO-3's buffers for prefetching and reducing."""


@dataclass(frozen=True, slots=True)
class MemoryNeed:
    """Bytes needed on each device."""

    weights: int
    gradients: int
    optimizer: int
    activations: int
    logits: int
    buffers: int
    host: int
    """Bytes of main memory per process."""

    @property
    def device(self) -> int:
        """Bytes on the device in all, with the spare share."""
        parts = (self.weights, self.gradients, self.optimizer, self.activations, self.logits)
        return int((sum(parts) + self.buffers) / (1 - SPARE))


def predict_memory(shape: ModelShape, setup: TrainingSetup) -> MemoryNeed:
    """Return what each device has to hold at the peak of a step."""
    weights, gradients, optimizer = _predict_states(shape, setup)
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
    return MemoryNeed(
        int(weights / shards),
        int(gradients / shards),
        int(on_device),
        _predict_activations(shape, setup),
        _predict_logits(shape, setup),
        int(buffers),
        int(host),
    )


def _predict_states(shape: ModelShape, setup: TrainingSetup) -> tuple[float, float, float]:
    """Return the bytes of weights, gradients and optimizer states before sharding."""
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


def _predict_activations(shape: ModelShape, setup: TrainingSetup) -> int:
    """Return the bytes autograd saves; with checkpointing, all block inputs and one block's own."""
    width = 2 if setup.half else 4
    # Inputs and outputs of two norms, queries, attention output, feed-forward before and after its
    # activation: 6 d + 2 inner, plus keys and values.
    block = 6 * shape.width + 2 * shape.inner + 2 * shape.keys
    if setup.masked:
        block += setup.block
    if setup.blockwise:
        # 9/16 of the square is computed (see modeling/attention). The softmax is saved in float32,
        # and again in the dtype of the values.
        block += shape.heads * setup.block * 9 // 16 * (3 if setup.half else 1)
    # The gradient of a block's widest activation exists at the same time.
    moment = 2 * shape.inner
    each = shape.width if setup.checkpointing else block
    beside = block + moment if setup.checkpointing else moment
    low_rank = 2 * shape.width if shape.adapter else 0
    return width * setup.tokens * (shape.layers * (each + low_rank) + beside)


def _predict_logits(shape: ModelShape, setup: TrainingSetup) -> int:
    """Return the bytes of the scores of every token, also in float32, and of their gradient."""
    return setup.tokens * shape.vocabulary * (10 if setup.half else 12)


def choose_checkpointing(
    shape: ModelShape, setup: TrainingSetup, checkpointing: str
) -> tuple[TrainingSetup, MemoryNeed]:
    """Return the setup with checkpointing decided, and its need.

    `checkpointing` is `on`, `off`, or `auto`: only if it does not fit without. Raises `OutOfMemory`
    with suggestions.
    """
    tries = {"on": (True,), "off": (False,)}.get(checkpointing, (False, True))
    for switch in tries:
        chosen = replace(setup, checkpointing=switch)
        need = predict_memory(shape, chosen)
        if fits_in_memory(need, chosen):
            return chosen, need
    raise OutOfMemory(
        f"This run needs {format_bytes(need.device)} on each device, and "
        f"{format_bytes(setup.capacity)} are free"
        if need.device > setup.capacity
        else f"This run needs {format_bytes(need.host)} of main memory per process, and "
        f"{format_bytes(setup.host)} are free",
        suggest_changes(shape, chosen),
    )


def fits_in_memory(need: MemoryNeed, setup: TrainingSetup) -> bool:
    """Return whether both the device and main memory are large enough."""
    return need.device <= setup.capacity and need.host <= setup.host


def suggest_changes(shape: ModelShape, setup: TrainingSetup) -> str:
    """Return a sentence with what would fit, the smallest change first."""
    found = [
        words
        for words, shape, other in _list_changes(shape, setup)
        if fits_in_memory(predict_memory(shape, other), other)
    ]
    if not found:
        return "no change of the configuration makes it fit: choose a smaller model"
    return "it would fit with " + "; or with ".join(found[:4])


def _list_changes(
    shape: ModelShape, setup: TrainingSetup
) -> Iterator[tuple[str, ModelShape, TrainingSetup]]:
    """Yield a description, a shape and a setup for each change, the smallest first."""
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
    # Sharded runs keep their gradients, in order to exchange them.
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
                if fits_in_memory(predict_memory(shape, more), more):
                    yield f"{devices} such GPUs and ZeRO-3", shape, more
                    break
        low = replace(shape, adapter=max(1, shape.parameters // 200))
        yield "`lora_rank: 16`", low, replace(lean, in_backward=False)


def format_need(need: MemoryNeed, setup: TrainingSetup) -> list[str]:
    """Return the need as lines of a table, one part per line."""
    parts = {
        "weights": need.weights,
        "gradients": need.gradients,
        "optimizer": need.optimizer,
        "activations, " + ("recomputed" if setup.checkpointing else "kept"): need.activations,
        "scores of all tokens": need.logits,
        "buffers and runtime": need.buffers,
        "total, with 5 % to spare": need.device,
        "free on the device": setup.capacity,
    }
    lines = [f"  {name:32} {format_bytes(value):>9}" for name, value in parts.items()]
    if need.host:
        lines.append(f"  {'main memory per process':32} {format_bytes(need.host):>9}")
    return lines


def format_bytes(count: float) -> str:
    """Return a byte count for people: `1.5 GB`, `20.0 MB`."""
    return f"{count / GB:.1f} GB" if count >= GB / 10 else f"{count / 1e6:.1f} MB"
