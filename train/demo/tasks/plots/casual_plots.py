"""Plots as they are asked for in passing: their looks, another kind, data told casually."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from train.demo.tasks import lexicon
from train.demo.tasks.data_formats import Texts
from train.demo.tasks.family import Check, Draw, Exchange, Family
from train.demo.tasks.load_yaml import table
from train.demo.tasks.phrasing import ask, with_article
from train.demo.tasks.plots.chart import Data
from train.demo.tasks.plots.drawing import AFTER, chart_of, opening
from train.demo.tasks.plots.looks import joint, single
from train.demo.tasks.plots.plot_changes import CHANGES, GROUP
from train.demo.tasks.plots.plot_kinds import KINDS, PAIRED, PIES
from train.demo.tasks.plots.styled_chart import (
    STYLED,
    Styled,
    again,
    exchange,
    says,
    settled,
    styled,
)

Step = Callable[[Draw, Styled], tuple[Styled, Exchange] | None]
CANNOT = (
    "I do not know how to change that. I can change the title, the labels, the colors, the size "
    "or the kind of the plot."
)
WHICH = {
    "title": "Which title? Say for example: call it Sales.",
    "color": "Which color? Say for example: make it red.",
    "label": "Which labels? Say for example: label the axes day and price.",
}
"""What is asked back."""
LONGEST = 5
TRIES = 40
"""Draws of a step that may not fit, before a conversation ends."""
LOOKED = (
    "bar bar bar barh line line line line marked step area pie percent curve curve scatter hist "
    "box grouped stacked lines sns_bar sns_line sns_scatter"
).split()
"""Kinds whose looks are changed, each as often as it is drawn."""
CHANGED = (
    "bar bar bar barh line line line pie pie percent area marked grouped grouped stacked lines"
)
TARGETS = {
    "bar": "bar bar bar barh line line pie pie_percent area step seaborn",
    "grouped": "grouped stacked stacked lines",
}
"""What one kind of data may become."""
SEABORN = {"bar": "sns_bar", "line": "sns_line"}
NAMES = {
    "bar": (("bars", "a bar chart", "a bar plot"), ("bars", "bar chart", "bar plot")),
    "barh": (("horizontal bars",), ("horizontal bars", "horizontal bar chart")),
    "line": (("a line", "a line chart", "a line plot"), ("line", "line chart", "line plot")),
    "pie": (("a pie", "a pie chart"), ("pie", "pie chart")),
    "percent": (
        ("a pie with percentages", "a pie chart in percent"),
        ("pie with percentages", "pie chart in percent"),
    ),
}
"""Kinds in users' words, with and without an article."""


def families() -> tuple[Family, ...]:
    """Looks, kinds, and casual data."""
    return (
        Family("later_plot_looks", "plots", _looks, 4.0),
        Family("later_plot_kinds", "plots", _kinds, 3.0),
        Family("later_plot_casual", "plots", _casual, 3.0),
    )


def follow(
    dice: Draw, chart: Styled, first: Exchange, steps: tuple[tuple[Step, float], ...], share: float
) -> tuple[Exchange, ...]:
    """The first exchange, one that follows of the first step's sort, and more in `share`."""
    exchanges = [first]
    ways, weights = [step for step, _ in steps], [weight for _, weight in steps]
    while len(exchanges) < LONGEST and (len(exchanges) == 1 or dice.chance(share)):
        for attempt in range(TRIES):
            fixed = len(exchanges) == 1 and attempt < TRIES // 2
            step = ways[0] if fixed else dice.rng.choices(ways, weights)[0]
            made = step(dice, chart)
            if made is not None:
                chart, found = made
                exchanges.append(found)
                break
        else:
            break
    return tuple(exchanges)


def older(dice: Draw, chart: Styled) -> tuple[Styled, Exchange] | None:
    """One of the changes that the first plots teach."""
    made = dice.rng.choice(CHANGES)(dice, chart)
    if made is None:
        return None
    after, found = made
    assert isinstance(after, Styled)
    after = settled(after)
    return after, again(after, found)


