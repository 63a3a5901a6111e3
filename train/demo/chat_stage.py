"""The ChatML stage: `train.finetune`, the same recipe that makes StarChat, on our dialogues."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import Any

import torch

from starchat_tui.templates.tokenizer import Vocabulary
from train.demo.conversations import conversations, dialogue_of
from train.demo.sizes import Finetune
from train.demo.tasks.family import Sample
from train.modeling.compute import device, precision
from train.runtime import checkpoint, resume

ROOT = Path(__file__).parents[2]
RECIPE = Path("train/configs/demo.yaml")
CODE = (
    "../modeling/attention.py",
    "../data/collator.py",
    "../data/encode.py",
    "../modeling/loss.py",
    "../data/packing.py",
)
"""What decides the numbers of a run, beside the recipe."""
LOG_STEPS = 50
MEASURED = 200
"""Held-out dialogues that the loss is measured on."""


def train(
    base: Path,
    taught: Mapping[str, Sequence[Sample]],
    held_out: Sequence[Sample],
    plan: Sequence[Finetune],
    *,
    seed: int,
    folder: Path,
) -> dict[str, float]:
    """Fine-tune `base` as `plan` says and put the finished model in `folder`; its progress.

    `taught` has the dialogues that every run learns, "train", and the "later" ones.
    A run that was interrupted goes on from its last checkpoint. Raises `CalledProcessError` where
    one fails; it has said why on stderr.
    """
    vocabulary = Vocabulary.load(base / "tokenizer.json")
    measured = _written(folder / "held-out.jsonl", map(_row, held_out[:MEASURED]))
    model, spent = base, list[dict[str, Any]]()
    for number, sizes in enumerate(plan):
        output = folder / f"run-{number}"
        if not (output / resume.MODEL).exists():
            samples = mixed(taught, sizes.later_share, seed)
            drawn = conversations(samples, vocabulary, sizes, seed=seed + number)
            learned = _written(folder / f"conversations-{number}.jsonl", drawn)
            _run(model, learned, measured, output, sizes, seed=seed)
        model = output / resume.MODEL
        spent.append(_spent(output))
    for file in model.iterdir():
        if file.is_file() and file.name != "README.md":
            shutil.copy(file, folder / file.name)
    return {key: sum(one[key] for one in spent) for key in ("seconds", "steps", "tokens")}


def mixed(taught: Mapping[str, Sequence[Sample]], share: float, seed: int) -> Sequence[Sample]:
    """All later dialogues and so many others that they are `share` of all; or the others alone."""
    if not share:
        return taught["train"]
    later = taught["later"]
    others = min(round(len(later) * (1 - share) / share), len(taught["train"]))
    return [*later, *Random(seed).sample(taught["train"], others)]


def _run(
    model: Path, learned: Path, measured: Path, output: Path, sizes: Finetune, *, seed: int
) -> None:
    ours = ("passes", "alone", "later_share")
    told: dict[str, Any] = {key: value for key, value in asdict(sizes).items() if key not in ours}
    told |= {"model": model, "dataset": learned, "eval_dataset": measured, "output": output}
    told |= {"seed": seed, "threads": torch.get_num_threads()}
    told["log_steps"] = min(LOG_STEPS, sizes.max_steps)
    if device().type == "cpu":
        told["precision"] = "fp32" if precision() is torch.float32 else "bf16"
    if checkpoint.checkpoints(output):
        told["resume"] = "true"
    flags = [word for key, value in told.items() for word in (f"--{key}", str(value))]
    command = [sys.executable, "-m", "train.finetune", str(RECIPE), *flags]
    subprocess.run(command, cwd=ROOT, check=True, stdout=sys.stderr)


def _spent(output: Path) -> dict[str, Any]:
    """The steps of a finished run, and the tokens and seconds up to the last that was logged."""
    log = json.loads((output / resume.MODEL / "history.json").read_text())
    return {**[one for one in log if "tokens" in one][-1], "steps": log[-1]["step"]}


def _row(sample: Sample) -> dict[str, Any]:
    turns = dialogue_of(sample).turns
    return {"messages": [{"role": turn.role, "content": turn.text} for turn in turns]}


def _written(path: Path, rows: Iterable[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path
