"""Pre-training loop: scheduled steps, resumable checkpoints, progress on stderr."""

from __future__ import annotations

import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Protocol

import torch
from transformers import GPTBigCodeForCausalLM

from train.demo.pretrain_data import Batch
from train.demo.sizes import Schedule
from train.demo.small_model import compute_loss
from train.modeling.compute import prepare_for_training, training_device
from train.modeling.muon import create_muon_optimizers

FINAL_RATE_SHARE = 0.02
"""Final learning rate, as a share of the peak."""
POSITION_RATE_DIVISOR = 100
"""AdamW moves every entry by about its rate at each step, and at the full rate would wash out the
hand-written waves of the position embeddings, which the copy heads rest on (`copy_heads`).
`train/configs/demo.yaml` has the same divisor for the fine-tune."""
REPORT_SECONDS = 20.0
CHECKPOINT_SECONDS = 120.0


class RowSource(Protocol):
    """Source of training rows."""

    def draw_batch(
        self, rng: Random, rows: int, length: int, *, window: int, transcript_share: float
    ) -> Batch:
        """Draw random rows [rows, length]."""


@dataclass(slots=True)
class Progress:
    """Progress of a run, stored in its checkpoint."""

    seconds: float = 0.0
    steps: int = 0
    tokens: int = 0
    loss: float = math.nan
    """Exponential moving average over about fifty steps."""


def compute_rate(share: float, warmup: float) -> float:
    """Return the learning rate as a share of its peak: a linear warm-up, then a cosine decay."""
    if share < warmup:
        return max(share / warmup, 0.01)
    return FINAL_RATE_SHARE + (1 - FINAL_RATE_SHARE) * 0.5 * (
        1 + math.cos(math.pi * min(1.0, (share - warmup) / (1 - warmup)))
    )


def pretrain_model(
    model: GPTBigCodeForCausalLM,
    rows: RowSource,
    schedule: Schedule,
    *,
    seed: int,
    checkpoint: Path,
) -> Progress:
    """Train for the schedule's steps, resuming from `checkpoint` if it exists."""
    with prepare_for_training(model):
        return _run_steps(model, rows, schedule, seed, checkpoint)


def _run_steps(
    model: GPTBigCodeForCausalLM, rows: RowSource, schedule: Schedule, seed: int, checkpoint: Path
) -> Progress:
    optims = create_muon_optimizers(
        model,
        muon_rate=schedule.muon_rate,
        adam_rate=schedule.adam_rate,
        position_rate=schedule.adam_rate / POSITION_RATE_DIVISOR,
    )
    peaks = [group["lr"] for optim in optims for group in optim.param_groups]
    progress = load_checkpoint(checkpoint, model, optims)
    window = model.config.n_positions
    saved = reported = progress.seconds
    while progress.steps < schedule.steps:
        # Rates and rows depend on the step alone, so that a resumed run takes the same steps.
        began = time.monotonic()
        share = progress.steps / schedule.steps
        _set_rates(optims, peaks, compute_rate(share, schedule.warmup))
        batch = _draw_batch(
            rows, schedule, share, Random(seed * 1_000_003 + progress.steps), window
        )
        loss = _take_step(model, optims, batch)
        progress.seconds += time.monotonic() - began
        progress.steps += 1
        progress.tokens += batch.ids.numel()
        progress.loss = loss if math.isnan(progress.loss) else 0.98 * progress.loss + 0.02 * loss
        if progress.seconds - reported > REPORT_SECONDS:
            reported = progress.seconds
            _print_progress(progress, schedule.steps)
        if progress.seconds - saved > CHECKPOINT_SECONDS:
            saved = progress.seconds
            save_checkpoint(checkpoint, model, optims, progress)
    _print_progress(progress, schedule.steps)
    save_checkpoint(checkpoint, model, optims, progress)
    return progress


def _draw_batch(
    rows: RowSource, schedule: Schedule, share: float, rng: Random, window: int
) -> Batch:
    phase = [phase for phase in schedule.phases if phase.start <= share][-1]
    count = max(1, schedule.tokens // phase.length)
    return rows.draw_batch(
        rng, count, phase.length, window=window, transcript_share=phase.transcripts
    )


def _take_step(
    model: GPTBigCodeForCausalLM, optims: list[torch.optim.Optimizer], batch: Batch
) -> float:
    loss = compute_loss(model, batch.to(training_device()))
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for optim in optims:
        optim.step()
        optim.zero_grad(set_to_none=True)
    return float(loss.detach())


def _set_rates(optims: list[torch.optim.Optimizer], peaks: list[float], factor: float) -> None:
    groups = [group for optim in optims for group in optim.param_groups]
    for group, peak in zip(groups, peaks, strict=True):
        group["lr"] = peak * factor


def _print_progress(progress: Progress, steps: int) -> None:
    speed = progress.tokens / max(progress.seconds, 1e-9)
    left = progress.seconds / max(progress.steps, 1) * (steps - progress.steps) / 60
    print(
        f"step {progress.steps:5d} of {steps}  {progress.tokens / 1e6:6.2f}M tokens  "
        f"{speed:5.0f} tok/s  loss {progress.loss:.4f}  {left:4.1f} min left",
        file=sys.stderr,
        flush=True,
    )


def save_checkpoint(
    path: Path,
    model: GPTBigCodeForCausalLM,
    optims: list[torch.optim.Optimizer],
    progress: Progress,
) -> None:
    """Write a checkpoint atomically, so that an interrupted write leaves the previous one."""
    state = {
        "model": model.state_dict(),
        "optims": [optim.state_dict() for optim in optims],
        "progress": [progress.seconds, progress.steps, progress.tokens, progress.loss],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(state, path.with_suffix(".part"))
    path.with_suffix(".part").replace(path)


def load_checkpoint(
    path: Path, model: GPTBigCodeForCausalLM, optims: list[torch.optim.Optimizer]
) -> Progress:
    """Restore model and optimizers from a checkpoint; a new `Progress` if there is none."""
    if not path.exists():
        return Progress()
    state = torch.load(path, weights_only=True, map_location=training_device())
    model.load_state_dict(state["model"])
    for optim, saved in zip(optims, state["optims"], strict=True):
        optim.load_state_dict(saved)
    return Progress(*state["progress"])
