"""What trees and masks are worth: the batches of the 2023 recipe against ours, on real dialogues.

Same OpenAssistant trees, same model to begin with (`nano-base`), same optimizer, tokens a step and
learning rate, same run. What a batch holds differs, and how a step is computed: in 2023 causal
attention (`sdpa` here, which is faster than the attention of that time) and the scores of every
token; ours attention in blocks under the mask, and the loss of what is learned in pieces. CPU time
of one thread. Held-out loss is on the assistant's tokens of trees that no arm has seen, each
dialogue with its own beginning alone.

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
"""Steps; then the rate is constant, as it was in 2023."""
SEED = 42
HELD_OUT = 0.2
ARMS = {
    "2023": "2023: chunks of 1,024, nothing masked",
    "trees_leaves": "ours, trees, weights of leaves",
    "trees_once": "ours, trees, each message once",
}
PAGE = ROOT / "docs" / "fine-tuning.md"
BEGIN, END = "<!-- train_2023 -->", "<!-- end -->"


@dataclass(frozen=True, slots=True)
class Arm:
    """A way of making rows out of trees."""

    name: str
    rows: list[PackedRow]
    apart: bool
    """True if the dialogues of a row are isolated from each other."""


def chunks(loaded: LoadedTrees, trained: Sequence[Tree], tokenizer: Tokenizer) -> list[PackedRow]:
    """The 2023 recipe: every dialogue of the data, tails too, one behind the other, cut anywhere.

    Every token is learned, and attends whatever stands before it in its chunk.
    """
    kept = {tree.where for tree in trained}
    given = [tree for tree in loaded.untrimmed if tree.where in kept]
    alone = [encode_tree(path, tokenizer).ids for tree in given for path in iterate_paths(tree)]
    stream = np.concatenate(alone)
    whole = stream[: len(stream) // CHUNK * CHUNK].reshape(-1, CHUNK)
    return [_unmasked(ids) for ids in whole]


def _unmasked(ids: np.ndarray) -> PackedRow:
    size = len(ids)
    at = np.arange(size, dtype=np.int32)
    return PackedRow(ids, ids, at, np.full(size, size, np.int32), np.ones(size, np.float32))


def arms(loaded: LoadedTrees, trained: Sequence[Tree], tokenizer: Tokenizer) -> list[Arm]:
    """The 2023 recipe first, then ours with both objectives."""

    def ours(**how: Any) -> list[PackedRow]:
        return pack_trees(trained, tokenizer, block=BLOCK, **how).rows

    return [
        Arm("2023", chunks(loaded, trained, tokenizer), apart=False),
        Arm("trees_leaves", ours(weights="leaves"), apart=True),
        Arm("trees_once", ours(weights="once"), apart=True),
    ]


def epoch(arm: Arm, dice: random.Random, pad: int) -> Iterator[dict[str, torch.Tensor]]:
    """The batches of one epoch, about STEP_TOKENS each, in an order of their own."""
    order = dice.sample(arm.rows, len(arm.rows))
    together = STEP_TOKENS // (BLOCK if arm.apart else CHUNK)
    collate = Collator(BLOCK, pad)
    for start in range(0, len(order), together):
        batch = collate(order[start : start + together])
        if not arm.apart:
            # As in 2023: causal attention over the whole chunk.
            del batch["attention_mask"]
        yield batch


def scored(model: GPTBigCodeForCausalLM, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """The loss of one batch, from the scores of every token."""
    inputs = {name: value for name, value in batch.items() if name not in ("labels", "weights")}
    logits = model(**inputs, use_cache=False).logits
    return mean_cross_entropy(logits, batch["labels"], batch["weights"])


def in_pieces(model: GPTBigCodeForCausalLM) -> Callable[[dict[str, torch.Tensor]], torch.Tensor]:
    """The loss of a batch as `train.finetune` computes it."""
    head = LossHead(model, sharded=False)

    def loss(batch: dict[str, torch.Tensor]) -> torch.Tensor:
        return head.sum_losses(model, batch) / total_weight(batch["labels"], batch["weights"])

    return loss


@torch.no_grad()
def held_out(model: GPTBigCodeForCausalLM, test: Sequence[PackedRow], pad: int) -> float:
    """Mean loss of the assistant's tokens in rows that were not trained on."""
    model.eval()
    losses, counts = [], []
    for row in test:
        batch = Collator(BLOCK, pad)([row])
        losses.append(float(scored(model, batch)))
        counts.append(float(total_weight(batch["labels"], batch["weights"])))
    model.train()
    return float(np.average(losses, weights=counts))


