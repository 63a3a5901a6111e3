"""World maps colour exactly the countries of the question."""

from __future__ import annotations

from random import Random

from train.demo.evaluation.check import check_answers
from train.demo.tasks.family import TaskSampler
from train.demo.tasks.plots.maps import BLOG_COUNTRIES, MapSpec, draw_countries

NORDIC = MapSpec((("red", ("Norway", "Sweden")), ("blue", ("Finland",))), title="North")


def check_map(shown: MapSpec, expected: MapSpec) -> str:
    answer = shown.build_exchange("", "Here it is:", "maps").answer
    return check_answers([(answer, expected.build_exchange("", "Here it is:", "maps").check)])[0]


def test_a_map_draws_what_it_expects() -> None:
    assert check_map(NORDIC, NORDIC) == ""
    assert NORDIC.countries == ("Norway", "Sweden", "Finland")


def test_one_country_less_is_another_map() -> None:
    fewer = MapSpec((("red", ("Norway",)), ("blue", ("Finland",))), title="North")
    assert check_map(fewer, NORDIC) != ""
    assert check_map(NORDIC, fewer) != ""


def test_the_countries_of_the_article_are_never_completed() -> None:
    (one, other) = sorted(BLOG_COUNTRIES)
    for seed in range(300):
        assert other not in draw_countries(TaskSampler(Random(seed)), 3, (one,))
