"""Shares with intervals, by side, kind and turn; pairs of two models."""

from __future__ import annotations

import pytest

from train.demo.evaluation.statistics import (
    Mark,
    build_table,
    compare_pairs,
    compute_wilson_interval,
    summarize_marks,
)

MARKS = (
    Mark("values", "lists", 1, True, False, False),
    Mark("values", "follow-up", 2, False, True, False),
    Mark("phrasing", "follow-up plots", 2, True, False, True),
    Mark("family", "maps", 1, False, False, False),
    Mark("twenty", "twenty", 1, True, False, False),
)


@pytest.mark.parametrize(
    ("right", "count", "low", "high"),
    [(0, 10, 0.0, 0.278), (10, 10, 0.722, 1.0), (50, 100, 0.404, 0.596), (0, 0, 0.0, 1.0)],
)
def test_intervals_are_wilsons(right: int, count: int, low: float, high: float) -> None:
    assert compute_wilson_interval(right, count) == pytest.approx((low, high), abs=0.001)


def test_nothing_asked_has_no_share() -> None:
    assert summarize_marks([])["share"] is None


def test_marks_are_counted_by_side_and_across_the_known_families() -> None:
    found = build_table(MARKS)
    assert found["values"]["all"]["right"] == 1
    assert found["values"]["cut off"]["right"] == 1
    assert found["phrasing"]["ran on"]["right"] == 1
    known = {name: (each["right"], each["asked"]) for name, each in found["known"].items()}
    assert known == {
        "all": (2, 3),
        "cut off": (1, 3),
        "ran on": (1, 3),
        "later turns": (1, 2),
        "functions": (1, 1),
        "changes": (0, 1),
        "plots": (1, 1),
    }
    assert found["family"]["plots"]["asked"] == 1
    assert found["marks"] == {"values": "10", "phrasing": "1", "family": "0", "twenty": "1"}


def test_only_questions_that_one_model_got_right_count() -> None:
    found = compare_pairs({"values": "1100", "twenty": "1"}, {"values": "1010", "twenty": "0"})
    assert found["pairs"] == 5
    assert (found["won"]["right"], found["won"]["asked"]) == (2, 3)


def test_a_comparison_needs_the_same_questions() -> None:
    with pytest.raises(ValueError, match="argument"):
        compare_pairs({"values": "11"}, {"values": "1"})
