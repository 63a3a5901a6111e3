"""One GPU, StarCoder's full shape, random weights: the 2023 recipe against this one.

    python -m tests.benchmarks.train_h200 [--only NAME ...] [--steps N]

Each variant runs in its own process, which creates the 15.5 billion parameters on the GPU (31 GB),
takes two warm-up steps and then the measured ones: about a minute each on an H200, under ten
minutes in all. Prints one JSON document and appends a line to the history; no goal fails a test.

Measured are seconds per step, tokens per second, MFU (6 N T over the GPU's peak), HFU (all
computation, recomputation included) and peak memory. The tree factor is not part of the tokens per
second but reported next to them; `epoch_minutes` includes both, for the 7.45 million path tokens of
an epoch of 2023.

The optimizer of the 2023 recipe does not fit one GPU, so its forward and backward pass (eager
attention, running positions, nothing masked, checkpointing) are measured with our optimizer.
`--tiny --device cpu` tests the script itself without a GPU; its figures mean nothing.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from random import Random
from typing import Any

import torch

from starchat_tui.templates.template import IGNORE_INDEX
from tests.benchmarks.record import publish
from train.modeling import masks
from train.modeling.loss import total_weight
from train.modeling.loss_head import LossHead
from train.modeling.optimizers import AdamWInBackward

PEAK = {"H200": 989e12, "H100": 989e12, "A100": 312e12}
"""Dense bfloat16 operations per second, from NVIDIA's data sheets."""
EPOCH = 7.45e6
"""Tokens of an epoch of 2023: 19,034 paths of 391.4 tokens on average."""
TREE_SHARE = 0.617
"""Share of those tokens that remain if the dialogues are encoded as trees (OpenAssistant)."""
LEARNED = 0.9
"""Share of the tokens of real trees that belong to the assistant."""
WARM = 2


@dataclass(frozen=True)
class Variant:
    """One way to train, and what is measured of it."""

    attention: str
    rows: int
    block: int
    checkpointing: bool = False
    trees: bool = True
    lora: bool = False
    masked_labels: bool = True


VARIANTS = {
    "recipe_2023": Variant("eager", 4, 1024, True, trees=False, masked_labels=False),
    "sdpa_checkpointed": Variant("sdpa", 1, 4096, True),
    "flex_checkpointed": Variant("flex_attention", 1, 4096, True),
    "flex": Variant("flex_attention", 1, 4096),
    "flex_2048": Variant("flex_attention", 1, 2048),
    "lora": Variant("flex_attention", 1, 4096, lora=True),
}


def create_tree_exits(length: int, rng: Random) -> list[int]:
    """Create exits `[T]` of consecutive trees of OpenAssistant's sizes, 1,500 tokens on average."""
    exits: list[int] = []
    while len(exits) < length:
        start = len(exits)
        end = min(length, start + rng.randint(500, 2500))
        exits += _generate_subtree(start, end, rng)
    return exits


def _generate_subtree(start: int, end: int, rng: Random) -> list[int]:
    """Return the exits of a message and its replies, in the tokens from `start` to `end`."""
    length = min(end - start, rng.randint(60, 350))
    exits = [end] * length
    position = start + length
    while position < end:
        stop = min(end, position + rng.randint(200, 900))
        exits += _generate_subtree(position, stop, rng)
        position = stop
    return exits


def create_batch(variant: Variant, vocabulary: int, device: str) -> dict[str, torch.Tensor]:
    """Create random rows `[B, T]` with the fields that the variant needs."""
    rng = Random(0)
    shape = (variant.rows, variant.block)
    ids = torch.randint(0, vocabulary, shape, device=device)
    positions = torch.arange(variant.block, device=device).expand(shape)
    batch = {"input_ids": ids, "labels": ids.clone(), "position_ids": positions}
    batch["weights"] = torch.ones(shape, device=device)
    if variant.masked_labels:
        unlearned = torch.rand(shape, device=device) > LEARNED
        batch["labels"][unlearned] = IGNORE_INDEX
    if variant.trees:
        exits = torch.tensor([create_tree_exits(variant.block, rng) for _ in range(variant.rows)])
        batch["exits"] = exits.to(device)
    return batch


def create_model(variant: Variant, *, tiny: bool, device: str) -> Any:
    """Create the model with random bfloat16 weights on the device."""
    from transformers import GPTBigCodeConfig, GPTBigCodeForCausalLM

    shape: dict[str, Any] = {"n_embd": 6144, "n_layer": 40, "n_head": 48, "vocab_size": 49216}
    if tiny:
        shape = {"n_embd": 64, "n_layer": 2, "n_head": 4, "vocab_size": 512}
    config = GPTBigCodeConfig(
        **shape,
        n_positions=8192,
        attn_pdrop=0.0,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        bos_token_id=0,
        eos_token_id=0,
        use_cache=False,
    )
    masks.enable_flex_attention()
    config._attn_implementation = variant.attention
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device(device):
            model: Any = GPTBigCodeForCausalLM(config)
    finally:
        torch.set_default_dtype(before)
    if variant.lora:
        from peft import LoraConfig, get_peft_model

        targets_ = ["c_attn", "c_proj", "c_fc"]
        model = get_peft_model(model, LoraConfig(r=16, target_modules=targets_))
    if variant.checkpointing:
        model.activation_checkpointing_enable({"use_reentrant": False})
    return model.train()


