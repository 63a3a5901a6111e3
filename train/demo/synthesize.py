"""The dialogue corpus: drawn, checked by running, divided into trained and scored."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from train.demo.evaluation.check import check_all, missing
from train.demo.near_duplicates import Known
from train.demo.tasks.family import Check, Exchange, Sample
from train.demo.tasks.registry import HELD_OUT, draw_samples

SCORED = {"values": (False, False), "phrasing": (True, False), "family": (True, True)}
"""New values, new phrasings, new families: whether phrasings and families are held out."""
LATER_EVERY = 3
"""Of so many scored conversations of known families, one is of a later family."""

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


def make(*, seed: int, count: int, later: int, scored: int) -> Made:
    """Draw and check everything; the scored sides hold nothing that a trained side nearly has."""
    unchecked = Counter[str]()
    sides: dict[str, list[Sample]] = {}
    refused = 0
    for side, many in (("train", count), ("later", later)):
        drawn = draw_samples(
            seed, many, held_out_phrasing=False, held_out_families=False, later=side == "later"
        )
        sides[side], more = _right(_able(drawn, unchecked))
        refused += more
    taught = [*sides["train"], *sides["later"]]
    keys, known = {key(sample) for sample in taught}, Known(_asked(sample) for sample in taught)
    near = {}
    for offset, side in enumerate(SCORED, start=1):
        able = _once(_able(_scored(seed + offset, side, OVERDRAWN * scored), Counter()))
        new = [s for s in able if key(s) not in keys and not known.near(_asked(s))]
        near[side] = len(able) - len(new)
        sides[side], more = _right(new[:scored])
        refused += more
    made = count + later + sum(len(sides[side]) for side in SCORED)
    return Made(sides, made, refused, near, dict(unchecked))


def _scored(seed: int, side: str, count: int) -> Iterator[Sample]:
    """Conversations for a score; the later families have phrasings to hold out, but no family."""
    phrasing, families = SCORED[side]
    held = {"held_out_phrasing": phrasing, "held_out_families": families}
    first = draw_samples(seed, count, **held)
    if families:
        yield from first
        return
    later = draw_samples(seed, count // (LATER_EVERY - 1), later=True, **held)
    for number, sample in enumerate(first, start=1):
        yield sample
        if number % (LATER_EVERY - 1) == 0:
            yield from islice(later, 1)


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
    taught = [*made.sides["train"], *made.sides["later"]]
    turns = [len(sample.exchanges) for sample in taught]
    return {
        "drawn": made.drawn,
        "refused": made.refused,
        "near": made.near,
        "unchecked": made.unchecked,
        "samples": {side: len(samples) for side, samples in made.sides.items()},
        "turns": {str(count): turns.count(count) for count in sorted(set(turns))},
        "held_out": len(HELD_OUT),
        "families": families_of(taught),
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
