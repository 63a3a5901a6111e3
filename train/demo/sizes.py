"""Typed sizes of the demo models, read from sizes.yaml."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

SIZES_FILE = Path(__file__).with_name("sizes.yaml")


@dataclass(frozen=True, slots=True)
class ModelShape:
    """Size of a model, in the terms of GPTBigCode's configuration."""

    n_embd: int
    n_layer: int
    n_head: int
    n_positions: int


@dataclass(frozen=True, slots=True)
class Phase:
    """Part of a run: rows of `length` tokens from `start` on, a share of the run's steps."""

    start: float
    length: int
    transcripts: float = 0.0
    """Share of the rows that are transcripts; the others are Python."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """One pre-training run."""

    steps: int
    tokens: int
    """Tokens per step, from which the number of rows follows."""
    phases: tuple[Phase, ...]
    muon_rate: float
    adam_rate: float
    warmup: float


@dataclass(frozen=True, slots=True)
class FinetuneRun:
    """One run of `train.finetune`: its keys override those of `train/configs/demo.yaml`."""

    block: int
    batch_size: int
    max_steps: int
    muon_rate: float
    learning_rate: float
    passes: int = 1
    """Number of times each dialogue is seen, each time in another conversation."""
    alone: float = 0.35
    """Share of conversations that consist of one dialogue; the others join several."""
    finetune_share: float = 0.0
    """Share of fine-tune dialogues: all of them, filled up with pre-training dialogues; if 0,
    pre-training dialogues only."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Sizes of all stages."""

    seed: int
    corpus_chars: int
    package_chars: int
    pretrain_dialogues: int
    finetune_dialogues: int
    vocabulary: int
    model: ModelShape
    pretrain: Schedule
    anneal: Schedule
    finetune: tuple[FinetuneRun, ...]
    """Consecutive runs, each of which continues from the model of the previous one."""
    scored: int
    asked: int


def load_sizes(name: str, path: Path = SIZES_FILE) -> Sizes:
    """Load the sizes called `name`; raises `KeyError` if there are none."""
    raw: dict[str, Any] = yaml.safe_load(path.read_text())[name]
    return Sizes(
        **{
            **raw,
            "model": ModelShape(**raw["model"]),
            **{stage: _parse_schedule(raw[stage]) for stage in ("pretrain", "anneal")},
            "finetune": tuple(FinetuneRun(**run) for run in raw["finetune"]),
        }
    )


def _parse_schedule(raw: dict[str, Any]) -> Schedule:
    return Schedule(**{**raw, "phases": tuple(Phase(**phase) for phase in raw["phases"])})
