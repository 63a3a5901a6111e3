"""Specified functions: their source, their checks, and the values that are drawn for them."""

from __future__ import annotations

import ast
from dataclasses import replace
from random import Random

import pytest

from train.demo.evaluation.check import check_answers
from train.demo.tasks.family import fence_code
from train.demo.tasks.functions.specs import (
    FunctionSpec,
    WrittenFunction,
    draw_params,
    load_functions,
)

SPECS = {spec.name: spec for spec in load_functions()}
ADD = FunctionSpec(
    name="add_k",
    group="numbers",
    asks=("add {k} to a number",),
    params=(("n", "int"),),
    returns="int",
    body="return $a + $k",
    why="`+` adds.",
    calls=(("1", "{1 + k}"),),
    draws=(2, 9),
)


def write(spec: FunctionSpec, k: int = 0) -> WrittenFunction:
    params = tuple(name for name, _ in spec.params)
    return WrittenFunction(spec, spec.name, params, k, spec.body, spec.why)


@pytest.mark.parametrize("name", SPECS)
def test_every_function_of_the_tables_is_python(name: str) -> None:
    spec = SPECS[name]
    written = write(spec, spec.draw_value(Random(1)))
    for form in (written, replace(written, hinted=True, documented=True)):
        assert "$" not in form.code
        ast.parse(form.code)


def test_drawn_values_reach_code_calls_and_purpose() -> None:
    written = write(ADD, 7)
    assert written.code == "def add_k(n):\n    return n + 7"
    assert written.calls == (("1", "8"),)
    assert written.purpose == "add 7 to a number"


def test_hints_and_docstring_are_written_where_they_belong() -> None:
    written = replace(write(ADD, 7), hinted=True, documented=True)
    assert written.code.splitlines()[:2] == [
        "def add_k(n: int) -> int:",
        '    """Add 7 to a number."""',
    ]


def test_the_check_of_a_function_fails_for_another_value() -> None:
    check = write(ADD, 7).make_check()
    right, wrong = (fence_code(write(ADD, k).code) for k in (7, 6))
    assert check_answers([(right, check), (wrong, check)])[0] == ""
    assert check_answers([(wrong, check)]) != [""]


def test_a_function_without_a_drawn_value_draws_none() -> None:
    assert replace(ADD, draws=None).draw_value(Random(1)) == 0
    assert {ADD.draw_value(Random(seed)) for seed in range(200)} == set(range(2, 10))


def test_parameter_names_are_different_and_not_taken() -> None:
    spec = SPECS["merge_dicts"]
    for seed in range(100):
        names = draw_params(Random(seed), spec, "table")
        assert len(set(names)) == len(spec.params)
        assert "table" not in names
