"""Training rows of the base model: Python, transcripts and copying drills."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import torch

from starchat_tui.templates.few_shot import FewShotTemplate
from starchat_tui.templates.prompt_files import load_few_shot_prompt
from starchat_tui.templates.template import IGNORE_INDEX, encode_piece
from starchat_tui.templates.tokenizer import Tokenizer
from train.demo.tasks.family import Sample

PYTHON_HEAD_SHARE = 0.15
"""Share of transcript rows that begin with Python code, as an unfamiliar context."""
PROMPT_SHARE = 0.4
"""Share of transcript rows that begin with the package's few-shot prompt, or its end."""
NO_HEAD_SHARE = 0.15
"""Share of transcript rows that begin with a dialogue."""
DRILL_SHARE = 0.08
"""Share of all rows that are copying drills."""
DIVIDER = "\n\n-----"


@dataclass(frozen=True, slots=True)
class Batch:
    """Token ids, labels and positions, each [B, T]."""

    ids: torch.Tensor
    labels: torch.Tensor
    positions: torch.Tensor

    def to(self, device: torch.device) -> Batch:
        """Return the batch on a device."""
        return Batch(self.ids.to(device), self.labels.to(device), self.positions.to(device))


@dataclass(frozen=True, slots=True)
class BaseRows:
    """Training data of the base model: a stream of Python, and transcripts with their heads."""

    python: np.ndarray  # [N] uint16
    transcripts: tuple[tuple[int, ...], ...]
    prompt: tuple[int, ...]
    """The few-shot prompt, fitted to the window as at inference, without its last divider."""
    preambles: tuple[tuple[int, ...], ...]

    def draw_batch(
        self, rng: Random, rows: int, length: int, *, window: int, transcript_share: float
    ) -> Batch:
        """Draw rows [rows, length], placed at random positions of the window."""
        made = [self._draw_row(rng, length, transcript_share) for _ in range(rows)]
        return build_batch(
            rng, [ids for ids, _ in made], [labels for _, labels in made], length, window
        )

    def _draw_row(self, rng: Random, length: int, share: float) -> tuple[list[int], list[int]]:
        if rng.random() < DRILL_SHARE:
            return self._draw_copy_drill(rng, length)
        ids = (
            self._draw_transcript(rng, length)
            if rng.random() < share
            else self._draw_python(rng, length)
        )
        return ids, ids

    def _draw_copy_drill(self, rng: Random, length: int) -> tuple[list[int], list[int]]:
        """Draw random tokens repeated to the row's length; only repetitions have labels.

        Nothing but copying predicts them, so the loss trains the copying heads alone.
        """
        # At most a third, so that most of the row repeats and has labels.
        period = rng.randint(4, length // 3)
        tokens = [int(self.python[rng.randrange(len(self.python))]) for _ in range(period)]
        ids = (tokens * (length // period + 1))[:length]
        return ids, [IGNORE_INDEX] * period + ids[period:]

    def _draw_python(self, rng: Random, length: int) -> list[int]:
        start = rng.randrange(len(self.python) - length)
        return [int(token) for token in self.python[start : start + length]]

    def _draw_transcript(self, rng: Random, length: int) -> list[int]:
        row = self._draw_head(rng, length)
        while len(row) < length:
            row += rng.choice(self.transcripts)
        return row[:length]

    def _draw_head(self, rng: Random, length: int) -> list[int]:
        kind = rng.random()
        if kind < PYTHON_HEAD_SHARE:
            return self._draw_python(rng, rng.randrange(length // 8, length // 2))
        if kind < PYTHON_HEAD_SHARE + PROMPT_SHARE:
            whole = len(self.prompt) <= length * 2 // 3
            return list(self.prompt if whole else self.prompt[-(length // 6) :])
        if kind < 1 - NO_HEAD_SHARE:
            return list(rng.choice(self.preambles))
        return []


def build_batch(
    rng: Random,
    ids: Sequence[Sequence[int]],
    labels: Sequence[Sequence[int]],
    length: int,
    window: int,
) -> Batch:
    """Stack rows into tensors [B, T].

    Half of the rows start at a random position of the window, so that position embeddings beyond
    `length` are trained too.
    """
    starts = [rng.randint(0, window - length) if rng.random() < 0.5 else 0 for _ in ids]
    positions = torch.arange(length)[None] + torch.tensor(starts)[:, None]
    return Batch(torch.tensor(ids), torch.tensor(labels), positions)


def encode_prompt_head(tokenizer: Tokenizer, window: int) -> tuple[int, ...]:
    """Encode the few-shot prompt as inference does, up to its last divider."""
    template = FewShotTemplate(tokenizer, load_few_shot_prompt("ta"), window=window)
    pieces = list(template.render_opening(""))[:-1]
    return tuple(token for piece in pieces for token in encode_piece(piece, tokenizer))


def encode_transcript(sample: Sample, tokenizer: Tokenizer) -> tuple[int, ...]:
    """Encode a divider and a dialogue in the few-shot layout, piece by piece as at inference."""
    ids = tokenizer.encode(DIVIDER)
    for exchange in sample.exchanges:
        ids += tokenizer.encode(f"\n\nHuman: {exchange.question}")
        ids += tokenizer.encode("\n\nAssistant:")
        ids += tokenizer.encode(f" {exchange.answer}")
    return tuple(ids)


def save_ragged(path: Path, rows: Sequence[Sequence[int]]) -> None:
    """Write rows of different lengths as one flat array and the end of each row."""
    flat = np.array([token for row in rows for token in row], dtype=np.int32)
    np.savez(path, flat=flat, ends=np.cumsum([len(row) for row in rows]))


def load_ragged(path: Path) -> tuple[tuple[int, ...], ...]:
    """Read rows written by `save_ragged`."""
    with np.load(path) as file:
        flat, ends = file["flat"].tolist(), file["ends"].tolist()
    return tuple(tuple(flat[start:end]) for start, end in zip([0, *ends[:-1]], ends, strict=True))
