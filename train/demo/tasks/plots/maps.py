"""The world map that ships: countries of the question in the colours of the question."""

from __future__ import annotations

from dataclasses import dataclass

from train.demo.tasks import lexicon
from train.demo.tasks.data_formats import Texts, quoted, spoken
from train.demo.tasks.family import Draw, Exchange, Family
from train.demo.tasks.lexicon import COLORS
from train.demo.tasks.load_yaml import table
from train.demo.tasks.phrasing import ask
from train.demo.tasks.plots.chart import Wanted, program, showing, worth
from train.demo.tasks.plots.drawing import asks

IMPORTS = "import geopandas\nimport matplotlib.pyplot as plt"
WORLD = 'world = geopandas.read_file(geopandas.datasets.get_path("naturalearth_lowres"))'
GROUND = 'ax = world.plot(color="lightgray")'
AFTER = "The other countries are gray."
GROUP = "maps"
STORY = frozenset(("Germany", "Spain"))
"""Never trained together: they stand in the story's own question."""


@dataclass(frozen=True, slots=True)
class World:
    """A map: the countries of each colour."""

    painted: tuple[tuple[str, Texts], ...]
    title: str = ""
    size: Texts = ()

    @property
    def countries(self) -> Texts:
        """All that are coloured."""
        return tuple(name for _, names in self.painted for name in names)

    def exchange(self, question: str, before: str, group: str) -> Exchange:
        """The exchange that ends with this map."""
        colors = {COLORS[color]: list(names) for color, names in self.painted}
        wanted: Wanted = {"kind": "map", "title": self.title, "colors": colors}
        if self.size:
            wanted["size"] = worth(self.size)
        return showing(question, before, self.code, [wanted], AFTER, group)

    @property
    def code(self) -> str:
        """The program that draws it."""
        single = len(self.painted) == 1
        lists = [("countries" if single else color, color, names) for color, names in self.painted]
        made = "\n".join(f"{name} = {quoted(found)}" for name, _, found in lists)
        size = f", figsize=({', '.join(self.size)})" if self.size else ""
        ground = GROUND.removesuffix(")") + f"{size})"
        calls = [
            f'world[world["name"].isin({name})].plot(ax=ax, color="{color}")'
            for name, color, _ in lists
        ]
        texts = [f'plt.title("{self.title}")'] if self.title else []
        return program(IMPORTS, made, "\n".join([WORLD, ground, *calls, *texts, "plt.show()"]))


def families() -> tuple[Family, ...]:
    """One colour, and two."""
    return (Family("map_one", GROUP, _one, 1.6), Family("map_two", GROUP, _two, 0.8))


def drawn_countries(dice: Draw, many: int, others: Texts = ()) -> Texts:
    """Countries of the map beside `others`; never the story's two together."""
    while True:
        found = tuple(dice.rng.sample(table("labels")["mapped"], many))
        if not STORY.issubset((*found, *others)) and not set(found) & set(others):
            return found


def _told(dice: Draw, countries: tuple[str, ...]) -> str:
    ways = (spoken(countries), ", ".join(countries), spoken(countries), quoted(countries))
    return dice.rng.choice(ways)


def _one(dice: Draw) -> tuple[Exchange, ...]:
    countries = drawn_countries(dice, dice.rng.choice((1, 2, 2, 2, 3, 3, 4)))
    color = lexicon.color(dice)
    title = lexicon.title(dice.rng) if dice.chance(0.25) else ""
    template, slots = dice.phrase(asks("map")), {"l": _told(dice, countries), "c": color}
    if title:
        template += dice.phrase(asks("titled"))
        slots["t"] = title
    question = ask(dice, template, **slots)
    before = "Here is the map of the world:"
    exchanges = [World(((color, countries),), title).exchange(question, before, GROUP)]
    while dice.chance(0.4) and len(exchanges) < 4:
        kind = dice.rng.choice(("color", "title", "more"))
        if kind == "color":
            color = lexicon.color(dice)
            question = ask(dice, dice.phrase(asks("map_color")), c=color)
            before = f"Here it is in {color}:"
        elif kind == "title":
            title = lexicon.title(dice.rng)
            question = ask(dice, dice.phrase(asks("set_title")), t=title)
            before = "Here it is with that title:"
        else:
            (more,) = drawn_countries(dice, 1)
            if more in countries or STORY.issubset((*countries, more)):
                continue
            countries = (*countries, more)
            question = ask(dice, dice.phrase(asks("map_more")), n=more)
            before = f"Here it is with {more}:"
        world = World(((color, countries),), title)
        exchanges.append(world.exchange(question, before, f"follow-up {GROUP}"))
    return tuple(exchanges)


def _two(dice: Draw) -> tuple[Exchange, ...]:
    many = dice.rng.choice((2, 3, 4, 4, 5))
    countries = drawn_countries(dice, many)
    at = dice.rng.randint(1, many - 1)
    first, second = countries[:at], countries[at:]
    one, other = dice.rng.sample(sorted(COLORS), 2)
    template = dice.phrase(asks("map_two"))
    question = ask(dice, template, l=_told(dice, first), c=one, m=_told(dice, second), d=other)
    before = "Here is the map of the world in two colors:"
    return (World(((one, first), (other, second))).exchange(question, before, GROUP),)
