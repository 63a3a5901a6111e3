"""What people ask of a plot that they have: another title, colour, order, kind, one item more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from train.demo.tasks import lexicon
from train.demo.tasks.family import Draw, Exchange
from train.demo.tasks.functions.function_families import thanks
from train.demo.tasks.phrasing import ask, with_article
from train.demo.tasks.plots.chart import Chart
from train.demo.tasks.plots.drawing import asks, called, shown
from train.demo.tasks.plots.plot_kinds import KINDS, PAIRED, PIES

GROUP = "follow-up plots"
LONGEST = 5
"""Turns of a conversation at most."""
AGAIN = 0.45
"""The chance that one more turn follows."""
HELD_BACK = frozenset(("dashed", "donut"))
"""Kinds that follow from no other: they are kept for the score of unseen tasks."""
Change = Callable[[Draw, Chart], tuple[Chart, Exchange] | None]


def changes(dice: Draw, chart: Chart, first: Exchange) -> tuple[Exchange, ...]:
    """The first exchange and those that follow from it, each from the one before."""
    exchanges = [first]
    while dice.chance(AGAIN) and len(exchanges) < LONGEST:
        made = dice.rng.choice(CHANGES)(dice, chart)
        if made is not None:
            chart, exchange = made
            exchanges.append(exchange)
    if len(exchanges) < LONGEST and dice.chance(0.05):
        exchanges.append(thanks(dice))
    return tuple(exchanges)


def _changed(
    dice: Draw, after: Chart, name: str, before: str, **slots: object
) -> tuple[Chart, Exchange]:
    return after, shown(after, ask(dice, dice.phrase(asks(name)), **slots), before, GROUP)


def _title(dice: Draw, chart: Chart) -> tuple[Chart, Exchange] | None:
    after = replace(chart, title=lexicon.title(dice.rng))
    return _changed(dice, after, "set_title", "Here it is with that title:", t=after.title)


def _labels(dice: Draw, chart: Chart) -> tuple[Chart, Exchange] | None:
    if not KINDS[chart.kind].labelled:
        return None
    x, y = dice.rng.sample(lexicon.AXES, 2)
    kind = dice.rng.random()
    if kind < 0.4:
        after = replace(chart, ylabel=y)
        return _changed(dice, after, "set_ylabel", "Here it is with a y label:", y=y)
    if kind < 0.55:
        after = replace(chart, xlabel=x)
        return _changed(dice, after, "set_xlabel", "Here it is with an x label:", x=x)
    after = replace(chart, xlabel=x, ylabel=y)
    return _changed(dice, after, "set_labels", "Here it is with axis labels:", x=x, y=y)


def _color(dice: Draw, chart: Chart) -> tuple[Chart, Exchange] | None:
    if not KINDS[chart.kind].colored:
        return None
    color = lexicon.color(dice)
    if color == chart.color:
        return None
    after = replace(chart, color=color)
    name = "set_bars" if chart.kind in ("bar", "barh", "hist") else "set_color"
    return _changed(dice, after, name, f"Here it is in {color}:", c=color)


def _log(dice: Draw, chart: Chart) -> tuple[Chart, Exchange] | None:
    positive = all(float(value) > 0 for value in chart.data.values)
    if chart.log or not positive or chart.kind not in ("bar", "barh", "line", "marked", "scatter"):
        return None
    after = replace(chart, log=True)
    return _changed(dice, after, "set_log", "Here it is with a logarithmic axis:")


def _grid(dice: Draw, chart: Chart) -> tuple[Chart, Exchange] | None:
    if chart.grid or chart.kind not in ("bar", "line", "marked", "scatter", "curve", "named"):
        return None
    return _changed(dice, replace(chart, grid=True), "set_grid", "Here it is with a grid:")


def _kind(dice: Draw, chart: Chart) -> tuple[Chart, Exchange] | None:
    if chart.kind not in PAIRED or chart.log:
        return None
    flat = chart.kind == "bar" and dice.chance(0.3)
    kind = "barh" if flat else dice.rng.choice(sorted(set(PAIRED) - HELD_BACK - {chart.kind}))
    if kind in (*PIES, "area") and any(float(value) < 0 for value in chart.data.values):
        return None
    after = replace(chart, kind=kind)
    if kind in PIES:
        after = replace(after, xlabel="", ylabel="", color="", grid=False)
    if flat:
        return _changed(dice, after, "set_flat", "Here it is with horizontal bars:")
    before = f"Here it is as {with_article(KINDS[kind].called[0])}:"
    template = dice.phrase(asks("set_kind")).replace("{name}", called(dice, kind))
    return after, shown(after, ask(dice, template.replace("{a}", "a")), before, GROUP)


def _sort(dice: Draw, chart: Chart) -> tuple[Chart, Exchange] | None:
    values = [float(value) for value in chart.data.values]
    tied = len(set(values)) < len(values)
    if chart.kind not in PAIRED or chart.data.listed or chart.order or tied:
        return None
    order = dice.rng.choice(("up", "down"))
    after = replace(chart, order=order)
    how = "ascending" if order == "up" else "descending"
    return _changed(dice, after, f"sort_{order}", f"Here it is in {how} order:")


def _add(dice: Draw, chart: Chart) -> tuple[Chart, Exchange] | None:
    data = chart.data
    if chart.kind not in PAIRED or data.listed or len(data.names) >= lexicon.MOST:
        return None
    name = dice.rng.choice((*lexicon.names(dice.rng, 3), dice.rng.choice(lexicon.people())))
    value = lexicon.numbers(dice.rng, 1)[0] if dice.chance(0.3) else _alike(dice, data.values[0])
    if name in data.names or (chart.order and float(value) in map(float, data.values)):
        return None
    names, values = (*data.names, name), (*data.values, value)
    after = replace(chart, data=replace(data, names=names, values=values))
    return _changed(dice, after, "add", f"Here it is with {name}:", n=name, v=value)


def _alike(dice: Draw, value: str) -> str:
    """A number typed like another: as many digits, as many after the point."""
    digits = [dice.rng.choice("123456789") if c.isdigit() else c for c in value.lstrip("-")]
    return "".join(digits)


def _replace(dice: Draw, chart: Chart) -> tuple[Chart, Exchange] | None:
    data = chart.data
    if chart.kind not in PAIRED or data.listed or chart.order:
        return None
    at = dice.rng.randrange(len(data.names))
    value = _alike(dice, data.values[at])
    values = (*data.values[:at], value, *data.values[at + 1 :])
    after = replace(chart, data=replace(data, values=values))
    name = data.names[at]
    return _changed(dice, after, "set_value", f"Here it is with {value}:", n=name, v=value)


def _bins(dice: Draw, chart: Chart) -> tuple[Chart, Exchange] | None:
    if chart.kind != "hist":
        return None
    after = replace(chart, bins=dice.rng.randint(3, 15))
    return _changed(dice, after, "set_bins", f"Here it is with {after.bins} bins:", n=after.bins)


CHANGES: tuple[Change, ...] = (
    *(_title, _title, _labels, _labels, _color, _color, _log, _grid, _kind, _kind),
    *(_sort, _add, _add, _replace, _bins),
)
