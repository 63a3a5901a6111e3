"""The sizes in sizes.yaml, typed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

SIZES = Path(__file__).with_name("sizes.yaml")


@dataclass(frozen=True, slots=True)
class Shape:
    """The model's size, in GPTBigCode's words."""

    n_embd: int
    n_layer: int
    n_head: int
    n_positions: int


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of a run: from `start` on, as a share of its steps, rows of `length` tokens."""

    start: float
    length: int
    transcripts: float = 0.0
    """The share of the rows that are transcripts; the base model's others are Python."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """One training run."""

    steps: int
    tokens: int
    """In a step; rows are as many as hold them."""
    phases: tuple[Phase, ...]
    muon_rate: float
    adam_rate: float
    warmup: float


@dataclass(frozen=True, slots=True)
class Finetune:
    """One run of `train.finetune`, in its words, over `train/configs/demo.yaml`."""

    block: int
    batch_size: int
    max_steps: int
    muon_rate: float
    learning_rate: float
    passes: int = 1
    """How often every dialogue is there, each time in another conversation."""
    alone: float = 0.35
    """The share of conversations of one dialogue; others go on to other questions."""
    later_share: float = 0.0
    """The share of dialogues of the later families; all of them are there, others fill up."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Everything that a run of all stages depends on."""

    seed: int
    corpus_chars: int
    package_chars: int
    dialogues: int
    later: int
    vocabulary: int
    model: Shape
    pretrain: Schedule
    anneal: Schedule
    finetune: tuple[Finetune, ...]
    """Runs one after the other: each goes on with the model of the one before."""
    scored: int
    asked: int


def load(name: str, path: Path = SIZES) -> Sizes:
    """The sizes called `name`; KeyError where there are none."""
    raw: dict[str, Any] = yaml.safe_load(path.read_text())[name]
    return Sizes(
        **{
            **raw,
            "model": Shape(**raw["model"]),
            **{stage: _schedule(raw[stage]) for stage in ("pretrain", "anneal")},
            "finetune": tuple(Finetune(**run) for run in raw["finetune"]),
        }
    )


def _schedule(raw: dict[str, Any]) -> Schedule:
    return Schedule(**{**raw, "phases": tuple(Phase(**phase) for phase in raw["phases"])})
