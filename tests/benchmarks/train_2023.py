"""Batches of the 2023 recipe against trees and masks, on real dialogues.

Same OpenAssistant trees, same initial model (`nano-base`), same optimizer, tokens per step and
learning rate, same run. The contents of a batch differ, and the computation of a step: in 2023
causal attention (`sdpa` here, which is faster than the attention of that time) and the scores of
every token; here blockwise attention under the mask, and a chunked loss over learned tokens. CPU
time of one thread. The held-out loss is measured on the assistant's tokens of trees that no arm has
seen.

`STARCHAT_DATA=FOLDER python -m tests.benchmarks.train_2023 [--epochs N]`; with `--table` alone, the
newest run becomes the table in docs/fine-tuning.md.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import GPTBigCodeForCausalLM

from starchat_tui.templates.tokenizer import Tokenizer
from tests.benchmarks.record import HISTORY, Goal, publish
from tests.train.reference_loss import mean_cross_entropy
from train.data.collator import Collator
from train.data.encode import encode_all, encode_tree
from train.data.load import LoadedTrees, load_trees
from train.data.packing import PackedRow
from train.data.rows import pack_trees
from train.data.split import split_trees
from train.data.trees import Tree, iterate_paths
from train.modeling import attention
from train.modeling.attention import BLOCKWISE
from train.modeling.loss import total_weight
from train.modeling.loss_head import LossHead

ROOT = Path(__file__).parents[2]
WEIGHTS = ROOT / "starchat_tui" / "weights" / "nano-base"
CHUNK, BLOCK = 1024, 2048
"""Tokens of a row: of the 2023 recipe, and of ours."""
STEP_TOKENS = 2048
RATE = 3e-4
WARMUP = 10
"""Warm-up steps; then the rate is constant, as it was in 2023."""
SEED = 42
HELD_OUT = 0.2
ARMS = {
    "2023": "2023: chunks of 1,024 tokens, nothing masked",
    "trees_leaves": "trees, `weights: leaves`",
    "trees_once": "trees, `weights: once`",
}
PAGE = ROOT / "docs" / "fine-tuning.md"
BEGIN, END = "<!-- train_2023 -->", "<!-- end -->"


@dataclass(frozen=True, slots=True)
class Arm:
    """One way to make rows out of trees."""

    name: str
    rows: list[PackedRow]
    isolated: bool
    """True if the dialogues of a row are isolated from each other."""


def build_chunks(
    loaded: LoadedTrees, trained: Sequence[Tree], tokenizer: Tokenizer
) -> list[PackedRow]:
    """Build the rows of the 2023 recipe: dialogues with their tails, concatenated and cut anywhere.

    Every token is learned, and attends to every earlier token of its chunk.
    """
    selected = {tree.where for tree in trained}
    complete = [tree for tree in loaded.untrimmed if tree.where in selected]
    encoded = [
        encode_tree(path, tokenizer).ids for tree in complete for path in iterate_paths(tree)
    ]
    stream = np.concatenate(encoded)
    whole = stream[: len(stream) // CHUNK * CHUNK].reshape(-1, CHUNK)
    return [_create_unmasked_row(ids) for ids in whole]


def _create_unmasked_row(ids: np.ndarray) -> PackedRow:
    size = len(ids)
    positions = np.arange(size, dtype=np.int32)
    return PackedRow(ids, ids, positions, np.full(size, size, np.int32), np.ones(size, np.float32))


def build_arms(loaded: LoadedTrees, trained: Sequence[Tree], tokenizer: Tokenizer) -> list[Arm]:
    """Return the 2023 recipe first, then trees with both objectives."""

    def ours(**options: Any) -> list[PackedRow]:
        return pack_trees(trained, tokenizer, block=BLOCK, **options).rows

    return [
        Arm("2023", build_chunks(loaded, trained, tokenizer), isolated=False),
        Arm("trees_leaves", ours(weights="leaves"), isolated=True),
        Arm("trees_once", ours(weights="once"), isolated=True),
    ]


def iterate_batches(arm: Arm, rng: random.Random, pad: int) -> Iterator[dict[str, torch.Tensor]]:
    """Yield the batches of one epoch in random order, each of about `STEP_TOKENS` tokens."""
    order = rng.sample(arm.rows, len(arm.rows))
    rows_per_step = STEP_TOKENS // (BLOCK if arm.isolated else CHUNK)
    collate = Collator(BLOCK, pad)
    for start in range(0, len(order), rows_per_step):
        batch = collate(order[start : start + rows_per_step])
        if not arm.isolated:
            # As in 2023: causal attention over the whole chunk.
            del batch["attention_mask"]
        yield batch


def compute_loss(model: GPTBigCodeForCausalLM, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Return the loss of a batch, computed from the logits of every token."""
    inputs = {name: value for name, value in batch.items() if name not in ("labels", "weights")}
    logits = model(**inputs, use_cache=False).logits
    return mean_cross_entropy(logits, batch["labels"], batch["weights"])


def create_chunked_loss(
    model: GPTBigCodeForCausalLM,
) -> Callable[[dict[str, torch.Tensor]], torch.Tensor]:
    """Return the loss function of `train.finetune`."""
    head = LossHead(model, sharded=False)

    def loss(batch: dict[str, torch.Tensor]) -> torch.Tensor:
        return head.sum_losses(model, batch) / total_weight(batch["labels"], batch["weights"])

    return loss


@torch.no_grad()
def measure_held_out_loss(
    model: GPTBigCodeForCausalLM, test: Sequence[PackedRow], pad: int
) -> float:
    """Return the mean loss of the assistant's tokens in rows that were not trained on."""
    model.eval()
    losses, counts = [], []
    for row in test:
        batch = Collator(BLOCK, pad)([row])
        losses.append(float(compute_loss(model, batch)))
        counts.append(float(total_weight(batch["labels"], batch["weights"])))
    model.train()
    return float(np.average(losses, weights=counts))


