"""Lexicon of plots and tables: names, numbers, titles and columns, drawn to be copied."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from train.demo.tasks.family import TaskSampler
from train.demo.tasks.load_yaml import load_table
from train.demo.tasks.phrasing import NOUNS, PEOPLE, SYLLABLES

THINGS = (
    "apples pears plums bananas cherries kiwis lemons oranges grapes melons cats dogs birds fish "
    "mice cows sheep goats red green blue yellow black white Monday Tuesday Wednesday Thursday "
    "Friday Saturday Sunday Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec north south east west "
    "Berlin Paris Rome Madrid Oslo London Vienna Prague Tokyo Lima Cairo Delhi tea coffee "
    "milk juice "
    "water cars buses trains bikes planes gold silver iron copper Python Java Rust Go C SQL"
    " A B C D "
    "rock pop jazz soul rent food travel books games sport small medium large low high math"
    " art music "
    "history alpha beta gamma delta Anna Ben Clara David Emma Felix Greta Hugo 2019 2020 "
    "2021 2022 2023 2024"
).split()
"""Short labels of all sorts."""
TITLES = (
    "Sales Fruit Results Scores Visitors Weather Animals Votes Growth Rain Output Speed Profit "
    "Costs Budget Income Points Orders Users Energy Population Exports Rainfall Temperature Marks "
    "Downloads Errors Runs Grades Goals Requests Latency Revenue Members Donations Harvest Books "
    "Tickets Calls Steps Sleep Traffic Stock Prices Wages Clients Benchmarks Accuracy Coverage"
).split()
TITLE_TAILS = (
    " per month| in 2023| by city| of the team| over time| this year| report| per day| by name"
    "| in percent| by country| last week| of our class| in Europe| per person| since 2019"
).split("|")
AXES = (
    "time day month year price count amount value score speed distance weight height age size "
    "hours temperature kg euros items Name Score Points City Year Month Sales People Grade "
    "Country Value Total Product Percent Minutes Team Language Model Goals Rank Cost Users"
).split()
COLORS = {
    "red": "#ff0000",
    "green": "#008000",
    "blue": "#0000ff",
    "orange": "#ffa500",
    "purple": "#800080",
    "black": "#000000",
    "gray": "#808080",
    "pink": "#ffc0cb",
    "brown": "#a52a2a",
    "teal": "#008080",
    "gold": "#ffd700",
    "navy": "#000080",
    "skyblue": "#87ceeb",
    "salmon": "#fa8072",
}
"""Colour names of matplotlib, and their hexadecimal values."""
ORDERED_LABELS = (
    "Mon Tue Wed Thu Fri Sat Sun",
    "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
    "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec",
    "January February March April May June July August September October November December",
    "Q1 Q2 Q3 Q4",
    "2014 2015 2016 2017 2018 2019 2020 2021 2022 2023 2024 2025",
    "A B C D E F G H",
    "first second third fourth fifth sixth",
)
"""Labels with a natural order."""
MAX_ITEMS = 7
"""Maximum items in the data of a question."""
NUMBER_FORMATS: tuple[Callable[[Random], str], ...] = (
    lambda rng: str(rng.randint(1, 9)),
    lambda rng: str(rng.randint(1, 99)),
    lambda rng: str(rng.randint(10, 99)),
    lambda rng: str(rng.randint(100, 999)),
    lambda rng: str(rng.randint(1, 50) * 10),
    lambda rng: str(rng.randint(1000, 9999)),
    lambda rng: f"{rng.uniform(0, 10):.1f}",
    lambda rng: f"{rng.uniform(0, 100):.1f}",
    lambda rng: f"{rng.uniform(0, 1):.2f}",
    lambda rng: f"{rng.uniform(1, 60):.2f}",
)
"""Formats of numbers; all numbers of a question have the same."""


def draw_count(rng: Random) -> int:
    """Draw the number of items in a question."""
    return rng.choice((3, 3, 4, 4, 4, 5, 5, 6, MAX_ITEMS))


def draw_numbers(rng: Random, many: int, *, negative: bool = False) -> tuple[str, ...]:
    """Draw numbers as they are typed; with `negative`, some may be below zero."""
    sort = rng.choice(NUMBER_FORMATS)
    found = [sort(rng) for _ in range(many)]
    if negative and rng.random() < 0.12:
        found = [f"-{text}" if rng.random() < 0.4 else text for text in found]
    return tuple(found)


def draw_names(rng: Random, many: int, *, single: bool = False) -> tuple[str, ...]:
    """Draw different labels of one sort: people, places, products, codes or invented words."""
    # Nearly a quarter are invented words: they can be copied but not remembered.
    kind = rng.random()
    if kind < 0.18:
        return tuple(rng.sample(list_people(), many))
    if kind < 0.36:
        sort = rng.choice(sorted(set(load_table("labels")) - {"phrases", "people"}))
        return tuple(rng.sample(load_table("labels")[sort], many))
    if kind < 0.48:
        run = rng.choice(
            [run.split() for run in ORDERED_LABELS if len(run.split()) >= many] or [THINGS[:12]]
        )
        start = rng.randint(0, len(run) - many)
        return tuple(run[start : start + many])
    if kind < 0.56 and not single:
        return tuple(rng.sample(load_table("labels")["phrases"], many))
    if kind < 0.62:
        letter = rng.choice("ABCDEFGHKLMNPRSTVXZ")
        return tuple(f"{letter}{n}" for n in rng.sample(range(1, 60), many))
    if kind < 0.7:
        return tuple(rng.sample(THINGS[:-6], many))
    if kind < 0.76:
        return _draw_versions(rng, many)
    title = rng.random() < 0.6
    found: list[str] = []
    while len(found) < many:
        name = invent_word(rng)
        name = name.title() if title else name
        if name not in found:
            found.append(name)
    return tuple(found)


def _draw_versions(rng: Random, many: int) -> tuple[str, ...]:
    """Draw names with a size or a version, like those of models and products."""
    word = invent_word(rng).title()
    found: list[str] = []
    while len(found) < many:
        word = word if rng.random() < 0.3 else invent_word(rng).title()
        tail = rng.choice(
            (f"{rng.randint(1, 90)}B", f"v{rng.randint(1, 9)}", str(rng.randint(2, 99)))
        )
        name = f"{word}-{tail}"
        if name not in found:
            found.append(name)
    return tuple(found)


def list_people() -> list[str]:
    """Return first names."""
    return sorted({*PEOPLE, *load_table("labels")["people"]})


def invent_word(rng: Random) -> str:
    """Invent a word from syllables."""
    kind = rng.random()
    word = "".join(rng.choices(SYLLABLES, k=rng.choice((2, 2, 3))))
    return word + rng.choice("nrslkmtx") if kind < 0.4 else word


def draw_title(rng: Random) -> str:
    """Draw a title of a plot."""
    kind = rng.random()
    if kind < 0.2:
        return rng.choice(TITLES)
    if kind < 0.5:
        return rng.choice(TITLES) + rng.choice(TITLE_TAILS)
    words = " ".join(
        rng.choice((rng.choice(NOUNS), rng.choice(TITLES).lower(), invent_word(rng)))
        for _ in range(rng.randint(1, 3))
    )
    kind = rng.random()
    return words.title() if kind < 0.4 else words[:1].upper() + words[1:] if kind < 0.8 else words


def draw_columns(rng: Random, many: int = 2) -> tuple[str, ...]:
    """Draw different lower-case names for the columns of a table."""
    first = "name city team product month country item day player model language kind".split()
    rest = "score value points price amount age sales count goals grade weight rank total".split()
    found = [rng.choice(first) if rng.random() < 0.8 else invent_word(rng)]
    while len(found) < many:
        word = rng.choice(rest) if rng.random() < 0.8 else invent_word(rng)
        if word not in found:
            found.append(word)
    return tuple(found)


def draw_color(sampler: TaskSampler) -> str:
    """Draw the name of a colour."""
    return sampler.rng.choice(sorted(COLORS))
