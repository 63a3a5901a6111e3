"""Registry of all task families, their stages, and those that are never trained."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cache
from random import Random
from typing import Protocol

from train.demo.tasks.classes import class_changes, class_families
from train.demo.tasks.family import Family, Sample, Stage, TaskSampler
from train.demo.tasks.frames import data_frames
from train.demo.tasks.functions import bugs, code_changes, named_functions
from train.demo.tasks.functions.function_families import make_family
from train.demo.tasks.functions.specs import load_functions
from train.demo.tasks.languages import query_changes, snippets
from train.demo.tasks.plots import casual_maps, casual_plots, maps, number_tables, plot_families
from train.demo.tasks.programs import beginners, drills, printed_lines, scripts
from train.demo.tasks.shares import KIND_SHARES, find_kind
from train.demo.tasks.talk import continued_talk, small_talk

HELD_OUT_FAMILIES = frozenset(
    (
        "sum_of_squares all_equal less_than product is_perfect_square minutes_to_hours countdown "
        "remove_spaces is_digits to_snake_case group_by_first count_lines print_evens class_method "
        "bug_wrong_index concept_modulo concept_while_word concept_len reverse_these triangle_area "
        "swap_case rotate km_to_miles sum_values constant shell_sort_file shell_mkdir sql_average "
        "sql_distinct or_slash or_remove_pop or_copy_reference extend_separator extend_keep_order "
        "file_words error_UnboundLocalError error_not_callable bug_default_list lambda "
        "plot_dashed plot_donut frame_sum frame_count drill_values"
    ).split()
)
"""Families held out for the score of new tasks: a tenth, none that a first visitor may ask."""


@cache
def list_families() -> tuple[Family, ...]:
    """Return every family of every stage, by subject.

    The order within a stage decides what a seed draws, and with it the digests on the model cards:
    add new families at the end of a stage. The names that begin with `later_` stay for the same
    reason: each saved dialogue holds the name of its family.
    """
    specs = load_functions()
    known = tuple(spec for spec in specs if spec.name not in HELD_OUT_FAMILIES)
    known_bugs, known_beginners = _drop_held_out(bugs), _drop_held_out(beginners)
    errors = tuple(each for each in known_beginners if each.name.startswith("error_"))
    return (
        *(make_family(spec) for spec in specs),
        *bugs.families(),
        *named_functions.families(known, known_bugs, errors),
        *scripts.families(),
        *class_families.families(),
        *class_changes.families(),
        *query_changes.families(),
        *plot_families.families(),
        *casual_plots.families(),
        *number_tables.families(),
        *data_frames.families(),
        *maps.families(),
        *casual_maps.families(),
        *drills.families(),
        *printed_lines.families(),
        *code_changes.families(known),
        *snippets.families(),
        *beginners.families(),
        *small_talk.families(known),
        *continued_talk.families(known),
    )


class _Subject(Protocol):
    def families(self) -> tuple[Family, ...]: ...


def _drop_held_out(subject: _Subject) -> tuple[Family, ...]:
    return tuple(each for each in subject.families() if each.name not in HELD_OUT_FAMILIES)


def select_families(stage: Stage) -> tuple[Family, ...]:
    """Return the families that this stage of training learns first, held-out ones included."""
    return tuple(family for family in list_families() if family.stage == stage)


def draw_samples(
    seed: int,
    count: int,
    *,
    held_out_phrasing: bool,
    held_out_families: bool,
    stage: Stage = "pretrain",
) -> Iterator[Sample]:
    """Yield `count` conversations of one stage's families, the same for the same seed.

    Families of the pre-training stage are weighted by the share of their kind; those of the
    fine-tune by their own weights, and none of them is held out.
    """
    pool = select_families(stage)
    if stage == "finetune":
        weights = [family.weight for family in pool]
    else:
        pool = tuple(f for f in pool if (f.name in HELD_OUT_FAMILIES) == held_out_families)
        weights = _compute_weights(pool)
    # Each sample has a random source of its own: what one family draws moves no other sample.
    rng = Random(seed)
    for _ in range(count):
        chosen = rng.choices(pool, weights)[0]
        yield chosen.sample(TaskSampler(Random(rng.getrandbits(64)), held_out_phrasing))


def _compute_weights(pool: Sequence[Family]) -> list[float]:
    """Weight families so that each kind of task gets its share, however many families it has."""
    mass: dict[str, float] = defaultdict(float)
    for each in pool:
        mass[find_kind(each.group)] += each.weight
    return [f.weight * KIND_SHARES[kind := find_kind(f.group)] / mass[kind] for f in pool]
