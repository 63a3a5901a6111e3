"""Labels and numbers stay in a question as they were drawn, in their order."""

from __future__ import annotations

import re
from random import Random

from train.demo.tasks import data_formats
from train.demo.tasks.family import TaskSampler

NAMES, VALUES = ("Tom", "New York", "Kim"), ("5", "7.50", "-3")


def in_order(text: str, parts: tuple[str, ...]) -> bool:
    at = 0
    for part in parts:
        at = text.find(part, at)
        if at < 0:
            return False
        at += len(part)
    return True


def test_pairs_are_written_verbatim_and_in_order() -> None:
    forms = set()
    for seed in range(400):
        text = data_formats.format_pairs(TaskSampler(Random(seed)), NAMES, VALUES)
        forms.add(re.sub(r"\d", "", text.text))
        assert in_order(text.text, NAMES)
        assert in_order(text.text, VALUES)
        if not text.listed:
            both = tuple(part for pair in zip(NAMES, VALUES, strict=True) for part in pair)
            assert in_order(text.text, both)
    assert len(forms) >= 25


def test_a_numeric_label_is_never_written_like_a_second_number() -> None:
    for seed in range(400):
        text = data_formats.format_pairs(TaskSampler(Random(seed)), ("2019", "2020"), ("5", "7"))
        assert not re.search(r"(^|\n|, |and )2019 5", text.text), text.text


def test_points_groups_and_values_are_written_in_order() -> None:
    for seed in range(200):
        sampler = TaskSampler(Random(seed))
        assert in_order(data_formats.format_values(sampler, VALUES).text, VALUES)
        groups = data_formats.format_groups(sampler, ("A1", "B2"), (("5", "6"), ("7", "8")))
        assert in_order(groups.text, ("A1", "5", "6", "B2", "7", "8"))
        points = data_formats.format_points(sampler, ("1", "2"), ("30", "40"))
        wanted = ("1", "2", "30", "40") if points.listed else ("1", "30", "2", "40")
        assert in_order(points.text, wanted)


def test_block_data_have_lines_of_their_own() -> None:
    block = data_formats.FormattedData("Tom: 5\nKim: 3", block=True)
    for seed in range(200):
        sampler = TaskSampler(Random(seed))
        question = data_formats.build_question(sampler, "Draw {data} please", block)
        lines = question.split("\n")
        assert "Tom: 5" in lines
        assert "Kim: 3" in lines


def test_separate_lists_are_marked_as_listed() -> None:
    sampler = TaskSampler(Random(1))
    assert data_formats.format_lists(sampler, ("a", "b"), ("1", "2")).listed
