"""Casual maps colour the countries of the question, by whatever name they are called."""

from __future__ import annotations

import json
from itertools import chain, pairwise

import pytest

from tests.train.demo.drawn_conversations import (
    draw_conversations,
    find_accepted,
    find_wrong_answers,
    iterate_exchanges,
)
from train.demo.tasks.family import Exchange
from train.demo.tasks.lexicon import COLORS
from train.demo.tasks.load_yaml import load_table
from train.demo.tasks.plots.casual_maps import DEFAULT_COLOR, OTHER_NAMES, families
from train.demo.tasks.plots.maps import BLOG_COUNTRIES

(FAMILY,) = families()
NAMES = {value: name for name, value in COLORS.items()}


def read_expectation(exchange: Exchange) -> dict[str, object]:
    (axes,) = json.loads(exchange.check.drawn)
    return dict(axes)


def read_countries(exchange: Exchange) -> dict[str, list[str]]:
    """Return the countries of each colour."""
    (axes,) = json.loads(exchange.check.drawn)
    return {NAMES[value]: names for value, names in axes["colors"].items()}


@pytest.mark.slow
def test_reference_answers_pass_their_checks() -> None:
    assert find_wrong_answers(iterate_exchanges(families(), 12)) == {}


@pytest.mark.slow
def test_the_map_of_the_turn_before_is_refused() -> None:
    altered = [
        (before.answer, after)
        for conversation in draw_conversations(FAMILY, 10)
        for before, after in pairwise(conversation)
        if before.check != after.check
    ]
    assert len(altered) > 5
    assert find_accepted(altered) == []


def test_countries_and_colour_are_those_of_the_question() -> None:
    for first, *_ in draw_conversations(FAMILY, 120):
        ((color, countries),) = read_countries(first).items()
        assert color == DEFAULT_COLOR or color in first.question
        for country in countries:
            names = (country, *OTHER_NAMES.get(country, ()))
            assert any(name.lower() in first.question.lower() for name in names)


def test_a_turn_changes_one_thing() -> None:
    subjects = set()
    for conversation in draw_conversations(FAMILY, 120):
        for before, after in pairwise(map(read_expectation, conversation)):
            changed = {name for name in after if after[name] != before.get(name)}
            assert len(changed) <= 1
            subjects |= changed
    assert subjects == {"title", "size", "colors"}


def test_countries_are_added_and_never_dropped() -> None:
    added = 0
    for conversation in draw_conversations(FAMILY, 120):
        for before, after in pairwise(map(read_countries, conversation)):
            had, has = ([*chain(*found.values())] for found in (before, after))
            assert has[: len(had)] == had
            added += len(has) > len(had)
            assert not set(has) >= BLOG_COUNTRIES
    assert added > 20


def test_other_names_are_of_countries_on_the_map() -> None:
    assert set(OTHER_NAMES) <= set(load_table("labels")["mapped"])


def test_where_agrees_with_the_number_of_countries() -> None:
    for first, *_ in draw_conversations(FAMILY, 300):
        (countries,) = read_countries(first).values()
        if "on a map" in first.question.lower() and "where" in first.question.lower():
            assert ("are " in first.question.lower()) == (len(countries) > 1)
