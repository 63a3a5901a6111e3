"""The training loop: a schedule of steps, checkpoints that resume, progress on stderr."""

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
from train.demo.small_model import loss_of
from train.modeling.compute import device, prepared
from train.modeling.muon import optimizers

FLOOR = 0.02
"""The last learning rate, as a share of the peak."""
REPORT_SECONDS = 20.0
CHECKPOINT_SECONDS = 120.0


class Rows(Protocol):
    """What a run reads."""

    def batch(
        self, rng: Random, rows: int, length: int, *, window: int, transcript_share: float
    ) -> Batch:
        """Random rows [rows, length]."""


@dataclass(slots=True)
class Progress:
    """Where a run stands; everything here is in its checkpoint."""

    seconds: float = 0.0
    steps: int = 0
    tokens: int = 0
    loss: float = math.nan
    """Smoothed over about fifty steps."""


def rate(share: float, warmup: float) -> float:
    """The learning rate at a share of the run, of its peak: a ramp, then a cosine."""
    if share < warmup:
        return max(share / warmup, 0.01)
    return FLOOR + (1 - FLOOR) * 0.5 * (
        1 + math.cos(math.pi * min(1.0, (share - warmup) / (1 - warmup)))
    )


def train(
    model: GPTBigCodeForCausalLM, rows: Rows, schedule: Schedule, *, seed: int, checkpoint: Path
) -> Progress:
    """Train for the schedule's steps, from `checkpoint` on where there is one."""
    with prepared(model):
        return _trained(model, rows, schedule, seed, checkpoint)


def _trained(
    model: GPTBigCodeForCausalLM, rows: Rows, schedule: Schedule, seed: int, checkpoint: Path
) -> Progress:
    optims = optimizers(model, muon=schedule.muon_rate, adam=schedule.adam_rate)
    peaks = [group["lr"] for optim in optims for group in optim.param_groups]
    progress = resumed(checkpoint, model, optims)
    window = model.config.n_positions
    saved = reported = progress.seconds
    while progress.steps < schedule.steps:
        began = time.monotonic()
        share = progress.steps / schedule.steps
        _set_rates(optims, peaks, rate(share, schedule.warmup))
        batch = _batch(rows, schedule, share, Random(seed * 1_000_003 + progress.steps), window)
        loss = _step(model, optims, batch)
        progress.seconds += time.monotonic() - began
        progress.steps += 1
        progress.tokens += batch.ids.numel()
        progress.loss = loss if math.isnan(progress.loss) else 0.98 * progress.loss + 0.02 * loss
        if progress.seconds - reported > REPORT_SECONDS:
            reported = progress.seconds
            _report(progress, schedule.steps)
        if progress.seconds - saved > CHECKPOINT_SECONDS:
            saved = progress.seconds
            save(checkpoint, model, optims, progress)
    _report(progress, schedule.steps)
    save(checkpoint, model, optims, progress)
    return progress


def _batch(rows: Rows, schedule: Schedule, share: float, rng: Random, window: int) -> Batch:
    phase = [phase for phase in schedule.phases if phase.start <= share][-1]
    count = max(1, schedule.tokens // phase.length)
    return rows.batch(rng, count, phase.length, window=window, transcript_share=phase.transcripts)


def _step(model: GPTBigCodeForCausalLM, optims: list[torch.optim.Optimizer], batch: Batch) -> float:
    loss = loss_of(model, batch.to(device()))
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


def _report(progress: Progress, steps: int) -> None:
    speed = progress.tokens / max(progress.seconds, 1e-9)
    left = progress.seconds / max(progress.steps, 1) * (steps - progress.steps) / 60
    print(
        f"step {progress.steps:5d} of {steps}  {progress.tokens / 1e6:6.2f}M tokens  "
        f"{speed:5.0f} tok/s  loss {progress.loss:.4f}  {left:4.1f} min left",
        file=sys.stderr,
        flush=True,
    )


def save(
    path: Path,
    model: GPTBigCodeForCausalLM,
    optims: list[torch.optim.Optimizer],
    progress: Progress,
) -> None:
    """Write a checkpoint in one piece."""
    state = {
        "model": model.state_dict(),
        "optims": [optim.state_dict() for optim in optims],
        "progress": [progress.seconds, progress.steps, progress.tokens, progress.loss],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(state, path.with_suffix(".part"))
    path.with_suffix(".part").replace(path)


def resumed(
    path: Path, model: GPTBigCodeForCausalLM, optims: list[torch.optim.Optimizer]
) -> Progress:
    """Where the checkpoint left off, its state loaded; the beginning where there is none."""
    if not path.exists():
        return Progress()
    state = torch.load(path, weights_only=True, map_location=device())
    model.load_state_dict(state["model"])
    for optim, saved in zip(optims, state["optims"], strict=True):
        optim.load_state_dict(saved)
    return Progress(*state["progress"])