def measure_one(name: str, *, steps: int, tiny: bool, device: str) -> dict[str, Any]:
    """Return the figures of one variant, measured in this process."""
    variant = VARIANTS[name]
    if device == "cpu" and variant.attention == "flex_attention":
        variant = Variant("sdpa", 1, 256, variant.checkpointing, True, variant.lora)
    if tiny:
        block = min(variant.block, 256)
        variant = Variant(
            variant.attention,
            variant.rows,
            block,
            variant.checkpointing,
            variant.trees,
            variant.lora,
            variant.masked_labels,
        )
    torch.manual_seed(0)
    model = create_model(variant, tiny=tiny, device=device)
    count = sum(weight.numel() for weight in model.parameters())
    trainable = [weight for weight in model.parameters() if weight.requires_grad]
    adam = (
        torch.optim.AdamW(trainable, lr=1e-5)
        if variant.lora
        else AdamWInBackward(trainable, lr=1e-5)
    )
    head = LossHead(model, sharded=False)
    batch = create_batch(variant, model.config.vocab_size, device)
    taken = [_time_step(model, head, adam, dict(batch), device) for _ in range(WARM + steps)][WARM:]
    return _summarize(variant, statistics.median(taken), count, device)


def _time_step(
    model: Any, head: LossHead, adam: Any, batch: dict[str, torch.Tensor], device: str
) -> float:
    """Return the seconds of one step."""
    _synchronize(device)
    began = time.perf_counter()
    exits = batch.pop("exits", None)
    if exits is not None:
        flex = model.config._attn_implementation == "flex_attention"
        batch["attention_mask"] = (
            masks.build_block_mask(exits) if flex else masks.build_dense_mask(exits)
        )
    loss = head.sum_losses(model, batch) / total_weight(batch["labels"], batch["weights"])
    loss.backward()  # type: ignore[no-untyped-call]
    adam.step()
    adam.zero_grad()
    _synchronize(device)
    return time.perf_counter() - began


def _synchronize(device: str) -> None:
    if device != "cpu":
        torch.cuda.synchronize()


def _summarize(variant: Variant, seconds: float, count: int, device: str) -> dict[str, Any]:
    tokens = variant.rows * variant.block
    card = torch.cuda.get_device_name() if device != "cpu" else "CPU"
    peak = next((value for name, value in PEAK.items() if name in card), None)
    # Frozen weights need no weight gradients, which saves a third of the operations.
    needed = (4 if variant.lora else 6) * count * tokens
    done = needed + (2 * count * tokens if variant.checkpointing else 0)
    read = EPOCH * (TREE_SHARE if variant.trees else 1.0)
    memory = torch.cuda.max_memory_allocated() / 1e9 if device != "cpu" else None
    return {
        "card": card,
        "step_seconds": round(seconds, 4),
        "tokens_per_second": round(tokens / seconds, 1),
        "mfu": round(needed / seconds / peak, 4) if peak else None,
        "hfu": round(done / seconds / peak, 4) if peak else None,
        "peak_memory_gb": round(memory, 1) if memory else None,
        "tree_share": TREE_SHARE if variant.trees else 1.0,
        "epoch_minutes": round(read / (tokens / seconds) / 60, 1),
        "three_epochs_minutes": round(3 * read / (tokens / seconds) / 60, 1),
    }


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of every variant, each from its own process, or its error."""
    results: dict[str, Any] = {}
    for name in options.only or VARIANTS:
        command = [sys.executable, "-m", "tests.benchmarks.train_h200", "--one", name]
        command += ["--steps", str(options.steps), "--device", options.device]
        command += ["--tiny"] if options.tiny else []
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        lines = ran.stdout.splitlines()
        results[name] = (
            json.loads(lines[-1])
            if ran.returncode == 0 and lines
            else {"failed": ran.stderr.strip().splitlines()[-1:]}
        )
        print(f"{name}: {results[name]}", file=sys.stderr, flush=True)
    return {"variants": results}


def main() -> int:
    """Measure the requested variants."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", action="append", choices=VARIANTS)
    parser.add_argument("--one", choices=VARIANTS, help=argparse.SUPPRESS)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--device", default="cuda")
    options = parser.parse_args()
    if options.one:
        figures = measure_one(
            options.one, steps=options.steps, tiny=options.tiny, device=options.device
        )
        print(json.dumps(figures))
        return 0
    if options.device != "cpu" and not torch.cuda.is_available():
        parser.error("no GPU found; `--tiny --device cpu` tests the script itself")
    if options.tiny:
        print(json.dumps(measure(options)))
        return 0
    return publish("train_h200", lambda: measure(options))


if __name__ == "__main__":
    sys.exit(main())
