"""The dialogue corpus: drawn, checked by running, divided into trained and scored."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from train.nano.checking import check_all, missing
from train.nano.dialogues.family import Check, Exchange, Sample
from train.nano.dialogues.registry import HELD_OUT, draw_samples
from train.nano.near import Known

SIDES = ("train", "values", "phrasing", "family")
"""What is trained; then three scores: new values, new phrasings, new families."""


OVERDRAWN = 6
"""Samples drawn for each one that a scored side keeps; the rest is near to trained ones."""


@dataclass(frozen=True, slots=True)
class Made:
    """The corpus by side, how many samples were refused, and how many were left out."""

    sides: dict[str, list[Sample]]
    drawn: int
    refused: int
    """An answer failed its check."""
    near: dict[str, int]
    """For each scored side, samples too near to a trained one."""
    unchecked: dict[str, int]
    """Programs that the machine lacks, and the samples that could not be checked for want of it."""


def make(*, seed: int, count: int, scored: int) -> Made:
    """Draw and check everything; the scored sides hold nothing that the trained side nearly has."""
    unchecked = Counter[str]()
    able = _able(
        draw_samples(seed, count, held_out_phrasing=False, held_out_families=False), unchecked
    )
    train, refused = _right(able)
    keys, known = {key(sample) for sample in train}, Known(_asked(sample) for sample in train)
    sides, near = {"train": train}, {}
    options = {"values": (False, False), "phrasing": (True, False), "family": (True, True)}
    for offset, (side, (phrasing, families)) in enumerate(options.items(), start=1):
        drawn = draw_samples(
            seed + offset,
            OVERDRAWN * scored,
            held_out_phrasing=phrasing,
            held_out_families=families,
        )
        able = _once(_able(drawn, Counter()))
        new = [s for s in able if key(s) not in keys and not known.near(_asked(s))]
        near[side] = len(able) - len(new)
        sides[side], more = _right(new[:scored])
        refused += more
    made = count + sum(len(sides[side]) for side in SIDES[1:])
    return Made(sides, made, refused, near, dict(unchecked))


def _able(samples: Iterable[Sample], unchecked: Counter[str]) -> list[Sample]:
    """The samples that this machine can check; the others are counted by the missing program."""
    kept = []
    for sample in samples:
        lacking = {tool for e in sample.exchanges if (tool := missing(e.check))}
        unchecked.update(lacking)
        if not lacking:
            kept.append(sample)
    return kept


def summary(made: Made) -> dict[str, Any]:
    """The counts that the card tells."""
    turns = [len(sample.exchanges) for sample in made.sides["train"]]
    return {
        "drawn": made.drawn,
        "refused": made.refused,
        "near": made.near,
        "unchecked": made.unchecked,
        "samples": {side: len(samples) for side, samples in made.sides.items()},
        "turns": {str(count): turns.count(count) for count in sorted(set(turns))},
        "held_out": len(HELD_OUT),
        "families": families_of(made.sides["train"]),
    }


def _asked(sample: Sample) -> str:
    return sample.exchanges[0].question


def key(sample: Sample) -> str:
    """Its first question without case, spaces and punctuation: equal means near-duplicate."""
    return re.sub(r"[\W_]+", "", _asked(sample).lower())


def _once(samples: Iterable[Sample]) -> list[Sample]:
    return list({key(sample): sample for sample in samples}.values())


def _right(samples: Iterable[Sample]) -> tuple[list[Sample], int]:
    """The samples all of whose answers pass their checks, and how many did not."""
    listed = list(samples)
    distinct = {(e.answer, e.check): "" for sample in listed for e in sample.exchanges}
    verdicts = dict(zip(distinct, check_all(distinct, workers=2, trusted=True), strict=True))
    kept = [s for s in listed if not any(verdicts[e.answer, e.check] for e in s.exchanges)]
    return kept, len(listed) - len(kept)


def families_of(samples: Sequence[Sample]) -> dict[str, int]:
    """How many samples each family has."""
    return dict(Counter(sample.family for sample in samples).most_common())


def save(samples: Sequence[Sample], path: Path) -> None:
    """One JSON line for each sample."""
    path.write_text("".join(json.dumps(asdict(sample)) + "\n" for sample in samples))


def load(path: Path) -> list[Sample]:
    """What `save` wrote."""
    return [_sample(json.loads(line)) for line in path.read_text().splitlines()]


def _sample(raw: dict[str, Any]) -> Sample:
    return Sample(raw["family"], tuple(_exchange(e) for e in raw["exchanges"]))


def _exchange(raw: dict[str, Any]) -> Exchange:
    return Exchange(raw["question"], raw["answer"], check_from(raw["check"]), raw["group"])


def check_from(raw: dict[str, Any]) -> Check:
    """A check out of JSON: lists become tuples again."""
    return Check(**{name: _tuples(value) for name, value in raw.items()})


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