def trained(
    arm: Arm, test: Sequence[PackedRow], pad: int, *, epochs: int, seconds: float
) -> dict[str, Any]:
    """Train for `epochs`, and on until `seconds` of CPU are used; the figures."""
    torch.manual_seed(SEED)
    kind = BLOCKWISE if arm.apart else "sdpa"
    model = GPTBigCodeForCausalLM.from_pretrained(
        WEIGHTS, dtype=torch.float32, attn_implementation=kind
    )
    model.config.use_cache = False
    model.train()
    step_loss = in_pieces(model) if arm.apart else functools.partial(scored, model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, betas=(0.9, 0.95), weight_decay=0)
    ramp = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1, (step + 1) / WARMUP))
    dice, used, curve, spent = random.Random(SEED), 0.0, [held_out(model, test, pad)], 0.0
    done = 0.0
    while done < epochs or used < seconds:
        batches = list(epoch(arm, dice, pad))
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
            curve.append(held_out(model, test, pad))
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
        "equal_time_held_out": round(held_out(model, test, pad), 4),
    }


def measure(epochs: int, trees: int | None) -> dict[str, Any]:
    """The figures of every arm, on the first `trees` of the data."""
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
    for arm in arms(loaded, train_trees, tokenizer):
        found = trained(arm, test, pad, epochs=epochs, seconds=seconds)
        seconds = seconds or found["seconds_per_epoch"] * epochs
        figures[arm.name] = found
    old, new = figures["2023"], figures["trees_leaves"]
    figures["token_ratio"] = round(new["tokens_per_epoch"] / old["tokens_per_epoch"], 3)
    figures["second_ratio"] = round(new["seconds_per_epoch"] / old["seconds_per_epoch"], 3)
    return figures


def main() -> int:
    """Measure, keep a line of history, and with `--table` write the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.train_2023")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--trees", type=int, metavar="N", help="the first N of the data")
    parser.add_argument(
        "--table", action="store_true", help="write the newest run in docs/fine-tuning.md"
    )
    found = parser.parse_args()
    if found.table:
        PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8"), last()), encoding="utf-8")
        return 0
    return publish(
        "train_2023", lambda: measure(found.epochs, found.trees), {"token_ratio": Goal(most=0.63)}
    )


def last() -> dict[str, Any]:
    """The figures of the newest run."""
    lines = (HISTORY / "train_2023.jsonl").read_text(encoding="utf-8").splitlines()
    return dict(json.loads(lines[-1]))


def with_table(text: str, figures: dict[str, Any]) -> str:
    """`text` with the table of `figures` between its two marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    assert after, "the marks of the table are not there"
    return f"{before}{BEGIN}\n{table(figures)}\n{END}{after}"


def table(figures: dict[str, Any]) -> str:
    """The figures as Markdown."""
    epochs = figures["epochs"]
    times = "1 epoch" if epochs == 1 else f"{epochs} epochs"
    head = (
        "batches",
        "tokens an epoch",
        "of them learned",
        "CPU seconds an epoch",
        f"held-out loss after {times}",
        f"after the CPU time of {times} of 2023",
    )
    lines = [head, ("---",) * len(head)]
    for name, told in ARMS.items():
        one = figures[name]
        lines.append(
            (
                told,
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
