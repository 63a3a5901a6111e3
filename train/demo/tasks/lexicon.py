"""What plots and tables are about: names, numbers, titles and columns, drawn to be copied."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from train.demo.tasks.family import Draw
from train.demo.tasks.load_yaml import table
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
"""Short labels of every sort."""
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
"""Names that matplotlib knows, and what it makes of them."""
RUNS = (
    "Mon Tue Wed Thu Fri Sat Sun",
    "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
    "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec",
    "January February March April May June July August September October November December",
    "Q1 Q2 Q3 Q4",
    "2014 2015 2016 2017 2018 2019 2020 2021 2022 2023 2024 2025",
    "A B C D E F G H",
    "first second third fourth fifth sixth",
)
"""Labels that come in their order."""
FEWEST, MOST = 3, 7
NUMBERS: tuple[Callable[[Random], str], ...] = (
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
"""Sorts of numbers, each as it is typed; the numbers of one question are of one sort."""


def count(rng: Random) -> int:
    """How many items a question has."""
    return rng.choice((3, 3, 4, 4, 4, 5, 5, 6, MOST))


def numbers(rng: Random, many: int, *, negative: bool = False) -> tuple[str, ...]:
    """Numbers as they are typed; with `negative`, now and then some are below zero."""
    sort = rng.choice(NUMBERS)
    found = [sort(rng) for _ in range(many)]
    if negative and rng.random() < 0.12:
        found = [f"-{text}" if rng.random() < 0.4 else text for text in found]
    return tuple(found)


def names(rng: Random, many: int, *, single: bool = False) -> tuple[str, ...]:
    """Different labels of one sort: people, places, products, runs, codes or invented words."""
    kind = rng.random()
    if kind < 0.18:
        return tuple(rng.sample(people(), many))
    if kind < 0.36:
        sort = rng.choice(sorted(set(table("labels")) - {"phrases", "people"}))
        return tuple(rng.sample(table("labels")[sort], many))
    if kind < 0.48:
        run = rng.choice([run.split() for run in RUNS if len(run.split()) >= many] or [THINGS[:12]])
        start = rng.randint(0, len(run) - many)
        return tuple(run[start : start + many])
    if kind < 0.56 and not single:
        return tuple(rng.sample(table("labels")["phrases"], many))
    if kind < 0.62:
        letter = rng.choice("ABCDEFGHKLMNPRSTVXZ")
        return tuple(f"{letter}{n}" for n in rng.sample(range(1, 60), many))
    if kind < 0.7:
        return tuple(rng.sample(THINGS[:-6], many))
    if kind < 0.76:
        return _versions(rng, many)
    title = rng.random() < 0.6
    found: list[str] = []
    while len(found) < many:
        name = invented(rng)
        name = name.title() if title else name
        if name not in found:
            found.append(name)
    return tuple(found)


def _versions(rng: Random, many: int) -> tuple[str, ...]:
    """Names with a size or a version behind them, like those of models and products."""
    word = invented(rng).title()
    found: list[str] = []
    while len(found) < many:
        word = word if rng.random() < 0.3 else invented(rng).title()
        tail = rng.choice(
            (f"{rng.randint(1, 90)}B", f"v{rng.randint(1, 9)}", str(rng.randint(2, 99)))
        )
        name = f"{word}-{tail}"
        if name not in found:
            found.append(name)
    return tuple(found)


def people() -> list[str]:
    """First names."""
    return sorted({*PEOPLE, *table("labels")["people"]})


def invented(rng: Random) -> str:
    """A word that nobody has seen."""
    kind = rng.random()
    word = "".join(rng.choices(SYLLABLES, k=rng.choice((2, 2, 3))))
    return word + rng.choice("nrslkmtx") if kind < 0.4 else word


def title(rng: Random) -> str:
    """What may stand over a plot."""
    kind = rng.random()
    if kind < 0.2:
        return rng.choice(TITLES)
    if kind < 0.5:
        return rng.choice(TITLES) + rng.choice(TITLE_TAILS)
    words = " ".join(
        rng.choice((rng.choice(NOUNS), rng.choice(TITLES).lower(), invented(rng)))
        for _ in range(rng.randint(1, 3))
    )
    kind = rng.random()
    return words.title() if kind < 0.4 else words[:1].upper() + words[1:] if kind < 0.8 else words


def columns(rng: Random, many: int = 2) -> tuple[str, ...]:
    """Names for the columns of a table, different and in lower case."""
    first = "name city team product month country item day player model language kind".split()
    rest = "score value points price amount age sales count goals grade weight rank total".split()
    found = [rng.choice(first) if rng.random() < 0.8 else invented(rng)]
    while len(found) < many:
        word = rng.choice(rest) if rng.random() < 0.8 else invented(rng)
        if word not in found:
            found.append(word)
    return tuple(found)


def color(dice: Draw) -> str:
    """The name of a colour."""
    return dice.rng.choice(sorted(COLORS))
