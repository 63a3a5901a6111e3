"""The registry: every family is checkable, stages and held-out families stay apart."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from itertools import pairwise
from random import Random
from typing import get_args

import pytest

from train.demo.evaluation.check import (
    check_answers,
    find_missing_program,
)
from train.demo.tasks.family import (
    Exchange,
    Sample,
    Stage,
    TaskSampler,
)
from train.demo.tasks.functions.specs import load_functions
from train.demo.tasks.registry import (
    HELD_OUT_FAMILIES,
    draw_samples,
    list_families,
    select_families,
)


def draw_all(*, each: int = 2, seed: int = 11) -> list[Sample]:
    return [
        family.sample(TaskSampler(Random(f"{seed} {family.name} {turn}"), held_out_phrasing))
        for family in list_families()
        for held_out_phrasing in (False, True)
        for turn in range(each)
    ]


def exchanges(samples: Iterable[Sample]) -> list[Exchange]:
    return [exchange for sample in samples for exchange in sample.exchanges]


@pytest.mark.slow
def test_reference_answers_of_every_family_pass_their_checks() -> None:
    listed = [e for e in exchanges(draw_all(each=1)) if not find_missing_program(e.check)]
    verdicts = check_answers(((e.answer, e.check) for e in listed), workers=2, trusted=True)
    assert {e.question: v for e, v in zip(listed, verdicts, strict=True) if v} == {}
    assert {"bugs", "plots", "classes", "follow-up", "talk", "tests", "sql"} <= {
        e.group for e in listed
    }


def test_there_are_at_least_a_hundred_families_with_names_of_their_own() -> None:
    names = [family.name for family in list_families()]
    assert len(names) == len(set(names)) >= 100
    assert set(names) >= HELD_OUT_FAMILIES
    assert len(HELD_OUT_FAMILIES) >= len(names) // 10


def test_another_answer_of_the_same_form_fails() -> None:
    """Shuffled among the functions of a subject, reference answers are wrong nearly always."""
    specs = [spec for spec in load_functions() if len(spec.params) == 1 and not spec.draws]
    listed = [
        exchanges([f.sample(TaskSampler(Random(1)))])[0]
        for f in list_families()
        if f.name in {spec.name for spec in specs}
    ]
    pairs = [(other.answer, e.check) for e, other in pairwise(listed)]
    wrong = [verdict for verdict in check_answers(pairs) if verdict]
    assert len(wrong) >= 0.95 * len(pairs)


def test_the_same_seed_draws_the_same_conversations() -> None:
    def draw(seed: int) -> list[Sample]:
        return list(draw_samples(seed, 40, held_out_phrasing=False, held_out_families=False))

    assert draw(1) == draw(1) != draw(2)


@pytest.mark.parametrize(
    ("stage", "digest"), [("pretrain", "16be21a579ba"), ("finetune", "e0314f45461e")]
)
def test_a_seed_draws_the_dialogues_that_the_shipped_models_learned(
    stage: Stage, digest: str
) -> None:
    """Other dialogues mean another tokenizer and other models, so a change must be intended."""
    samples = draw_samples(1, 2000, held_out_phrasing=False, held_out_families=False, stage=stage)
    text = "".join(f"{e.question}\n{e.answer}\n" for sample in samples for e in sample.exchanges)
    assert hashlib.sha256(text.encode()).hexdigest()[:12] == digest


def test_each_family_belongs_to_one_stage() -> None:
    selected = [family for stage in get_args(Stage) for family in select_families(stage)]
    assert len(selected) == len(list_families())
    assert not HELD_OUT_FAMILIES & {family.name for family in select_families("finetune")}
