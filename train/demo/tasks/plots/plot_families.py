"""The families of plots, one for each kind and some of two plots side by side."""

from __future__ import annotations

from train.demo.tasks import data_formats, lexicon
from train.demo.tasks.data_formats import Texts
from train.demo.tasks.family import Draw, Drawer, Exchange, Family
from train.demo.tasks.plots.chart import Data, Wanted, program, showing, worth
from train.demo.tasks.plots.drawing import asks, chart_of, opening
from train.demo.tasks.plots.plot_changes import changes
from train.demo.tasks.plots.plot_kinds import KINDS, PLT, SEABORN

WEIGHTS = {"bar": 6.0, "line": 4.0, "scatter": 3.0, "pie": 3.0, "hist": 3.0, "named": 4.0}
"""What people ask for most is drawn most."""
WEIGHT = 2.0


def families() -> tuple[Family, ...]:
    """Every family of plots."""
    single = [
        Family(f"plot_{kind}", "plots", _single(kind), WEIGHTS.get(kind, WEIGHT)) for kind in KINDS
    ]
    return (
        *single,
        Family("plot_hist_bins", "plots", _single("hist", bins=True), WEIGHT),
        Family("plot_log_bar", "plots", _single("bar", log=True), WEIGHT),
        Family("plot_log_line", "plots", _single("marked", log=True), WEIGHT),
        Family("plot_subplots", "plots", _pair, WEIGHT),
        Family("plot_sns_subplots", "plots", _seaborn_pair, WEIGHT + 1),
    )


def _single(kind: str, *, log: bool = False, bins: bool = False) -> Drawer:
    def draw(dice: Draw) -> tuple[Exchange, ...]:
        while True:
            chart, text = chart_of(dice, kind, log=log, bins=bins)
            if not log or all(float(value) > 0 for value in chart.data.values):
                return changes(dice, chart, opening(dice, chart, text))

    return draw


SIDES = {"bar": "bar", "line": "plot"}
FIRST, SECOND = "first", "second"


def _two(dice: Draw) -> tuple[tuple[Data, Data], tuple[str, str], data_formats.Told]:
    """Two sets of pairs with a title each, and how they are told."""
    rng = dice.rng
    first, second = lexicon.title(rng), lexicon.title(rng)
    while second == first:
        second = lexicon.title(rng)
    names = lexicon.names(rng, rng.choice((2, 3, 3, 4)), single=True)
    others = (
        names if dice.chance(0.5) else lexicon.names(rng, rng.choice((2, 3, 3, 4)), single=True)
    )
    pair = tuple(Data(n, lexicon.numbers(rng, len(n))) for n in (names, others))
    return (pair[0], pair[1]), (first, second), _told(dice, (first, second), pair)


def _told(dice: Draw, titles: Texts, pair: tuple[Data, ...]) -> data_formats.Told:
    """Two titles with pairs each: in lines, as a dict of dicts, or in a sentence."""
    style = dice.rng.choice(("spaces", "colons", "under", "dicts", "nested", "sentence"))
    between = " " if style == "spaces" else ": "
    both = [list(zip(data.names, data.values, strict=True)) for data in pair]
    listed = [", ".join(f"{name}{between}{value}" for name, value in found) for found in both]
    if style in ("dicts", "nested"):
        listed = [data.pairs.partition(" = ")[2] for data in pair]
    each = list(zip(titles, listed, strict=True))
    match style:
        case "nested":
            text = "{" + ", ".join(f'"{title}": {found}' for title, found in each) + "}"
            return data_formats.Told(text, block=dice.chance(0.5))
        case "sentence":
            return data_formats.Told("; ".join(f"{title}: {found}" for title, found in each))
        case "under":
            text = "\n\n".join(f"{title}\n{found}" for title, found in each)
            return data_formats.Told(text, block=True)
    return data_formats.Told("\n".join(f"{title}: {found}" for title, found in each), block=True)


def _wanted(kind: str, title: str, data: Data) -> Wanted:
    found = {"kind": kind, "title": title, "labels": list(data.names)}
    return {**found, "series": [worth(data.values)]}


def _literal(name: str, data: Data) -> str:
    return data.pairs.replace("data =", f"{name} =", 1)


def _pair(dice: Draw) -> tuple[Exchange, ...]:
    pair, titles, text = _two(dice)
    kind = dice.rng.choice(("bar", "bar", "line"))
    stacked = dice.chance(0.25)
    shape = "2, 1" if stacked else "1, 2"
    lines = [f"fig, axes = plt.subplots({shape})"]
    for at, name in enumerate((FIRST, SECOND)):
        lines.append(f"axes[{at}].{SIDES[kind]}(list({name}), list({name}.values()))")
        lines.append(f'axes[{at}].set_title("{titles[at]}")')
    made = "\n".join(_literal(name, data) for name, data in zip((FIRST, SECOND), pair, strict=True))
    code = program(PLT, made, "\n".join([*lines, "plt.show()"]))
    name = dice.rng.choice(
        ("bar charts", "bar plots") if kind == "bar" else ("line plots", "lines")
    )
    where = dice.rng.choice(
        ("above each other", "in two rows") if stacked else ("side by side", "next to each other")
    )
    template = dice.phrase(asks("two")).replace("{name}", name).replace("{where}", where)
    question = data_formats.question(dice, template, text)
    wanted = [_wanted(kind, titles[at], pair[at]) for at in (0, 1)]
    before = "Here are both plots in one figure:"
    return (showing(question, before, code, wanted, "Each plot has its own axes.", "plots"),)


def _seaborn_pair(dice: Draw) -> tuple[Exchange, ...]:
    pair, titles, text = _two(dice)
    talk = dice.chance(0.7)
    lines = ['sns.set_context("talk")'] if talk else []
    lines.append("fig, axes = plt.subplots(1, 2)")
    for at, name in enumerate((FIRST, SECOND)):
        call = f"x=list({name}), y=list({name}.values()), ax=axes[{at}]"
        lines += [f"sns.barplot({call})", f'axes[{at}].set_title("{titles[at]}")']
    made = "\n".join(_literal(name, data) for name, data in zip((FIRST, SECOND), pair, strict=True))
    imports = SEABORN.replace("import pandas as pd\n", "")
    code = program(imports, made, "\n".join([*lines, "plt.show()"]))
    template = dice.phrase(asks("two_seaborn"))
    if talk:
        template += dice.phrase(asks("talk"))
    question = data_formats.question(dice, template, text)
    wanted = [_wanted("bar", titles[at], pair[at]) for at in (0, 1)]
    before = "Here are both bar plots with seaborn:"
    return (showing(question, before, code, wanted, "Each plot has its own axes.", "plots"),)
