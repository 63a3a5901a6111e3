"""Synthesis of the dialogue corpus: draw, check by execution, split into trained and scored."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

from train.demo.evaluation.check import check_answers, find_missing_program
from train.demo.near_duplicates import NearDuplicateIndex
from train.demo.sample_files import SCORED_SIDES
from train.demo.tasks.family import Sample, Stage
from train.demo.tasks.registry import HELD_OUT_FAMILIES, draw_samples

FINETUNE_EVERY = 3
"""One in so many scored conversations of known families is of a fine-tune family."""

OVERDRAWN = 6
"""Samples drawn for each one that a scored side keeps: many are too close to trained ones."""


@dataclass(frozen=True, slots=True)
class DialogueCorpus:
    """Samples by side of the split, with counts of those that were dropped."""

    sides: dict[str, list[Sample]]
    drawn: int
    refused: int
    """Samples of which an answer failed its check."""
    near: dict[str, int]
    """Samples too close to a trained one, by scored side."""
    unchecked: dict[str, int]
    """Samples that could not be checked, by the program that the machine lacks."""


def make_dialogues(*, seed: int, pretrain: int, finetune: int, scored: int) -> DialogueCorpus:
    """Draw and check all dialogues, and remove near-duplicates of trained ones from scored sides.

    Args:
        seed: Seed of the trained sides; each scored side adds its number.
        pretrain: Samples to draw from the families of the pre-training stage.
        finetune: Samples to draw from the families of the fine-tune stage.
        scored: Samples to keep on each scored side, at most.
    """
    unchecked = Counter[str]()
    sides: dict[str, list[Sample]] = {}
    refused = 0
    counts: dict[Stage, int] = {"pretrain": pretrain, "finetune": finetune}
    for stage, many in counts.items():
        drawn = draw_samples(
            seed, many, held_out_phrasing=False, held_out_families=False, stage=stage
        )
        sides[stage], more = _filter_right(_filter_checkable(drawn, unchecked))
        refused += more
    trained = [*sides["pretrain"], *sides["finetune"]]
    keys = {make_question_key(sample) for sample in trained}
    known = NearDuplicateIndex(_first_question(sample) for sample in trained)
    near = {}
    for offset, side in enumerate(SCORED_SIDES, start=1):
        # The programs that the machine lacks were counted on the trained sides already.
        candidates = _deduplicate(
            _filter_checkable(_draw_scored(seed + offset, side, OVERDRAWN * scored), Counter())
        )
        new = [
            sample
            for sample in candidates
            if make_question_key(sample) not in keys
            and not known.has_near_duplicate(_first_question(sample))
        ]
        near[side] = len(candidates) - len(new)
        sides[side], more = _filter_right(new[:scored])
        refused += more
    drawn_count = pretrain + finetune + sum(len(sides[side]) for side in SCORED_SIDES)
    return DialogueCorpus(sides, drawn_count, refused, near, dict(unchecked))


def _draw_scored(seed: int, side: str, count: int) -> Iterator[Sample]:
    """Yield conversations for a scored side; on sides of known families, a third is fine-tune.

    No fine-tune family is held out, so the side of unseen families has none.
    """
    phrasing, families = SCORED_SIDES[side]
    draw = partial(draw_samples, seed, held_out_phrasing=phrasing, held_out_families=families)
    first = draw(count)
    if families:
        yield from first
        return
    more = draw(count // (FINETUNE_EVERY - 1), stage="finetune")
    for number, sample in enumerate(first, start=1):
        yield sample
        if number % (FINETUNE_EVERY - 1) == 0:
            yield from islice(more, 1)


def _filter_checkable(samples: Iterable[Sample], unchecked: Counter[str]) -> list[Sample]:
    """Return the samples that this machine can check; count the others by the missing program."""
    kept = []
    for sample in samples:
        lacking = {tool for e in sample.exchanges if (tool := find_missing_program(e.check))}
        unchecked.update(lacking)
        if not lacking:
            kept.append(sample)
    return kept


def summarize_corpus(corpus: DialogueCorpus) -> dict[str, Any]:
    """Return the counts for the model card, as written to made.json."""
    trained = [*corpus.sides["pretrain"], *corpus.sides["finetune"]]
    turns = [len(sample.exchanges) for sample in trained]
    return {
        "drawn": corpus.drawn,
        "refused": corpus.refused,
        "near": corpus.near,
        "unchecked": corpus.unchecked,
        "samples": {side: len(samples) for side, samples in corpus.sides.items()},
        "turns": {str(count): turns.count(count) for count in sorted(set(turns))},
        "held_out": len(HELD_OUT_FAMILIES),
        "families": count_families(trained),
    }


def _first_question(sample: Sample) -> str:
    return sample.exchanges[0].question


def make_question_key(sample: Sample) -> str:
    """Return the first question without case, spaces and punctuation."""
    return re.sub(r"[\W_]+", "", _first_question(sample).lower())


def _deduplicate(samples: Iterable[Sample]) -> list[Sample]:
    return list({make_question_key(sample): sample for sample in samples}.values())


def _filter_right(samples: Iterable[Sample]) -> tuple[list[Sample], int]:
    """Return the samples whose answers all pass their checks, and the number of the others."""
    listed = list(samples)
    # Many samples share an answer with its check, above all short ones: each runs once.
    distinct = {(e.answer, e.check): "" for sample in listed for e in sample.exchanges}
    verdicts = dict(zip(distinct, check_answers(distinct, workers=2, trusted=True), strict=True))
    kept = [s for s in listed if not any(verdicts[e.answer, e.check] for e in s.exchanges)]
    return kept, len(listed) - len(kept)


def count_families(samples: Sequence[Sample]) -> dict[str, int]:
    """Count the samples of each family."""
    return dict(Counter(sample.family for sample in samples).most_common())
