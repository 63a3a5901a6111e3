"""Data in a question: every label and number stands there as it was drawn, in its order."""

from __future__ import annotations

import re
from random import Random

from train.demo.tasks import data_formats, lexicon
from train.demo.tasks.family import Draw
from train.demo.tasks.load_yaml import table
from train.demo.tasks.plots.drawing import asks

NAMES, VALUES = ("Tom", "New York", "Kim"), ("5", "7.50", "-3")


def in_order(text: str, parts: tuple[str, ...]) -> bool:
    at = 0
    for part in parts:
        at = text.find(part, at)
        if at < 0:
            return False
        at += len(part)
    return True


def test_pairs_are_told_verbatim_and_in_order() -> None:
    forms = set()
    for seed in range(400):
        text = data_formats.pairs(Draw(Random(seed)), NAMES, VALUES)
        forms.add(re.sub(r"\d", "", text.text))
        assert in_order(text.text, NAMES)
        assert in_order(text.text, VALUES)
        if not text.listed:
            both = tuple(part for pair in zip(NAMES, VALUES, strict=True) for part in pair)
            assert in_order(text.text, both)
    assert len(forms) >= 25


def test_a_label_of_digits_is_never_told_as_a_second_number() -> None:
    for seed in range(400):
        text = data_formats.pairs(Draw(Random(seed)), ("2019", "2020"), ("5", "7"))
        assert not re.search(r"(^|\n|, |and )2019 5", text.text), text.text


def test_points_groups_and_values_are_told_in_order() -> None:
    for seed in range(200):
        dice = Draw(Random(seed))
        assert in_order(data_formats.values(dice, VALUES).text, VALUES)
        groups = data_formats.groups(dice, ("A1", "B2"), (("5", "6"), ("7", "8")))
        assert in_order(groups.text, ("A1", "5", "6", "B2", "7", "8"))
        points = data_formats.points(dice, ("1", "2"), ("30", "40"))
        wanted = ("1", "2", "30", "40") if points.listed else ("1", "30", "2", "40")
        assert in_order(points.text, wanted)


def test_data_in_lines_stand_in_lines_of_their_own() -> None:
    block = data_formats.Told("Tom: 5\nKim: 3", block=True)
    for seed in range(200):
        dice = Draw(Random(seed))
        question = data_formats.question(dice, "Draw {data} please", block)
        lines = question.split("\n")
        assert "Tom: 5" in lines
        assert "Kim: 3" in lines


def test_names_are_different_and_drawn_widely() -> None:
    found = set()
    for seed in range(600):
        names = lexicon.names(Random(seed), 5)
        assert len(set(names)) == 5
        found.update(names)
    assert len(found) > 1200


def test_numbers_are_typed_so_that_python_reads_them() -> None:
    for seed in range(300):
        for text in lexicon.numbers(Random(seed), 4, negative=True):
            assert float(text) == eval(text)
            assert not re.match(r"-?0\d", text)


def test_no_template_lacks_what_it_must_say() -> None:
    slots = {"titled": "{t}", "colored": "{c}", "bins": "{n}", "draw": "{name}", "add": "{v}"}
    for name, slot in slots.items():
        assert all(slot in template for template in asks(name))
    data = {name for name in table("charts") if name.startswith(("to_", "frame_", "two"))}
    assert {"to_dict", "frame_sort", "two"} <= data
    assert all("{data}" in template for name in data for template in asks(name))
    assert all(len(set(asks(name))) == len(asks(name)) >= 6 for name in table("charts"))
