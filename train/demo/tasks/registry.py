"""Every family, in one tuple; and which of them are never trained."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from random import Random

from train.demo.tasks.classes import class_families
from train.demo.tasks.classes import growing_classes as later_classes
from train.demo.tasks.family import Draw, Family, Sample
from train.demo.tasks.frames import data_frames
from train.demo.tasks.functions import bugs, code_changes
from train.demo.tasks.functions import named_functions as later_code
from train.demo.tasks.functions.function_families import family
from train.demo.tasks.functions.specs import functions
from train.demo.tasks.languages import growing_queries as later_queries
from train.demo.tasks.languages import snippets
from train.demo.tasks.plots import casual_maps as later_maps
from train.demo.tasks.plots import casual_plots as later_plots
from train.demo.tasks.plots import grids as later_grids
from train.demo.tasks.plots import maps
from train.demo.tasks.plots import plot_families as plots
from train.demo.tasks.programs import beginners, drills, scripts
from train.demo.tasks.programs import printed_lines as later_programs
from train.demo.tasks.shares import SHARES, kind_of
from train.demo.tasks.talk import continued_talk as later_talk
from train.demo.tasks.talk import small_talk

HELD_OUT = frozenset(
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
"""Families kept for the score of unseen tasks: a tenth, none that a first visitor may ask."""


def families() -> tuple[Family, ...]:
    """Every family that the first run of the fine-tune learns, or that is held out."""
    specs = functions()
    seen = tuple(spec for spec in specs if spec.name not in HELD_OUT)
    return (
        *(family(spec) for spec in specs),
        *bugs.families(),
        *scripts.families(),
        *class_families.families(),
        *plots.families(),
        *data_frames.families(),
        *maps.families(),
        *drills.families(),
        *code_changes.families(seen),
        *snippets.families(),
        *beginners.families(),
        *small_talk.families(seen),
    )


def later_families() -> tuple[Family, ...]:
    """The families that came after pre-training; their weights are what each is drawn with."""
    seen = tuple(spec for spec in functions() if spec.name not in HELD_OUT)
    errors = tuple(f for f in _seen(beginners.families()) if f.name.startswith("error_"))
    return (
        *later_code.families(seen, _seen(bugs.families()), errors),
        *later_classes.families(),
        *later_queries.families(),
        *later_plots.families(),
        *later_grids.families(),
        *later_maps.families(),
        *later_programs.families(),
        *later_talk.families(seen),
    )


def _seen(found: tuple[Family, ...]) -> tuple[Family, ...]:
    return tuple(each for each in found if each.name not in HELD_OUT)


def draw_samples(
    seed: int, count: int, *, held_out_phrasing: bool, held_out_families: bool, later: bool = False
) -> Iterator[Sample]:
    """`count` conversations, the same for the same seed; of the `later` families alone, or none."""
    if later:
        pool = list(later_families())
        weights = [family.weight for family in pool]
    else:
        pool = [f for f in families() if (f.name in HELD_OUT) == held_out_families]
        weights = _weights(pool)
    rng = Random(seed)
    for _ in range(count):
        chosen = rng.choices(pool, weights)[0]
        yield chosen.sample(Draw(Random(rng.getrandbits(64)), held_out_phrasing))


def _weights(pool: Sequence[Family]) -> list[float]:
    """Each kind of task gets its share, whatever the number of its families."""
    mass: dict[str, float] = defaultdict(float)
    for each in pool:
        mass[kind_of(each.group)] += each.weight
    return [f.weight * SHARES[kind := kind_of(f.group)] / mass[kind] for f in pool]
