"""Families of the fine-tune stage: turns build on each other, end, and teach nothing held out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from random import Random

import pytest

from train.demo.evaluation.check import check_answers
from train.demo.tasks.family import Exchange, Sample, TaskSampler
from train.demo.tasks.registry import draw_samples, select_families

FAMILIES = {family.name: family for family in select_families("finetune")}


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    return list(
        draw_samples(3, 3000, held_out_phrasing=False, held_out_families=False, stage="finetune")
    )


def draw_exchanges(name: str, many: int) -> Iterator[tuple[Exchange, ...]]:
    for seed in range(many):
        yield FAMILIES[name].sample(TaskSampler(Random(f"{name} {seed}"))).exchanges


def test_each_finetune_family_is_drawn_and_its_conversations_end(samples: list[Sample]) -> None:
    assert {sample.family for sample in samples} == set(FAMILIES)
    turns = [len(sample.exchanges) for sample in samples]
    assert set(turns) == {1, 2, 3, 4, 5}
    assert sum(count > 1 for count in turns) > len(turns) / 2


@pytest.mark.parametrize(
    ("held", "near"),
    [
        ('linestyle="--"', 'linestyle=":"'),
        ("wedgeprops", "plt.pie("),
        ("AVG(", "SUM("),
        ("DISTINCT", "COUNT(*)"),
    ],
)
def test_nothing_teaches_a_family_that_is_held_out(
    held: str, near: str, samples: list[Sample]
) -> None:
    answers = "\n".join(e.answer for sample in samples for e in sample.exchanges)
    assert near in answers
    assert held not in answers


def test_a_query_that_changes_gives_other_rows() -> None:
    for turns in draw_exchanges("later_sql_where", 60):
        queries = [e for e in turns if e.check.language == "sql"]
        for before, after in pairwise(queries):
            assert before.check.setup == after.check.setup
            assert (before.check.stdout, before.check.after) != (
                after.check.stdout,
                after.check.after,
            )


ALTERATIONS = (
    ("later_plot_looks", r"figsize=\(10, 6\)", "figsize=(6, 10)", "size"),
    ("later_plot_looks", r', linestyle=":"', "", "style"),
    ("later_plot_looks", r", linewidth=3\b", ", linewidth=4", "width"),
    ("later_plot_looks", r"rotation=45", "rotation=30", "xrotations"),
    ("later_plot_looks", r"\nplt\.savefig\(.*\)", "", "code lacks"),
    (
        "later_plot_matrix",
        r"plt\.text\(column, row, value,",
        "plt.text(column, row, row,",
        "numbers",
    ),
    ("later_map", r"isin\(countries\)", "isin([])", "countries"),
)
"""Family, pattern in its answers, replacement that makes them wrong, beginning of the verdict."""


@pytest.mark.slow
@pytest.mark.parametrize(("name", "pattern", "instead", "verdict"), ALTERATIONS)
def test_a_style_that_was_not_asked_for_is_refused(
    name: str, pattern: str, instead: str, verdict: str
) -> None:
    found = (
        e for turns in draw_exchanges(name, 200) for e in turns if re.search(pattern, e.answer)
    )
    exchange = next(found)
    altered = re.sub(pattern, instead, exchange.answer)
    right, wrong = check_answers([(exchange.answer, exchange.check), (altered, exchange.check)])
    assert right == ""
    assert wrong.startswith(verdict)


def test_an_unknown_change_is_declined_without_code(samples: list[Sample]) -> None:
    refused = [
        e
        for sample in samples
        for e in sample.exchanges[1:]
        if e.answer.startswith("I do not know how")
    ]
    assert len(refused) > 100
    assert all("```" not in e.answer for e in refused)