def beyond(dice: Draw, chart: Styled) -> tuple[Styled, Exchange]:
    """A change that nobody taught, or that does not say what to: said so, with a way on."""
    if dice.chance(0.4):
        name = dice.rng.choice(sorted(WHICH))
        question = ask(dice, dice.phrase(says(f"which_{name}")))
        return chart, Exchange(question, WHICH[name], Check(says=(f"Which {name}",)), GROUP)
    question = ask(dice, dice.phrase(says("beyond")))
    return chart, Exchange(question, CANNOT, Check(says=("do not know how",)), GROUP)


def kind(dice: Draw, chart: Styled) -> tuple[Styled, Exchange] | None:
    """Another kind in users' words; None where it does not fit."""
    grouped = chart.kind in ("grouped", "stacked", "lines")
    if chart.log or not (grouped or chart.kind in PAIRED):
        return None
    name = dice.rng.choice(TARGETS["grouped" if grouped else "bar"].split())
    if chart.kind == "pie":
        name = dice.rng.choice((name, "percent"))
    target = _target(chart, name)
    if not target or target == chart.kind:
        return None
    after = replace(chart, kind=target)
    if target in PIES:
        after = replace(after, xlabel="", ylabel="", color="", grid=False)
    if target not in ("bar", "line"):
        after = replace(after, grid=after.grid and target == "marked")
    after = settled(after)
    name = "upright" if (chart.kind, target) == ("barh", "bar") else name
    before = f"Here it is as {with_article(KINDS[target].called[0])}:"
    return after, exchange(after, ask(dice, dice.phrase(says(f"to_{name}"))), before, GROUP)


def _target(chart: Styled, name: str) -> str:
    """The kind that `name` means for this chart, "" where it cannot be drawn."""
    negative = any(float(value) < 0 for value in chart.data.values)
    if name == "seaborn":
        plain = not (chart.order or (chart.color and chart.kind == "bar"))
        return SEABORN.get(chart.kind, "") if plain else ""
    if name == "pie_percent":
        name = "percent" if chart.kind not in PIES else ""
    if name == "pie" and chart.kind == "percent":
        return ""
    return "" if negative and name in (*PIES, "area") else name


def _looks(dice: Draw) -> tuple[Exchange, ...]:
    name = dice.rng.choice([name for name in LOOKED if name in STYLED])
    chart, text = chart_of(dice, name, bins=name == "hist" and dice.chance(0.3))
    first = joint if dice.chance(0.3) else single
    steps = ((first, 3.0), (single, 3.0), (joint, 2.0), (older, 1.0), (kind, 0.5), (beyond, 0.9))
    return follow(dice, styled(chart), opening(dice, chart, text), steps, 0.55)


def _kinds(dice: Draw) -> tuple[Exchange, ...]:
    chart, text = chart_of(dice, dice.rng.choice(CHANGED.split()))
    if dice.chance(0.7):
        chart = replace(chart, color="")
    steps = ((kind, 7.0), (single, 1.5), (older, 1.5), (beyond, 0.9))
    return follow(dice, styled(chart), opening(dice, chart, text), steps, 0.6)


def _casual(dice: Draw) -> tuple[Exchange, ...]:
    form = dice.rng.choice((_story, _story, _headed, _short, _short, _heights))
    chart, question = form(dice)
    before = f"Here is {with_article(KINDS[chart.kind].called[0])} of your data:"
    first = exchange(chart, question, before, "plots", AFTER)
    if dice.chance(0.55):
        return (first,)
    first_step = dice.rng.choice((kind, single, older))
    steps = ((first_step, 1.0), (kind, 3.0), (single, 3.0), (joint, 1.0), (older, 3.0))
    return follow(dice, chart, first, steps, 0.4)


def _sort(dice: Draw, name: str, many: int) -> Texts:
    """Labels of a sort; runs in their order."""
    if name != "run":
        return tuple(dice.rng.sample(table("labels")[name], many))
    run = dice.rng.choice([run.split() for run in lexicon.RUNS[2:6] if len(run.split()) >= many])
    start = dice.rng.randint(0, len(run) - many)
    return tuple(run[start : start + many])


