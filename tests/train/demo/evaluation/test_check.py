"""Answers are run in isolation and compared with what their checks expect."""

from __future__ import annotations

import pytest

from train.demo.evaluation.check import (
    check_answers,
    check_text,
    extract_code,
)
from train.demo.tasks.family import (
    Check,
)


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        ("def f(x):\n    return x + 1", ""),
        ("def g(x):\n    return x + 1", ""),
        ("def f(x):\n    return x", "$f(1) is 1, not 2"),
        ("def f(x):\n    return float(x + 1)", "$f(1) is 2.0, not 2"),
        ("def f(x)\n    return x", "SyntaxError"),
        ("raise SystemExit", "SystemExit"),
        ("def f(x):\n    while True: pass", "took too long or died"),
        ("import os\nos._exit(0)", "took too long or died"),
        ("def f(x):\n    return 'x' * 10**10", "MemoryError"),
    ],
)
def test_code_is_run_and_its_results_compared(code: str, verdict: str) -> None:
    check = Check(probes=(("$f(1)", "2"),), name="f")
    (found,) = check_answers([(f"```python\n{code}\n```", check)])
    assert found.startswith(verdict)
    assert bool(found) == bool(verdict)


def test_a_name_that_the_question_fixed_must_be_used() -> None:
    check = Check(probes=(("$f(1)", "2"),), name="f", named=True)
    (found,) = check_answers([("```python\ndef g(x):\n    return x + 1\n```", check)])
    assert "NameError" in found


def test_damage_by_one_job_does_not_reach_the_next() -> None:
    vandal = "```python\nimport builtins\nbuiltins.len = lambda x: 0\nprint(1)\n```"
    honest = "```python\nprint(len([1, 2]))\n```"
    checks = [(vandal, Check(stdout="1")), (honest, Check(stdout="2"))]
    assert check_answers(checks) == ["", ""]


def test_an_answer_without_code_is_wrong_where_code_is_asked_for() -> None:
    assert check_text("Use `sum`.", Check(stdout="1")) == "no code"


def test_a_fence_that_never_closes_still_counts_as_code() -> None:
    assert extract_code("x\n```python\nprint(1)") == "print(1)"
