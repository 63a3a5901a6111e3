"""Token rows of the base model: Python and transcripts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import torch

from starchat_tui.templates.prompt_files import few_shot
from starchat_tui.templates.template import IGNORED, TechnicalAssistant, encode
from starchat_tui.templates.tokenizer import Vocabulary
from train.demo.tasks.family import Sample

FOREIGN_SHARE = 0.15
"""Transcript rows that have a piece of Python before our dialogues, as something never seen."""
PROMPT_SHARE = 0.4
"""Transcript rows behind the package's own few-shot prompt, or the end of it."""
BARE_SHARE = 0.15
"""Transcript rows with nothing before the first dialogue."""
DRILL_SHARE = 0.08
"""The base model's rows that teach nothing but copying."""
DIVIDER = "\n\n-----"


@dataclass(frozen=True, slots=True)
class Batch:
    """Ids, labels and positions, each [B, T]."""

    ids: torch.Tensor
    labels: torch.Tensor
    positions: torch.Tensor

    def to(self, device: torch.device) -> Batch:
        """The same batch on a device."""
        return Batch(self.ids.to(device), self.labels.to(device), self.positions.to(device))


@dataclass(frozen=True, slots=True)
class BaseRows:
    """What the base model reads: a stream of Python, and transcripts behind preambles."""

    python: np.ndarray  # [N] uint16
    transcripts: tuple[tuple[int, ...], ...]
    prompt: tuple[int, ...]
    """The package's few-shot prompt, fitted as it is for inference, without its last divider."""
    preambles: tuple[tuple[int, ...], ...]

    def batch(
        self, rng: Random, rows: int, length: int, *, window: int, transcript_share: float
    ) -> Batch:
        """Rows [rows, length], at random places of the window where they are shorter than it."""
        made = [self._row(rng, length, transcript_share) for _ in range(rows)]
        return batched(
            rng, [ids for ids, _ in made], [labels for _, labels in made], length, window
        )

    def _row(self, rng: Random, length: int, share: float) -> tuple[list[int], list[int]]:
        if rng.random() < DRILL_SHARE:
            return self._drill(rng, length)
        ids = self._transcript(rng, length) if rng.random() < share else self._python(rng, length)
        return ids, ids

    def _drill(self, rng: Random, length: int) -> tuple[list[int], list[int]]:
        """The same random tokens again and again; the first time they are not learned."""
        period = rng.randint(4, length // 3)
        tokens = [int(self.python[rng.randrange(len(self.python))]) for _ in range(period)]
        ids = (tokens * (length // period + 1))[:length]
        return ids, [IGNORED] * period + ids[period:]

    def _python(self, rng: Random, length: int) -> list[int]:
        start = rng.randrange(len(self.python) - length)
        return [int(token) for token in self.python[start : start + length]]

    def _transcript(self, rng: Random, length: int) -> list[int]:
        row = self._head(rng, length)
        while len(row) < length:
            row += rng.choice(self.transcripts)
        return row[:length]

    def _head(self, rng: Random, length: int) -> list[int]:
        kind = rng.random()
        if kind < FOREIGN_SHARE:
            return self._python(rng, rng.randrange(length // 8, length // 2))
        if kind < FOREIGN_SHARE + PROMPT_SHARE:
            whole = len(self.prompt) <= length * 2 // 3
            return list(self.prompt if whole else self.prompt[-(length // 6) :])
        if kind < 1 - BARE_SHARE:
            return list(rng.choice(self.preambles))
        return []


def batched(
    rng: Random,
    ids: Sequence[Sequence[int]],
    labels: Sequence[Sequence[int]],
    length: int,
    window: int,
) -> Batch:
    """Rows as tensors; half of the short ones start anywhere, so that each position is trained."""
    starts = [rng.randint(0, window - length) if rng.random() < 0.5 else 0 for _ in ids]
    positions = torch.arange(length)[None] + torch.tensor(starts)[:, None]
    return Batch(torch.tensor(ids), torch.tensor(labels), positions)


def prompt_head(vocabulary: Vocabulary, window: int) -> tuple[int, ...]:
    """The package's few-shot prompt as inference begins with it, up to its last divider."""
    template = TechnicalAssistant(vocabulary, few_shot("ta"), window=window)
    pieces = list(template.opening(""))[:-1]
    return tuple(token for piece in pieces for token in encode(piece, vocabulary))


def transcript(sample: Sample, vocabulary: Vocabulary) -> tuple[int, ...]:
    """A divider and a dialogue in the technical-assistant layout, piece by piece as it is asked."""
    ids = vocabulary.text_ids(DIVIDER)
    for exchange in sample.exchanges:
        ids += vocabulary.text_ids(f"\n\nHuman: {exchange.question}")
        ids += vocabulary.text_ids("\n\nAssistant:")
        ids += vocabulary.text_ids(f" {exchange.answer}")
    return tuple(ids)


def save_ragged(path: Path, rows: Sequence[Sequence[int]]) -> None:
    """Rows of different lengths as one array and where each ends."""
    flat = np.array([token for row in rows for token in row], dtype=np.int32)
    np.savez(path, flat=flat, ends=np.cumsum([len(row) for row in rows]))


def load_ragged(path: Path) -> tuple[tuple[int, ...], ...]:
    """What `save_ragged` wrote."""
    with np.load(path) as file:
        flat, ends = file["flat"].tolist(), file["ends"].tolist()
    return tuple(tuple(flat[start:end]) for start, end in zip([0, *ends[:-1]], ends, strict=True))
