"""Fine-tune on ChatML dialogues by `train.finetune`, the recipe for every StarChat model."""

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

from starchat_tui.templates.tokenizer import Tokenizer
from train.demo.conversations import generate_conversations, to_dialogue
from train.demo.sizes import FinetuneRun
from train.demo.tasks.family import Sample
from train.modeling.compute import matmul_dtype, training_device
from train.runtime import checkpoint, resume

ROOT = Path(__file__).parents[2]
RECIPE = Path("train/configs/demo.yaml")
CODE_FILES = (
    "../modeling/attention.py",
    "../modeling/loss*.py",
    "../data/collator.py",
    "../data/encode.py",
    "../data/packing.py",
    "../data/position_shift.py",
    "../data/rows.py",
)
"""Code that determines the result of a run, besides the recipe."""
LOG_STEPS = 50
EVAL_DIALOGUES = 200
"""Held-out dialogues on which the loss is measured."""


def train_chat_model(
    base: Path,
    dialogues: Mapping[str, Sequence[Sample]],
    held_out: Sequence[Sample],
    plan: Sequence[FinetuneRun],
    *,
    seed: int,
    folder: Path,
) -> dict[str, float]:
    """Fine-tune a base model in consecutive runs and put the result into `folder`.

    A run that was interrupted resumes from its last checkpoint.

    Args:
        base: Folder of the base model.
        dialogues: Dialogues by the stage of their families, "pretrain" and "finetune".
        held_out: Dialogues for the evaluation loss.
        plan: Runs, in order.
        seed: Seed of the first run; each further run adds one.
        folder: Folder for the runs and the final model.

    Returns:
        Seconds, steps and tokens of all runs together.

    Raises:
        CalledProcessError: A run failed; it has printed its error on stderr.
    """
    tokenizer = Tokenizer.load(base / "tokenizer.json")
    measured = _write_jsonl(folder / "held-out.jsonl", map(_build_row, held_out[:EVAL_DIALOGUES]))
    model, spent = base, list[dict[str, Any]]()
    for number, sizes in enumerate(plan):
        output = folder / f"run-{number}"
        if not (output / resume.MODEL).exists():
            samples = mix_dialogues(dialogues, sizes.finetune_share, seed)
            drawn = generate_conversations(samples, tokenizer, sizes, seed=seed + number)
            learned = _write_jsonl(folder / f"conversations-{number}.jsonl", drawn)
            _run_finetune(model, learned, measured, output, sizes, seed=seed)
        model = output / resume.MODEL
        spent.append(_read_costs(output))
    for file in model.iterdir():
        if file.is_file() and file.name != "README.md":
            shutil.copy(file, folder / file.name)
    return {key: sum(one[key] for one in spent) for key in ("seconds", "steps", "tokens")}


def mix_dialogues(
    dialogues: Mapping[str, Sequence[Sample]], share: float, seed: int
) -> Sequence[Sample]:
    """Return all fine-tune dialogues, mixed with enough others that they make up `share` of all.

    A share of 0 returns the pre-training dialogues alone.
    """
    if not share:
        return dialogues["pretrain"]
    finetune = dialogues["finetune"]
    others = min(round(len(finetune) * (1 - share) / share), len(dialogues["pretrain"]))
    return [*finetune, *Random(seed).sample(dialogues["pretrain"], others)]


def _run_finetune(
    model: Path, learned: Path, measured: Path, output: Path, sizes: FinetuneRun, *, seed: int
) -> None:
    own_keys = ("passes", "alone", "finetune_share")
    keys: dict[str, Any] = {k: value for k, value in asdict(sizes).items() if k not in own_keys}
    keys |= {"model": model, "dataset": learned, "eval_dataset": measured, "output": output}
    keys |= {"seed": seed, "threads": torch.get_num_threads()}
    keys["log_steps"] = min(LOG_STEPS, sizes.max_steps)
    # On a GPU the recipe's own choice holds; on a CPU bf16 pays only with instructions for it.
    if training_device().type == "cpu":
        keys["precision"] = "fp32" if matmul_dtype() is torch.float32 else "bf16"
    if checkpoint.list_checkpoints(output):
        keys["resume"] = "true"
    flags = [word for key, value in keys.items() for word in (f"--{key}", str(value))]
    command = [sys.executable, "-m", "train.finetune", str(RECIPE), *flags]
    subprocess.run(command, cwd=ROOT, check=True, stdout=sys.stderr)


def _read_costs(output: Path) -> dict[str, Any]:
    """Read the steps of a finished run, and the tokens and seconds up to its last log entry."""
    log = json.loads((output / resume.MODEL / "history.json").read_text())
    return {**[one for one in log if "tokens" in one][-1], "steps": log[-1]["step"]}


def _build_row(sample: Sample) -> dict[str, Any]:
    turns = to_dialogue(sample).turns
    return {"messages": [{"role": turn.role, "content": turn.text} for turn in turns]}


def _write_jsonl(path: Path, rows: Iterable[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path
