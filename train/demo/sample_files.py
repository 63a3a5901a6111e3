"""Files of drawn conversations: JSON lines, one for each sample."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from train.demo.tasks.family import Check, Exchange, Sample

SCORED_SIDES = {"values": (False, False), "phrasing": (True, False), "family": (True, True)}
"""Scored sides, and whether their phrasings and their families are held out."""


def save_samples(samples: Sequence[Sample], path: Path) -> None:
    """Write one JSON line for each sample."""
    path.write_text("".join(json.dumps(asdict(sample)) + "\n" for sample in samples))


def load_samples(path: Path) -> list[Sample]:
    """Read samples written by `save_samples`."""
    return [_parse_sample(json.loads(line)) for line in path.read_text().splitlines()]


def _parse_sample(raw: dict[str, Any]) -> Sample:
    return Sample(raw["family"], tuple(_parse_exchange(e) for e in raw["exchanges"]))


def _parse_exchange(raw: dict[str, Any]) -> Exchange:
    return Exchange(raw["question"], raw["answer"], parse_check(raw["check"]), raw["group"])


def parse_check(raw: dict[str, Any]) -> Check:
    """Convert a check from JSON, with tuples instead of lists."""
    return Check(**{name: _to_tuples(value) for name, value in raw.items()})


def _to_tuples(value: Any) -> Any:
    return tuple(_to_tuples(item) for item in value) if isinstance(value, list) else value
