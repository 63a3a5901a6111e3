"""Follow-up turns on any code are right."""

from __future__ import annotations

from random import Random
from typing import Any

from train.demo.evaluation.check import check_answers
from train.demo.tasks.family import Exchange, TaskSampler
from train.demo.tasks.functions.followups import add_follow_ups
from train.demo.tasks.registry import draw_samples, list_families


def test_conversations_of_several_turns_are_common() -> None:
    samples = list(draw_samples(2, 2000, held_out_phrasing=False, held_out_families=False))
    longer = [sample for sample in samples if len(sample.exchanges) > 1]
    assert len(longer) >= 0.28 * len(samples)
    assert max(len(sample.exchanges) for sample in samples) == 5


def test_follow_ups_on_any_code_are_right() -> None:
    scripts = [
        family for family in list_families() if family.group in ("scripts", "classes", "bugs")
    ]
    found: list[Exchange] = []
    for family in scripts:
        for seed in range(3):
            sampler = TaskSampler(Random(f"{family.name} {seed}"))
            first = family.sample(sampler).exchanges[0]
            found += add_follow_ups(sampler, first, share=1.0)[1:]
    verdicts = check_answers((exchange.answer, exchange.check) for exchange in found)
    assert {e.question: v for e, v in zip(found, verdicts, strict=True) if v} == {}
    groups: dict[str, Any] = {exchange.group: exchange for exchange in found}
    assert {"follow-up", "tests", "explain", "talk"} <= set(groups)