def _numbers(dice: Draw, many: int) -> Texts:
    while True:
        found = lexicon.numbers(dice.rng, many)
        if all(float(value) for value in found):
            return found


def _many(dice: Draw) -> int:
    return dice.rng.choice((2, 3, 3, 3, 4, 4, 5))


def _listed(dice: Draw, items: list[str]) -> str:
    return ", ".join(items[:-1]) + dice.rng.choice((" and ", " and ", ", ")) + items[-1]


def _asked(dice: Draw, sort: str, data: Data, text: str) -> tuple[Styled, str]:
    """The question with or without a kind: bars where none is named."""
    if dice.chance(0.4):
        template = dice.phrase(says(f"{sort}_plain"))
        return Styled("bar", data), ask(dice, template, data=text)
    name = dice.rng.choice(("bar", "bar", "pie", "pie", "pie", "line", "line", "barh", "percent"))
    chart = Styled(name, data)
    named, bare = (dice.rng.choice(names) for names in NAMES[name])
    template = dice.phrase(says(f"{sort}_kind")).replace("{name}", named).replace("{bare}", bare)
    if template.startswith(bare) and dice.chance(0.5):
        template = template[:1].upper() + template[1:]
    return chart, ask(dice, template, data=text)


def _story(dice: Draw) -> tuple[Styled, str]:
    start, item, sort = dice.phrase(says("stories")).split("|")
    many = _many(dice)
    names, values = _sort(dice, sort, many), _numbers(dice, many)
    while sort not in ("costs", "run") and any("." in value for value in values):
        values = _numbers(dice, many)
    items = [item.format(n=n, v=v) for n, v in zip(names, values, strict=True)]
    if dice.chance(0.5):  # said once, then left out: "8 visitors in Mon, 5 in Tue"
        middle = item.partition("{v} ")[2].partition("in {n}")[0]
        items = [items[0], *(text.replace(f" {middle}in ", " in ", 1) for text in items[1:])]
    return _asked(dice, "sentence", Data(names, values), f"{start} {_listed(dice, items)}")


def _headed(dice: Draw) -> tuple[Styled, str]:
    head, sort = dice.phrase(says("heads")).split("|")
    many = _many(dice)
    names, values = _sort(dice, sort, many), _numbers(dice, many)
    between = dice.rng.choice((" ", " ", "=", " = ", ": "))
    items = [f"{n}{between}{v}" for n, v in zip(names, values, strict=True)]
    return _asked(dice, "sentence", Data(names, values), f"{head} {', '.join(items)}")


def _short(dice: Draw) -> tuple[Styled, str]:
    """Bare pairs: `a=3 b=5`, `rent 800, food 300`."""
    many = _many(dice)
    if dice.chance(0.3):
        start = dice.rng.choice((0, 0, 0, dice.rng.randint(0, 20)))
        names: Texts = tuple("abcdefghijklmnopqrstuvwxyz"[start : start + many])
    else:
        names = lexicon.names(dice.rng, many)
    values = _numbers(dice, many)
    spaced = any(" " in name for name in names)
    between = dice.rng.choice((" ", " ", "=", ": ", ":"))
    if between == " " and any(name[-1:].isdigit() for name in names):
        between = "="
    apart = dice.rng.choice((", ", ", ", " ", "; ")) if not spaced else ", "
    if between == " " and apart == " " and not dice.chance(0.4):
        apart = ", "
    items = [f"{n}{between}{v}" for n, v in zip(names, values, strict=True)]
    return _asked(dice, "terse", Data(names, values), apart.join(items))


def _heights(dice: Draw) -> tuple[Styled, str]:
    """Names and numbers apart, as lists are."""
    many = _many(dice)
    names = tuple("abcdefgh"[:many]) if dice.chance(0.3) else lexicon.names(dice.rng, many)
    values = _numbers(dice, many)
    name = dice.rng.choice(("bar", "bar", "line", "pie"))
    listed = [_listed(dice, list(texts)) for texts in (names, values)]
    question = ask(dice, dice.phrase(says(f"heights_{name}")), names=listed[0], values=listed[1])
    return Styled(name, Data(names, values, listed=True)), question
