"""Questions may have typing errors in their words, but not in the names to copy."""

from __future__ import annotations

from random import Random

import pytest

from train.demo.tasks.family import (
    TaskSampler,
)
from train.demo.tasks.phrasing import draw_identifier, phrase_question, to_third_person


def test_names_to_copy_are_never_misspelt() -> None:
    for seed in range(300):
        sampler = TaskSampler(Random(seed))
        name = draw_identifier(sampler.rng)
        assert name in phrase_question(
            sampler, "Write a function called {f} that returns something.", f=name
        )


@pytest.mark.parametrize(
    ("verb", "third"),
    [
        ("add up", "adds up"),
        ("search it", "searches it"),
        ("copy it", "copies it"),
        ("do it", "does it"),
        ("play it", "plays it"),
    ],
)
def test_verbs_are_inflected(verb: str, third: str) -> None:
    assert to_third_person(verb) == third
