"""Broken versions of a function give other results."""

from __future__ import annotations

from train.demo.tasks.functions.mutants import make_mutants


def test_a_broken_version_gives_other_results() -> None:
    calls = (("[1, 2]", "3"),)
    broken = make_mutants("def f(xs):\n    return sum(xs)", "f", calls)
    assert broken == ("def f(*args):\n    return None", "def f(xs):\n    return len(xs)")
    assert make_mutants("def f():\n    while True: pass", "f", (("", "None"),)) == ()
