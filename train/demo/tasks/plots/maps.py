"""World maps with countries in the colours of the question."""

from __future__ import annotations

from dataclasses import dataclass

from train.demo.tasks import lexicon
from train.demo.tasks.data_formats import Texts, format_strings, join_words
from train.demo.tasks.family import Exchange, Family, TaskSampler
from train.demo.tasks.lexicon import COLORS
from train.demo.tasks.load_yaml import load_table
from train.demo.tasks.phrasing import phrase_question
from train.demo.tasks.plots.plot_questions import load_chart_phrasings
from train.demo.tasks.plots.plot_spec import (
    ExpectedAxes,
    build_plot_exchange,
    join_program,
    parse_numbers,
)

IMPORTS = "import geopandas\nimport matplotlib.pyplot as plt"
READ_WORLD = 'world = geopandas.read_file(geopandas.datasets.get_path("naturalearth_lowres"))'
BASE_MAP = 'ax = world.plot(color="lightgray")'
AFTER = "The other countries are gray."
GROUP = "maps"
BLOG_COUNTRIES = frozenset(("Germany", "Spain"))
"""Countries of the StarChat article's prompt, never trained together."""


@dataclass(frozen=True, slots=True)
class MapSpec:
    """Map with the countries of each colour."""

    painted: tuple[tuple[str, Texts], ...]
    title: str = ""
    size: Texts = ()

    @property
    def countries(self) -> Texts:
        """All coloured countries."""
        return tuple(name for _, names in self.painted for name in names)

    def build_exchange(self, question: str, before: str, group: str) -> Exchange:
        """Build the exchange whose answer is this map."""
        colors = {COLORS[color]: list(names) for color, names in self.painted}
        wanted: ExpectedAxes = {"kind": "map", "title": self.title, "colors": colors}
        if self.size:
            wanted["size"] = parse_numbers(self.size)
        return build_plot_exchange(question, before, self.code, [wanted], AFTER, group)

    @property
    def code(self) -> str:
        """Program that draws it."""
        single = len(self.painted) == 1
        lists = [("countries" if single else color, color, names) for color, names in self.painted]
        made = "\n".join(f"{name} = {format_strings(found)}" for name, _, found in lists)
        size = f", figsize=({', '.join(self.size)})" if self.size else ""
        ground = BASE_MAP.removesuffix(")") + f"{size})"
        calls = [
            f'world[world["name"].isin({name})].plot(ax=ax, color="{color}")'
            for name, color, _ in lists
        ]
        texts = [f'plt.title("{self.title}")'] if self.title else []
        return join_program(
            IMPORTS, made, "\n".join([READ_WORLD, ground, *calls, *texts, "plt.show()"])
        )


def families() -> tuple[Family, ...]:
    """Return the families with one and with two colours."""
    return (
        Family("map_one", GROUP, _draw_one_color, 1.6),
        Family("map_two", GROUP, _draw_two_colors, 0.8),
    )


def draw_countries(sampler: TaskSampler, many: int, others: Texts = ()) -> Texts:
    """Draw countries besides `others`, never both of `BLOG_COUNTRIES`."""
    while True:
        found = tuple(sampler.rng.sample(load_table("labels")["mapped"], many))
        # The article's prompt must stay unseen: it is one of the published tests.
        if not BLOG_COUNTRIES.issubset((*found, *others)) and not set(found) & set(others):
            return found


def _list_countries(sampler: TaskSampler, countries: tuple[str, ...]) -> str:
    ways = (
        join_words(countries),
        ", ".join(countries),
        join_words(countries),
        format_strings(countries),
    )
    return sampler.rng.choice(ways)


def _draw_one_color(sampler: TaskSampler) -> tuple[Exchange, ...]:
    countries = draw_countries(sampler, sampler.rng.choice((1, 2, 2, 2, 3, 3, 4)))
    color = lexicon.draw_color(sampler)
    title = lexicon.draw_title(sampler.rng) if sampler.chance(0.25) else ""
    template, slots = (
        sampler.choose_phrasing(load_chart_phrasings("map")),
        {"l": _list_countries(sampler, countries), "c": color},
    )
    if title:
        template += sampler.choose_phrasing(load_chart_phrasings("titled"))
        slots["t"] = title
    question = phrase_question(sampler, template, **slots)
    before = "Here is the map of the world:"
    exchanges = [MapSpec(((color, countries),), title).build_exchange(question, before, GROUP)]
    while sampler.chance(0.4) and len(exchanges) < 4:
        kind = sampler.rng.choice(("color", "title", "more"))
        if kind == "color":
            color = lexicon.draw_color(sampler)
            question = phrase_question(
                sampler, sampler.choose_phrasing(load_chart_phrasings("map_color")), c=color
            )
            before = f"Here it is in {color}:"
        elif kind == "title":
            title = lexicon.draw_title(sampler.rng)
            question = phrase_question(
                sampler, sampler.choose_phrasing(load_chart_phrasings("set_title")), t=title
            )
            before = "Here it is with that title:"
        else:
            (more,) = draw_countries(sampler, 1)
            if more in countries or BLOG_COUNTRIES.issubset((*countries, more)):
                continue
            countries = (*countries, more)
            question = phrase_question(
                sampler, sampler.choose_phrasing(load_chart_phrasings("map_more")), n=more
            )
            before = f"Here it is with {more}:"
        world = MapSpec(((color, countries),), title)
        exchanges.append(world.build_exchange(question, before, f"follow-up {GROUP}"))
    return tuple(exchanges)


def _draw_two_colors(sampler: TaskSampler) -> tuple[Exchange, ...]:
    many = sampler.rng.choice((2, 3, 4, 4, 5))
    countries = draw_countries(sampler, many)
    at = sampler.rng.randint(1, many - 1)
    first, second = countries[:at], countries[at:]
    one, other = sampler.rng.sample(sorted(COLORS), 2)
    template = sampler.choose_phrasing(load_chart_phrasings("map_two"))
    question = phrase_question(
        sampler,
        template,
        l=_list_countries(sampler, first),
        c=one,
        m=_list_countries(sampler, second),
        d=other,
    )
    before = "Here is the map of the world in two colors:"
    return (MapSpec(((one, first), (other, second))).build_exchange(question, before, GROUP),)
