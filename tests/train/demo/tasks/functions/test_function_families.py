"""Functions have the name of the question, and follow-up turns make the requested change."""

from __future__ import annotations

import re
from random import Random

import pytest

from tests.train.demo.drawn_conversations import (
    draw_conversations,
    find_accepted,
    find_wrong_answers,
    iterate_exchanges,
)
from train.demo.evaluation.check import extract_code
from train.demo.tasks.family import Exchange, TaskSampler
from train.demo.tasks.functions import function_families
from train.demo.tasks.functions.specs import FunctionSpec, WrittenFunction, load_functions

SPECS = {spec.name: spec for spec in load_functions()}
NAMES = ("sum_list", "is_prime", "reverse_string", "merge_dicts", "greater_than", "factorial")
FAMILIES = tuple(function_families.make_family(SPECS[name]) for name in NAMES)


def write_function(name: str, **more: object) -> WrittenFunction:
    spec = SPECS[name]
    params = tuple(param for param, _ in spec.params)
    return WrittenFunction(spec, name, params, 3, spec.body, spec.why, **more)  # type: ignore[arg-type]


def draw_openings(name: str, count: int = 60) -> list[tuple[WrittenFunction, Exchange]]:
    samplers = [TaskSampler(Random(f"{name} {seed}")) for seed in range(count)]
    return [function_families.draw_opening(sampler, SPECS[name]) for sampler in samplers]


def test_reference_answers_pass_their_checks() -> None:
    assert find_wrong_answers(iterate_exchanges(FAMILIES, 20)) == {}


def test_a_function_without_a_result_is_refused() -> None:
    firsts = [conversation[0] for f in FAMILIES for conversation in draw_conversations(f, 5)]
    altered = [(re.sub(r"\breturn .*", "return ...", first.answer), first) for first in firsts]
    assert find_accepted(altered) == []


@pytest.mark.parametrize("name", NAMES)
def test_names_and_values_are_those_of_the_question(name: str) -> None:
    for written, first in draw_openings(name):
        code = extract_code(first.answer)
        assert f"def {written.name}({', '.join(written.params)}):" in code
        if written.named:
            assert written.name in first.question
        if SPECS[name].draws:
            assert str(written.k) in first.question
            assert str(written.k) in code
    assert {written.named for written, _ in draw_openings(name)} == {True, False}


def test_a_fixed_name_is_required() -> None:
    written, first = next(pair for pair in draw_openings("sum_list") if pair[0].named)
    assert find_accepted([(first.answer.replace(f"def {written.name}", "def other"), first)]) == []


def test_hints_and_docstring_are_added_once() -> None:
    sampler = TaskSampler(Random(1))
    for add, mark in (
        (function_families.add_hints, "->"),
        (function_families.add_docstring, '"""'),
    ):
        before = write_function("sum_list")
        turn = add(sampler, before)
        assert turn is not None
        after, exchange = turn
        assert mark in extract_code(exchange.answer)
        assert find_accepted([(f"```python\n{before.code}\n```", exchange)]) == []
        assert add(sampler, after) is None


def test_a_renamed_function_keeps_its_body() -> None:
    before = write_function("factorial")
    unchanged = []
    for seed in range(20):
        turn = function_families.rename_function(TaskSampler(Random(seed)), before)
        assert turn is not None
        after, exchange = turn
        assert after.name in exchange.question
        assert after.code.replace(after.name, before.name) == before.code
        unchanged.append((f"```python\n{before.code}\n```", exchange))
    assert find_accepted(unchanged) == []


def test_a_parameter_is_renamed_only_if_there_is_one() -> None:
    sampler = TaskSampler(Random(2))
    assert function_families.rename_parameter(sampler, write_function("merge_dicts")) is None
    turns = [
        function_families.rename_parameter(sampler, write_function("sum_list")) for _ in range(9)
    ]
    found = [turn for turn in turns if turn is not None]
    assert found
    for after, exchange in found:
        assert f"({after.params[0]})" in extract_code(exchange.answer)
        assert after.params[0] in exchange.question


def test_another_way_is_another_body() -> None:
    spec = next(spec for spec in SPECS.values() if spec.others)
    turn = function_families.rewrite_function(TaskSampler(Random(3)), write_function(spec.name))
    assert turn is not None
    assert turn[0].body != spec.body
    plain = next(spec for spec in SPECS.values() if not spec.others)
    assert (
        function_families.rewrite_function(TaskSampler(Random(3)), write_function(plain.name))
        is None
    )


def test_the_cost_is_only_known_of_the_usual_way() -> None:
    sampler, written = TaskSampler(Random(4)), write_function("factorial")
    turn = function_families.explain_cost(sampler, written)
    assert turn is not None
    assert turn[1].answer == written.spec.cost
    other = WrittenFunction(written.spec, "factorial", written.params, 3, "return 1", "")
    assert function_families.explain_cost(sampler, other) is None


def test_the_output_of_an_example_is_that_of_the_call() -> None:
    turn = function_families.show_example(TaskSampler(Random(5)), write_function("factorial"))
    assert turn is not None
    args, result = write_function("factorial").calls[0]
    assert f"factorial({args})" in turn[1].answer
    assert f"This prints `{result}`." in turn[1].answer


def test_functions_of_files_have_neither_test_nor_example() -> None:
    sampler = TaskSampler(Random(6))
    files = [spec for spec in SPECS.values() if spec.group == "files"]
    assert files
    for spec in files:
        assert function_families.write_test(sampler, write_function(spec.name)) is None
        assert function_families.show_example(sampler, write_function(spec.name)) is None


def test_frames_inflect_the_description() -> None:
    sampler = TaskSampler(Random(7))
    choose = function_families.choose_template
    assert choose(sampler, ("one that {does}",), ("copy a list",)) == "one that copies a list"
    assert choose(sampler, ("please {do}",), ("copy a list",)) == "please copy a list"


def test_common_functions_are_drawn_more_often() -> None:
    rare: FunctionSpec = next(
        spec for name, spec in SPECS.items() if name not in function_families.COMMON_FUNCTIONS
    )
    assert set(SPECS) >= function_families.COMMON_FUNCTIONS
    assert function_families.make_family(rare).weight < FAMILIES[0].weight
