"""Every family, in one tuple; and which of them are never trained."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from train.nano.dialogues import bugs, classes, plots, scripts, talk
from train.nano.dialogues.family import Draw, Family, Sample
from train.nano.dialogues.functions import family
from train.nano.dialogues.specs import functions

HELD_OUT = frozenset(
    (
        "sum_of_squares all_equal less_than product is_perfect_square minutes_to_hours countdown "
        "remove_spaces is_digits to_snake_case group_by_first count_lines print_evens class_method "
        "bug_wrong_index concept_modulo concept_while_word concept_len reverse_these triangle_area "
        "swap_case rotate"
    ).split()
)
"""Families kept for the score of unseen tasks: a tenth, none that a first visitor may ask."""


def families() -> tuple[Family, ...]:
    """Every family there is."""
    specs = functions()
    seen = tuple(spec for spec in specs if spec.name not in HELD_OUT)
    return (
        *(family(spec) for spec in specs),
        *bugs.families(),
        *scripts.families(),
        *classes.families(),
        *plots.families(),
        *talk.families(seen),
    )


def draw_samples(
    seed: int, count: int, *, held_out_phrasing: bool, held_out_families: bool
) -> Iterator[Sample]:
    """`count` conversations, the same for the same seed."""
    pool = [f for f in families() if (f.name in HELD_OUT) == held_out_families]
    weights = [f.weight for f in pool]
    rng = Random(seed)
    for _ in range(count):
        chosen = rng.choices(pool, weights)[0]
        yield chosen.sample(Draw(Random(rng.getrandbits(64)), held_out_phrasing))
