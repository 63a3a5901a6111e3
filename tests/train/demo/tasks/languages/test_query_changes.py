"""A query's predicted rows are those that SQLite gives."""

from __future__ import annotations

import sqlite3
from itertools import pairwise
from random import Random

import pytest

from train.demo.tasks.family import TaskSampler
from train.demo.tasks.languages.query_changes import Query, families, pluralize

ROWS = (("ann", 3), ("bob", 9), ("ann", 5))
BASE = Query("people", "name", "age", ROWS)


def run(query: Query) -> list[tuple[object, ...]]:
    base = sqlite3.connect(":memory:")
    base.execute(f"CREATE TABLE {query.table} ({query.text} TEXT, {query.number} INTEGER)")
    base.executemany(f"INSERT INTO {query.table} VALUES (?, ?)", query.rows)
    found = base.execute(query.sql).fetchall()
    return base.execute(f"SELECT * FROM {query.table}").fetchall() if query.deletes else found


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"columns": ("name",)},
        {"conditions": (("age", ">", 4),)},
        {"conditions": (("age", "<", 9), ("name", "!=", "bob"))},
        {"order": "age", "descending": True, "limit": 2},
        {"aggregate": "count"},
        {"aggregate": "largest", "conditions": (("age", "<=", 5),)},
        {"deletes": True, "conditions": (("age", ">=", 5),)},
    ],
)
def test_predicted_rows_are_those_of_sqlite(changes: dict[str, object]) -> None:
    query = Query(BASE.table, BASE.text, BASE.number, BASE.rows, **changes)  # type: ignore[arg-type]
    assert run(query) == query.result


def test_every_turn_changes_the_query() -> None:
    for family in families():
        for seed in range(10):
            sampler = TaskSampler(Random(f"{family.name} {seed}"))
            answers = [e.answer for e in family.sample(sampler).exchanges if e.group != "talk"]
            assert all(one != other for one, other in pairwise(answers))


@pytest.mark.parametrize(
    ("noun", "plural"), [("city", "cities"), ("day", "days"), ("points", "points"), ("car", "cars")]
)
def test_nouns_are_put_into_the_plural(noun: str, plural: str) -> None:
    assert pluralize(noun) == plural
