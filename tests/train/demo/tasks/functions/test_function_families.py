"""Changes of a function keep what earlier turns gave it."""

from __future__ import annotations

from random import Random

from train.demo.tasks.family import TaskSampler
from train.demo.tasks.functions import function_families
from train.demo.tasks.functions.specs import WrittenFunction, load_functions

SUM = next(spec for spec in load_functions() if spec.name == "sum_list")


def write(sampler: TaskSampler) -> WrittenFunction:
    return function_families.draw_opening(sampler, SUM)[0]


def test_a_change_is_offered_once() -> None:
    sampler = TaskSampler(Random(1))
    now = write(sampler)
    for change in (function_families.add_hints, function_families.add_docstring):
        changed = change(sampler, now)
        assert changed is not None
        now = changed[0]
        assert change(sampler, now) is None
    assert "->" in now.code
    assert '"""' in now.code


def test_a_new_name_is_used_by_all_that_follows() -> None:
    for seed in range(20):
        sampler = TaskSampler(Random(seed))
        renamed = function_families.rename_function(sampler, write(sampler))
        if renamed is None:
            continue
        now, exchange = renamed
        assert f"def {now.name}(" in exchange.answer
        test = function_families.write_test(sampler, now)
        assert test is not None
        assert f"assert {now.name}(" in test[1].answer


def test_the_cost_is_explained_for_the_usual_way_only() -> None:
    for seed in range(40):
        sampler = TaskSampler(Random(seed))
        now = write(sampler)
        explained = function_families.explain_cost(sampler, now)
        assert (explained is None) == (now.body != SUM.body)


def test_thanks_end_a_conversation_now_and_then() -> None:
    ends = 0
    for seed in range(300):
        sampler = TaskSampler(Random(seed))
        _, first = function_families.draw_opening(sampler, SUM)
        ends += len(function_families.end_with_thanks(sampler, first)) == 2
    assert 10 < ends < 60
