"""Draws the charts of each kind: data, texts, and the question that asks for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from train.demo.tasks import data_formats, lexicon
from train.demo.tasks.data_formats import Told
from train.demo.tasks.family import Draw, Exchange
from train.demo.tasks.load_yaml import asked
from train.demo.tasks.phrasing import with_article
from train.demo.tasks.plots.chart import Chart, Data, showing
from train.demo.tasks.plots.plot_kinds import KINDS, PAIRED, PIES, SEABORN_CALLS

SERIES = ("line", "marked", "dashed", "step", "area")
AFTER = "The data stand at the top, so you can change them."
LOG_AFTER = "The axis is logarithmic."


def asks(name: str) -> tuple[str, ...]:
    """The phrasings called `name` in data/charts.yaml; KeyError where there are none."""
    return asked("charts", name)


def called(dice: Draw, kind: str) -> str:
    """A name for a kind."""
    return dice.rng.choice(KINDS[kind].called)


def shown(chart: Chart, question: str, before: str, group: str, after: str = "") -> Exchange:
    """The exchange that ends with this chart."""
    kind = KINDS[chart.kind]
    return showing(question, before, kind.code(chart), kind.wanted(chart), after, group)


def chart_of(dice: Draw, kind: str, *, log: bool = False, bins: bool = False) -> tuple[Chart, Told]:
    """Data of a kind with the texts that it may have, and the data as they are told."""
    data, text = _data(dice, kind)
    chart = Chart(kind, data, log=log)
    if bins:
        chart = replace(chart, bins=dice.rng.randint(3, 12))
    if dice.chance(0.4):
        chart = replace(chart, title=lexicon.title(dice.rng))
    if KINDS[kind].labelled and dice.chance(0.2):
        x, y = _axes(dice)
        chart = replace(chart, xlabel=x, ylabel=y)
    if KINDS[kind].colored and dice.chance(0.2):
        chart = replace(chart, color=lexicon.color(dice))
    if kind in SEABORN_CALLS and dice.chance(0.4):
        chart = replace(chart, talk=True)
    return chart, text


def _axes(dice: Draw) -> tuple[str, str]:
    if dice.chance(0.6):
        x, y = dice.rng.sample(lexicon.AXES, 2)
        return x, y
    return lexicon.invented(dice.rng).title(), lexicon.title(dice.rng)


def opening(dice: Draw, chart: Chart, text: Told) -> Exchange:
    """The first question of a conversation and its answer."""
    template = dice.phrase(asks("draw")).replace("{name}", called(dice, chart.kind))
    slots: dict[str, object] = {}
    for present, name, values in (
        (chart.talk, "talk", {}),
        (chart.bins, "bins", {"n": chart.bins}),
        (chart.color, "colored", {"c": chart.color}),
        (chart.log, "log", {}),
        (chart.title, "titled", {"t": chart.title}),
        (chart.xlabel, "labelled", {"x": chart.xlabel, "y": chart.ylabel}),
    ):
        if present:
            template += dice.phrase(asks(name))
            slots |= values
    template += "?" if template.startswith(("Can", "How", "Could")) else dice.rng.choice(("", "."))
    name = KINDS[chart.kind].called[0]
    question = data_formats.question(dice, template, text, **slots)
    before = f"Here is {with_article(name)} of your data:"
    return shown(chart, question, before, "plots", LOG_AFTER if chart.log else AFTER)


def _data(dice: Draw, kind: str) -> tuple[Data, Told]:
    if kind in PAIRED or kind in SEABORN_CALLS:
        return _paired(dice, kind)
    return MAKERS[kind](dice)


def _paired(dice: Draw, kind: str) -> tuple[Data, Told]:
    rng = dice.rng
    many = lexicon.count(rng)
    names = lexicon.names(rng, many)
    negative = kind in ("bar", "line", "marked", "sns_bar", "sns_line")
    values = lexicon.numbers(rng, many, negative=negative)
    columns = lexicon.columns(rng) if dice.chance(0.5) else ("", "")
    text = data_formats.pairs(dice, names, values, columns)
    headed = all(columns) and text.block and columns[0] in text.text
    used = columns if headed else ("name", "value")
    if kind in ("area", *PIES) and not any(float(v) for v in values):
        return _paired(dice, kind)
    return Data(names, values, columns=used, listed=text.listed), text


def _points(dice: Draw) -> tuple[Data, Told]:
    rng = dice.rng
    many = lexicon.count(rng)
    values = lexicon.numbers(rng, many, negative=True)
    if dice.chance(0.4):
        start, step = rng.choice((0, 1, 1, 10, 2000, 2015)), rng.choice((1, 1, 2, 5))
        xs = tuple(str(start + step * at) for at in range(many))
    else:
        xs = lexicon.numbers(rng, many)
    text = data_formats.points(dice, xs, values)
    return Data(values=values, xs=xs, listed=text.listed), text


def _named(dice: Draw) -> tuple[Data, Told]:
    rng = dice.rng
    many = lexicon.count(rng)
    names = lexicon.names(rng, many)
    xs, ys = lexicon.numbers(rng, many), lexicon.numbers(rng, many)
    rows = list(zip(names, xs, ys, strict=True))
    kind = rng.random()
    if kind < 0.35:
        heads = lexicon.columns(rng, 3)
        text = Told(data_formats.table(dice, heads, rows, headed=dice.chance(0.8)), block=True)
    elif kind < 0.75:
        ways = (
            "{" + ", ".join(f'"{n}": ({x}, {y})' for n, x, y in rows) + "}",
            "{" + ", ".join(f"'{n}': [{x}, {y}]" for n, x, y in rows) + "}",
            ", ".join(f"{n} ({x}, {y})" for n, x, y in rows),
            "[" + ", ".join(f'("{n}", {x}, {y})' for n, x, y in rows) + "]",
            data_formats.spoken([f"{n} at ({x}, {y})" for n, x, y in rows]),
            ", ".join(f"{n}: {x}, {y}" for n, x, y in rows),
            "; ".join(f"{n} {x} {y}" for n, x, y in rows),
        )
        text = Told(rng.choice(ways))
    else:
        lines = (
            "\n".join(f"{n}: {x}, {y}" for n, x, y in rows),
            "\n".join(f"{n} {x} {y}" for n, x, y in rows),
            "\n".join(f"{n}: ({x}, {y})" for n, x, y in rows),
        )
        text = Told(rng.choice(lines), block=True)
    return Data(names, ys, xs), text


def _values(dice: Draw) -> tuple[Data, Told]:
    values = lexicon.numbers(dice.rng, dice.rng.randint(5, 12))
    return Data(values=values), data_formats.values(dice, values)


def _groups(dice: Draw) -> tuple[Data, Told]:
    rng = dice.rng
    keys = lexicon.names(rng, rng.choice((2, 2, 3)))
    rows = tuple(lexicon.numbers(rng, rng.randint(4, 6)) for _ in keys)
    return Data(keys=keys, rows=rows), data_formats.groups(dice, keys, rows)


def _series(dice: Draw) -> tuple[Data, Told]:
    """Names, and rows of as many numbers: the names first, then each row with its own name."""
    rng = dice.rng
    many = rng.choice((2, 3, 3, 3, 4, 4, 5))
    names = lexicon.names(rng, many, single=True)
    keys = tuple(key for key in lexicon.names(rng, 3, single=True) if key not in names)
    keys = (*keys, "total", "other")[: rng.choice((2, 2, 2, 3))]
    sort = rng.choice(lexicon.NUMBERS)
    rows = tuple(tuple(sort(rng) for _ in names) for _ in keys)
    lines = list(zip(keys, rows, strict=True))
    kind = rng.random()
    if kind < 0.3:
        table_rows = [(key, *row) for key, row in lines]
        text = Told(data_formats.table(dice, ("", *names), table_rows), block=True)
    elif kind < 0.65:
        text = Told(
            f"{rng.choice(('names', 'labels', 'groups', 'x'))}: {', '.join(names)}\n"
            + "\n".join(f"{key}: {', '.join(row)}" for key, row in lines),
            block=True,
        )
    else:
        head = rng.choice(("the labels ", "names ", ""))
        text = Told(
            f"{head}{data_formats.quoted(names)} with "
            + data_formats.spoken([f"{key} {data_formats.bare(row)}" for key, row in lines])
            if dice.chance(0.5)
            else f"{head}{', '.join(names)}; "
            + "; ".join(f"{key}: {', '.join(row)}" for key, row in lines)
        )
    return Data(names, keys=keys, rows=rows), text


MAKERS: dict[str, Callable[[Draw], tuple[Data, Told]]] = {
    "scatter": _points,
    "curve": _points,
    "named": _named,
    "hist": _values,
    "box": _values,
    "boxes": _groups,
    "grouped": _series,
    "stacked": _series,
    "lines": _series,
    "heat": _series,
    "sns_heat": _series,
}
