"""Small functions say the same in each of their languages."""

from __future__ import annotations

from random import Random

import pytest

from train.demo.evaluation.check import check_answers, find_missing_program
from train.demo.tasks.family import fence_code
from train.demo.tasks.functions.tiny_functions import draw_tiny


@pytest.mark.parametrize("language", ["python", "javascript", "c"])
def test_a_drawn_function_passes_its_check_in_each_language(language: str) -> None:
    functions = [draw_tiny(Random(seed), language) for seed in range(12)]
    if find_missing_program(functions[0].make_check(language)):
        pytest.skip(f"no program for {language} on this machine")
    answers = [fence_code(function.render(language), language) for function in functions]
    checks = [function.make_check(language) for function in functions]
    assert check_answers(zip(answers, checks, strict=True)) == [""] * len(functions)


def test_a_converted_function_keeps_names_body_and_results() -> None:
    function = draw_tiny(Random(4), "python")
    written = function.to_written()
    assert written.code == function.render("python")
    assert written.calls == function.calls
    assert written.purpose == function.purpose
