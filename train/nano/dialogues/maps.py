"""The world map that ships: countries of the question in the colours of the question."""

from __future__ import annotations

from train.nano.dialogues import words
from train.nano.dialogues.family import Draw, Exchange, Family
from train.nano.dialogues.phrasing import ask
from train.nano.dialogues.plots.chart import program, showing
from train.nano.dialogues.plots.drawing import asks
from train.nano.dialogues.tables import table
from train.nano.dialogues.told import quoted, spoken
from train.nano.dialogues.words import COLORS

IMPORTS = "import geopandas\nimport matplotlib.pyplot as plt"
WORLD = 'world = geopandas.read_file(geopandas.datasets.get_path("naturalearth_lowres"))'
GROUND = 'ax = world.plot(color="lightgray")'
GROUP = "maps"
STORY = frozenset(("Germany", "Spain"))
"""Never trained together: they stand in the story's own question."""


def families() -> tuple[Family, ...]:
    """One colour, and two."""
    return (Family("map_one", GROUP, _one, 1.6), Family("map_two", GROUP, _two, 0.8))


def _countries(dice: Draw, many: int) -> tuple[str, ...]:
    while True:
        found = tuple(dice.rng.sample(table("labels")["mapped"], many))
        if not STORY.issubset(found):
            return found


def _told(dice: Draw, countries: tuple[str, ...]) -> str:
    ways = (spoken(countries), ", ".join(countries), spoken(countries), quoted(countries))
    return dice.rng.choice(ways)


def _painted(name: str, color: str) -> str:
    return f'world[world["name"].isin({name})].plot(ax=ax, color="{color}")'


def _exchange(
    question: str, before: str, painted: dict[str, tuple[str, ...]], title: str, group: str
) -> Exchange:
    names = ["countries"] if len(painted) == 1 else list(painted)
    made = "\n".join(
        f"{name} = {quoted(found)}" for name, found in zip(names, painted.values(), strict=True)
    )
    calls = [_painted(name, color) for name, color in zip(names, painted, strict=True)]
    texts = [f'plt.title("{title}")'] if title else []
    code = program(IMPORTS, made, "\n".join([WORLD, GROUND, *calls, *texts, "plt.show()"]))
    colors = {COLORS[color]: list(found) for color, found in painted.items()}
    wanted = [{"kind": "map", "title": title, "colors": colors}]
    return showing(question, before, code, wanted, "The other countries are gray.", group)


def _one(dice: Draw) -> tuple[Exchange, ...]:
    countries = _countries(dice, dice.rng.choice((1, 2, 2, 2, 3, 3, 4)))
    color = words.color(dice)
    title = words.title(dice.rng) if dice.chance(0.25) else ""
    template, slots = dice.phrase(asks("map")), {"l": _told(dice, countries), "c": color}
    if title:
        template += dice.phrase(asks("titled"))
        slots["t"] = title
    question = ask(dice, template, **slots)
    before = "Here is the map of the world:"
    exchanges = [_exchange(question, before, {color: countries}, title, GROUP)]
    while dice.chance(0.4) and len(exchanges) < 4:
        kind = dice.rng.choice(("color", "title", "more"))
        if kind == "color":
            color = words.color(dice)
            question = ask(dice, dice.phrase(asks("map_color")), c=color)
            before = f"Here it is in {color}:"
        elif kind == "title":
            title = words.title(dice.rng)
            question = ask(dice, dice.phrase(asks("set_title")), t=title)
            before = "Here it is with that title:"
        else:
            (more,) = _countries(dice, 1)
            if more in countries or STORY.issubset((*countries, more)):
                continue
            countries = (*countries, more)
            question = ask(dice, dice.phrase(asks("map_more")), n=more)
            before = f"Here it is with {more}:"
        exchanges.append(
            _exchange(question, before, {color: countries}, title, f"follow-up {GROUP}")
        )
    return tuple(exchanges)


def _two(dice: Draw) -> tuple[Exchange, ...]:
    many = dice.rng.choice((2, 3, 4, 4, 5))
    countries = _countries(dice, many)
    at = dice.rng.randint(1, many - 1)
    first, second = countries[:at], countries[at:]
    one, other = dice.rng.sample(sorted(COLORS), 2)
    template = dice.phrase(asks("map_two"))
    question = ask(dice, template, l=_told(dice, first), c=one, m=_told(dice, second), d=other)
    before = "Here is the map of the world in two colors:"
    return (_exchange(question, before, {one: first, other: second}, "", GROUP),)