def train_arm(
    arm: Arm, test: Sequence[PackedRow], pad: int, *, epochs: int, seconds: float
) -> dict[str, Any]:
    """Train for `epochs`, then until `seconds` of CPU time are used; return the figures."""
    torch.manual_seed(SEED)
    implementation = BLOCKWISE if arm.isolated else "sdpa"
    model = GPTBigCodeForCausalLM.from_pretrained(
        WEIGHTS, dtype=torch.float32, attn_implementation=implementation
    )
    model.config.use_cache = False
    model.train()
    step_loss = (
        create_chunked_loss(model) if arm.isolated else functools.partial(compute_loss, model)
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, betas=(0.9, 0.95), weight_decay=0)
    ramp = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1, (step + 1) / WARMUP))
    rng, curve = random.Random(SEED), [measure_held_out_loss(model, test, pad)]
    used = spent = done = 0.0
    while done < epochs or used < seconds:
        batches = list(iterate_batches(arm, rng, pad))
        for number, batch in enumerate(batches, start=1):
            start = time.process_time()
            step_loss(batch).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            ramp.step()
            optimizer.zero_grad()
            used += time.process_time() - start
            if done >= epochs and used >= seconds:
                done += number / len(batches)
                break
        else:
            done += 1
        if done <= epochs:
            curve.append(measure_held_out_loss(model, test, pad))
            spent = used
            print(f"{arm.name}: epoch {done}, {used:.0f} s, {curve[-1]:.4f}", file=sys.stderr)
    tokens = sum(map(len, arm.rows))
    return {
        "rows": len(arm.rows),
        "tokens_per_epoch": tokens,
        "share_learned": round(sum(row.learned_count for row in arm.rows) / tokens, 3),
        "seconds_per_epoch": round(spent / epochs, 1),
        "held_out": [round(loss, 4) for loss in curve],
        "equal_time_epochs": round(done, 2),
        "equal_time_held_out": round(measure_held_out_loss(model, test, pad), 4),
    }


def measure(epochs: int, trees: int | None) -> dict[str, Any]:
    """Return the figures of every arm, on the first `trees` of the data."""
    torch.set_num_threads(1)
    attention.register_attention()
    folder = Path(os.environ["STARCHAT_DATA"])
    loaded = load_trees(str(folder / "oasst" / "en_100_tree.jsonl"))
    tokenizer = Tokenizer.load(WEIGHTS.parent / "tokenizer.json")
    train_trees, test_trees = split_trees(loaded.trees[:trees], SEED, HELD_OUT)
    test = list(encode_all(test_trees, tokenizer, block=BLOCK, weights="once").encoded)
    pad = tokenizer.end_of_text_id
    figures: dict[str, Any] = {
        "epochs": epochs,
        "trees": len(train_trees),
        "test_trees": len(test_trees),
    }
    seconds = 0.0
    for arm in build_arms(loaded, train_trees, tokenizer):
        figures_of_arm = train_arm(arm, test, pad, epochs=epochs, seconds=seconds)
        seconds = seconds or figures_of_arm["seconds_per_epoch"] * epochs
        figures[arm.name] = figures_of_arm
    old, new = figures["2023"], figures["trees_leaves"]
    figures["token_ratio"] = round(new["tokens_per_epoch"] / old["tokens_per_epoch"], 3)
    figures["second_ratio"] = round(new["seconds_per_epoch"] / old["seconds_per_epoch"], 3)
    return figures


def main() -> int:
    """Measure and append to the history, or with `--table` write the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.train_2023")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--trees", type=int, metavar="N", help="the first N of the data")
    parser.add_argument(
        "--table", action="store_true", help="write the newest run in docs/fine-tuning.md"
    )
    found = parser.parse_args()
    if found.table:
        PAGE.write_text(
            replace_table(PAGE.read_text(encoding="utf-8"), load_newest_run()), encoding="utf-8"
        )
        return 0
    return publish(
        "train_2023", lambda: measure(found.epochs, found.trees), {"token_ratio": Goal(most=0.63)}
    )


def load_newest_run() -> dict[str, Any]:
    """Return the figures of the newest run in the history."""
    lines = (HISTORY / "train_2023.jsonl").read_text(encoding="utf-8").splitlines()
    return dict(json.loads(lines[-1]))


def replace_table(text: str, figures: dict[str, Any]) -> str:
    """Return `text` with the table of `figures` between its two marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    assert after, "the markers of the table are missing"
    return f"{before}{BEGIN}\n{format_table(figures)}\n{END}{after}"


def format_table(figures: dict[str, Any]) -> str:
    """Format the figures as a Markdown table."""
    epochs = figures["epochs"]
    times = "1 epoch" if epochs == 1 else f"{epochs} epochs"
    head = (
        "batches",
        "tokens per epoch",
        "share learned",
        "CPU seconds per epoch",
        f"held-out loss after {times}",
        f"held-out loss after the CPU time of {times} of 2023",
    )
    lines = [head, ("---",) * len(head)]
    for name, label in ARMS.items():
        one = figures[name]
        lines.append(
            (
                label,
                f"{one['tokens_per_epoch']:,}",
                f"{one['share_learned']:.1%}",
                f"{one['seconds_per_epoch']:.0f}",
                f"{one['held_out'][-1]:.3f}",
                f"{one['equal_time_held_out']:.3f} ({one['equal_time_epochs']:.1f} epochs)",
            )
        )
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


if __name__ == "__main__":
    sys.exit(main())
