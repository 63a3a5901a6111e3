"""Answers to beginners repeat the names of their messages, and file programs read the files."""

from __future__ import annotations

import pytest

from tests.train.demo.drawn_conversations import (
    draw_conversations,
    find_accepted,
    find_wrong_answers,
    iterate_exchanges,
)
from train.demo.tasks.family import Family
from train.demo.tasks.load_yaml import load_table
from train.demo.tasks.programs.beginners import families

FAMILIES = {family.name: family for family in families()}
FILES = tuple(family for family in families() if family.group == "files")
ERRORS = tuple(family for name, family in FAMILIES.items() if name.startswith("error_"))


def test_reference_answers_pass_their_checks() -> None:
    assert find_wrong_answers(iterate_exchanges(families(), 6)) == {}


def test_there_is_a_family_for_each_entry_of_the_tables() -> None:
    for table, prefix in (("errors", "error"), ("differences", "or"), ("files", "file")):
        entries = set(load_table(table)) - {"asks"}
        assert {f"{prefix}_{entry}" for entry in entries} <= set(FAMILIES)


@pytest.mark.parametrize("family", ERRORS, ids=lambda family: family.name)
def test_names_in_an_explanation_stand_in_the_message(family: Family) -> None:
    for first, *_ in draw_conversations(family, 20):
        assert "Error: " in first.question
        (said,) = first.check.says
        assert said.lower() in first.answer.lower()
        assert all(name in first.question for name in said.split("`")[1::2])


def test_an_explanation_of_another_error_is_refused() -> None:
    firsts = [draw_conversations(family, 1)[0][0] for family in ERRORS]
    altered = [
        (other.answer, first)
        for first in firsts
        for other in firsts
        if other.answer != first.answer
    ]
    assert len(find_accepted(altered)) <= len(altered) // 20


def test_both_things_of_a_difference_are_in_the_question() -> None:
    for name, entry in load_table("differences").items():
        if name == "asks":
            continue
        for first, *_ in draw_conversations(FAMILIES[f"or_{name}"], 10):
            assert any(
                one in first.question and two in first.question for one, two in entry["pairs"]
            )
            assert entry["says"].lower() in first.answer.lower()


@pytest.mark.parametrize("family", FILES, ids=lambda family: family.name)
def test_a_program_about_another_file_is_refused(family: Family) -> None:
    altered = []
    for first, *_ in draw_conversations(family, 6):
        for name, _ in first.check.files:
            assert name in first.question
            altered.append((first.answer.replace(name, f"other_{name}"), first))
    assert find_accepted(altered) == []
