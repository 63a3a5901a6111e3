"""World maps in casual wording, and follow-ups: colour, countries, title, size."""

from __future__ import annotations

from dataclasses import replace

from train.demo.tasks import lexicon
from train.demo.tasks.data_formats import Texts, join_words
from train.demo.tasks.family import Exchange, Family, TaskSampler
from train.demo.tasks.phrasing import phrase_question
from train.demo.tasks.plots.maps import GROUP, MapSpec, draw_countries
from train.demo.tasks.plots.plot_questions import load_chart_phrasings
from train.demo.tasks.plots.style_changes import LARGE_SIZE
from train.demo.tasks.plots.styled_plot import load_style_phrasings

DEFAULT_COLOR = "red"
"""Colour if the question names none."""
OTHER_NAMES = {
    "United States of America": ("USA", "the USA", "the US", "usa", "America"),
    "United Kingdom": ("UK", "the UK", "uk", "Great Britain"),
    "Netherlands": ("the Netherlands", "Holland"),
    "Philippines": ("the Philippines",),
}
"""Common names of countries that the map names differently."""


def families() -> tuple[Family, ...]:
    """Return the family of casually requested maps."""
    return (Family("later_map", GROUP, _draw_map, 2.0, stage="finetune"),)


def _type_countries(sampler: TaskSampler, names: Texts) -> str:
    """Format countries as people type them."""
    lower = sampler.chance(0.25)
    listed = [sampler.rng.choice((name, *OTHER_NAMES.get(name, ()))) for name in names]
    listed = [name.lower() for name in listed] if lower else listed
    return join_words(listed) if sampler.chance(0.75) else ", ".join(listed)


def _draw_map(sampler: TaskSampler) -> tuple[Exchange, ...]:
    names = draw_countries(sampler, sampler.rng.choice((1, 1, 1, 2, 2, 3)))
    marked = sampler.chance(0.25)
    color = DEFAULT_COLOR if marked else lexicon.draw_color(sampler)
    world = MapSpec(((color, names),))
    phrase = sampler.choose_phrasing(load_style_phrasings("map_marked" if marked else "map_casual"))
    # The only phrasing whose verb depends on the number of countries.
    if phrase == "where is {l} on a map" and len(names) > 1:
        phrase = "where are {l} on a map"
    question = phrase_question(sampler, phrase, l=_type_countries(sampler, names), c=color)
    exchanges = [world.build_exchange(question, "Here is the map of the world:", GROUP)]
    while len(exchanges) < 4 and sampler.chance(0.6):
        change = sampler.rng.choice(
            (
                _add_second_color,
                _add_second_color,
                _add_countries,
                _change_color,
                _change_title,
                _enlarge_figure,
            )
        )(sampler, world)
        if change is not None:
            world, question, before = change
            exchanges.append(world.build_exchange(question, before, f"follow-up {GROUP}"))
    return tuple(exchanges)


MapChange = tuple[MapSpec, str, str] | None


def _add_second_color(sampler: TaskSampler, world: MapSpec) -> MapChange:
    color = lexicon.draw_color(sampler)
    if len(world.painted) > 1 or color == world.painted[0][0]:
        return None
    names = draw_countries(sampler, sampler.rng.choice((1, 1, 1, 2)), world.countries)
    question = phrase_question(
        sampler,
        sampler.choose_phrasing(load_style_phrasings("map_second")),
        l=_type_countries(sampler, names),
        c=color,
    )
    after = replace(world, painted=(*world.painted, (color, names)))
    return after, question, f"Here it is with {join_words(names)} in {color}:"


def _add_countries(sampler: TaskSampler, world: MapSpec) -> MapChange:
    if len(world.painted) > 1:
        return None
    ((color, names),) = world.painted
    more = draw_countries(sampler, sampler.rng.choice((1, 1, 2)), names)
    question = phrase_question(
        sampler,
        sampler.choose_phrasing(load_style_phrasings("map_add")),
        l=_type_countries(sampler, more),
    )
    return replace(world, painted=((color, (*names, *more)),)), question, _describe_countries(more)


def _describe_countries(names: Texts) -> str:
    return f"Here it is with {join_words(names)}:"


def _change_color(sampler: TaskSampler, world: MapSpec) -> MapChange:
    color = lexicon.draw_color(sampler)
    if len(world.painted) > 1 or color == world.painted[0][0]:
        return None
    question = phrase_question(
        sampler, sampler.choose_phrasing(load_style_phrasings("map_recolor")), c=color
    )
    painted = ((color, world.painted[0][1]),)
    return replace(world, painted=painted), question, f"Here it is in {color}:"


def _change_title(sampler: TaskSampler, world: MapSpec) -> MapChange:
    title = lexicon.draw_title(sampler.rng)
    phrases = (
        load_style_phrasings("title") if sampler.chance(0.5) else load_chart_phrasings("set_title")
    )
    question = phrase_question(sampler, sampler.choose_phrasing(phrases), t=title)
    return replace(world, title=title), question, "Here it is with that title:"


def _enlarge_figure(sampler: TaskSampler, world: MapSpec) -> MapChange:
    if world.size:
        return None
    question = phrase_question(
        sampler,
        sampler.choose_phrasing(
            load_style_phrasings("bigger" if sampler.chance(0.5) else "bigger_do")
        ),
    )
    return replace(world, size=LARGE_SIZE), question, "Here it is in a larger figure:"
