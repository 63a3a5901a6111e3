"""The families of plots, one for each kind and some of two plots side by side."""

from __future__ import annotations

from collections.abc import Callable

from train.nano.dialogues import told, words
from train.nano.dialogues.family import Draw, Exchange, Family
from train.nano.dialogues.plots.changes import changes
from train.nano.dialogues.plots.chart import Data, Wanted, program, showing, worth
from train.nano.dialogues.plots.drawing import asks, chart_of, opening
from train.nano.dialogues.plots.kinds import KINDS, PLT, SEABORN
from train.nano.dialogues.told import Texts

Drawer = Callable[[Draw], tuple[Exchange, ...]]
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


def _two(dice: Draw) -> tuple[tuple[Data, Data], tuple[str, str], str]:
    """Two sets of pairs with a title each, and how they are told."""
    rng = dice.rng
    found: list[Data] = []
    texts: list[tuple[Texts, Texts]] = []
    titles: list[str] = []
    while len(found) < 2:
        many = rng.choice((2, 3, 3, 4))
        names, values = words.names(rng, many, single=True), words.numbers(rng, many)
        title = words.title(rng)
        if title not in titles:
            titles.append(title)
            found.append(Data(names, values))
            texts.append((names, values))
    style = rng.randrange(4)
    lines = []
    for title, (names, values) in zip(titles, texts, strict=True):
        both = list(zip(names, values, strict=True))
        listed = ", ".join(f"{n} {v}" if style == 0 else f"{n}: {v}" for n, v in both)
        if style == 3:
            listed = "{" + ", ".join(f'"{n}": {v}' for n, v in both) + "}"
        lines.append(f"{title}: {listed}" if style != 2 else f"{title}\n{listed}")
    joined = ("\n\n" if style == 2 else "\n").join(lines)
    return (found[0], found[1]), (titles[0], titles[1]), joined


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
    question = told.question(dice, template, told.Told(text, block=True))
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
    question = told.question(dice, template, told.Told(text, block=True))
    wanted = [_wanted("bar", titles[at], pair[at]) for at in (0, 1)]
    before = "Here are both bar plots with seaborn:"
    return (showing(question, before, code, wanted, "Each plot has its own axes.", "plots"),)
