"""The sizes in nano.yaml, typed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

SIZES = Path(__file__).with_name("nano.yaml")


@dataclass(frozen=True, slots=True)
class Shape:
    """The model's size, in GPTBigCode's words."""

    n_embd: int
    n_layer: int
    n_head: int
    n_positions: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """One training run."""

    steps: int
    rows: int
    """Rows of `short` tokens in a step; long rows are as many as hold the same tokens."""
    short: int
    long_share: float
    """The last share of the run, in rows of the whole window."""
    transcript_share: float
    transcript_share_long: float
    muon_rate: float
    adam_rate: float
    warmup: float


@dataclass(frozen=True, slots=True)
class Sizes:
    """Everything that a run of all stages depends on."""

    seed: int
    corpus_chars: int
    package_chars: int
    dialogues: int
    vocabulary: int
    model: Shape
    pretrain: Schedule
    anneal: Schedule
    finetune: Schedule
    scored: int
    asked: int


def load(name: str, path: Path = SIZES) -> Sizes:
    """The sizes called `name`; KeyError where there are none."""
    raw: dict[str, Any] = yaml.safe_load(path.read_text())[name]
    return Sizes(
        **{
            **raw,
            "model": Shape(**raw["model"]),
            "pretrain": Schedule(**raw["pretrain"]),
            "anneal": Schedule(**raw["anneal"]),
            "finetune": Schedule(**raw["finetune"]),
        }
    )
