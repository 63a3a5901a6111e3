"""The dialogue corpus: drawn, checked by running, divided into trained and scored."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from train.nano.checking import check_all
from train.nano.dialogues.family import Check, Exchange, Plot, Sample
from train.nano.dialogues.registry import draw_samples

SIDES = ("train", "values", "phrasing", "family")
"""What is trained; then three scores: new values, new phrasings, new families."""


@dataclass(frozen=True, slots=True)
class Made:
    """The corpus by side, and how many samples were refused."""

    sides: dict[str, list[Sample]]
    drawn: int
    refused: int


def make(*, seed: int, count: int, scored: int) -> Made:
    """Draw and check everything; the scored sides hold nothing that the trained side nearly has."""
    train, refused = _right(
        draw_samples(seed, count, held_out_phrasing=False, held_out_families=False)
    )
    known = {key(sample) for sample in train}
    sides = {"train": train}
    options = {"values": (False, False), "phrasing": (True, False), "family": (True, True)}
    for offset, (side, (phrasing, families)) in enumerate(options.items(), start=1):
        drawn = draw_samples(
            seed + offset, 3 * scored, held_out_phrasing=phrasing, held_out_families=families
        )
        new = _once(sample for sample in drawn if key(sample) not in known)[:scored]
        sides[side], more = _right(new)
        refused += more
    return Made(sides, count + sum(len(sides[s]) for s in SIDES[1:]), refused)


def key(sample: Sample) -> str:
    """Its first question without case, spaces and punctuation: equal means near-duplicate."""
    return re.sub(r"[\W_]+", "", sample.exchanges[0].question.lower())


def _once(samples: Iterable[Sample]) -> list[Sample]:
    return list({key(sample): sample for sample in samples}.values())


def _right(samples: Iterable[Sample]) -> tuple[list[Sample], int]:
    """The samples all of whose answers pass their checks, and how many did not."""
    listed = list(samples)
    distinct = {(e.answer, e.check): "" for sample in listed for e in sample.exchanges}
    verdicts = dict(zip(distinct, check_all(distinct, workers=2), strict=True))
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
    fields = {name: _tuples(value) for name, value in raw.items()}
    if raw.get("plot"):
        fields["plot"] = Plot(**{name: _tuples(value) for name, value in raw["plot"].items()})
    return Check(**fields)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
