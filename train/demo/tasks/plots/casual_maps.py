"""World maps as they are asked for in passing, and what follows: a colour, a country, a title."""

from __future__ import annotations

from dataclasses import replace

from train.demo.tasks import lexicon
from train.demo.tasks.data_formats import Texts, spoken
from train.demo.tasks.family import Draw, Exchange, Family
from train.demo.tasks.phrasing import ask
from train.demo.tasks.plots.drawing import asks
from train.demo.tasks.plots.looks import BIGGER
from train.demo.tasks.plots.maps import GROUP, World, drawn_countries
from train.demo.tasks.plots.styled_chart import says

MARKED = "red"
"""The colour where nobody names one."""
ALSO = {
    "United States of America": ("USA", "the USA", "the US", "usa", "America"),
    "United Kingdom": ("UK", "the UK", "uk", "Great Britain"),
    "Netherlands": ("the Netherlands", "Holland"),
    "Philippines": ("the Philippines",),
}
"""What people call countries that the map calls otherwise."""


def families() -> tuple[Family, ...]:
    """One family of maps."""
    return (Family("later_map", GROUP, _map, 2.0),)


def _typed(dice: Draw, names: Texts) -> str:
    """Countries as people type them."""
    lower = dice.chance(0.25)
    listed = [dice.rng.choice((name, *ALSO.get(name, ()))) for name in names]
    listed = [name.lower() for name in listed] if lower else listed
    return spoken(listed) if dice.chance(0.75) else ", ".join(listed)


def _map(dice: Draw) -> tuple[Exchange, ...]:
    names = drawn_countries(dice, dice.rng.choice((1, 1, 1, 2, 2, 3)))
    marked = dice.chance(0.25)
    color = MARKED if marked else lexicon.color(dice)
    world = World(((color, names),))
    phrase = dice.phrase(says("map_marked" if marked else "map_casual"))
    if phrase == "where is {l} on a map" and len(names) > 1:
        phrase = "where are {l} on a map"
    question = ask(dice, phrase, l=_typed(dice, names), c=color)
    exchanges = [world.exchange(question, "Here is the map of the world:", GROUP)]
    while len(exchanges) < 4 and dice.chance(0.6):
        made = dice.rng.choice((_second, _second, _more, _recolor, _title, _bigger))(dice, world)
        if made is not None:
            world, question, before = made
            exchanges.append(world.exchange(question, before, f"follow-up {GROUP}"))
    return tuple(exchanges)


Made = tuple[World, str, str] | None


def _second(dice: Draw, world: World) -> Made:
    color = lexicon.color(dice)
    if len(world.painted) > 1 or color == world.painted[0][0]:
        return None
    names = drawn_countries(dice, dice.rng.choice((1, 1, 1, 2)), world.countries)
    question = ask(dice, dice.phrase(says("map_second")), l=_typed(dice, names), c=color)
    after = replace(world, painted=(*world.painted, (color, names)))
    return after, question, f"Here it is with {spoken(names)} in {color}:"


def _more(dice: Draw, world: World) -> Made:
    if len(world.painted) > 1:
        return None
    ((color, names),) = world.painted
    more = drawn_countries(dice, dice.rng.choice((1, 1, 2)), names)
    question = ask(dice, dice.phrase(says("map_add")), l=_typed(dice, more))
    return replace(world, painted=((color, (*names, *more)),)), question, _with(more)


def _with(names: Texts) -> str:
    return f"Here it is with {spoken(names)}:"


def _recolor(dice: Draw, world: World) -> Made:
    color = lexicon.color(dice)
    if len(world.painted) > 1 or color == world.painted[0][0]:
        return None
    question = ask(dice, dice.phrase(says("map_recolor")), c=color)
    painted = ((color, world.painted[0][1]),)
    return replace(world, painted=painted), question, f"Here it is in {color}:"


def _title(dice: Draw, world: World) -> Made:
    title = lexicon.title(dice.rng)
    phrases = says("title") if dice.chance(0.5) else asks("set_title")
    question = ask(dice, dice.phrase(phrases), t=title)
    return replace(world, title=title), question, "Here it is with that title:"


def _bigger(dice: Draw, world: World) -> Made:
    if world.size:
        return None
    question = ask(dice, dice.phrase(says("bigger" if dice.chance(0.5) else "bigger_do")))
    return replace(world, size=BIGGER), question, "Here it is in a larger figure:"
