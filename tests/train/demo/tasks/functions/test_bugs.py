"""Broken code fails its check, and the corrected code passes."""

from __future__ import annotations

from random import Random

import pytest

from train.demo.evaluation.check import check_answers
from train.demo.tasks.family import Family, TaskSampler, fence_code
from train.demo.tasks.functions import bugs


@pytest.mark.parametrize("family", bugs.families(), ids=lambda family: family.name)
def test_the_fixed_code_passes_and_the_broken_code_fails(family: Family) -> None:
    firsts = [family.sample(TaskSampler(Random(seed))).exchanges[0] for seed in range(2)]
    for first in firsts:
        assert check_answers([(first.answer, first.check)]) == [""]
        lines = first.question.replace("```python", "").replace("```", "").splitlines()
        start = next(n for n, line in enumerate(lines) if line.startswith(("def ", "class ")))
        end = next((n for n in range(start, len(lines)) if not lines[n].strip()), len(lines))
        if lines[start].startswith("class "):
            end = len(lines)
        explanation = first.answer.partition("```")[0]
        broken = f"{explanation}{fence_code(chr(10).join(lines[start:end]))}"
        assert check_answers([(broken, first.check)]) != [""]
