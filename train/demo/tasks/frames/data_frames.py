"""Pandas with the data of the question: sort, filter, group, add a column, plot."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from statistics import fmean

from train.demo.tasks import data_formats, lexicon
from train.demo.tasks.data_formats import Told, quoted
from train.demo.tasks.family import Check, Draw, Drawer, Exchange, Family, answer
from train.demo.tasks.lexicon import COLORS
from train.demo.tasks.phrasing import ask
from train.demo.tasks.plots.chart import Data, number, worth
from train.demo.tasks.plots.drawing import asks

GROUP = "data"
PANDAS = "import pandas as pd"
PLOTTED = "import matplotlib.pyplot as plt\nimport pandas as pd"
Probes = tuple[tuple[str, str], ...]
Made = tuple[str, str, Probes]
"""What is said before, the lines after the table, what must hold then."""


def families() -> tuple[Family, ...]:
    """One for each thing that is done with a table."""
    makers: dict[str, Callable[[Draw, Data], tuple[str, dict[str, object], Made]]] = {
        "frame_sort": _sort,
        "frame_filter": _filter,
        "frame_largest": _largest,
        "frame_mean": _mean,
        "frame_sum": _sum,
        "frame_add": _add_column,
    }
    single = [Family(name, GROUP, _drawer(name, maker), 1.6) for name, maker in makers.items()]
    return (
        *single,
        Family("frame_group_mean", GROUP, _grouped("mean"), 2.0),
        Family("frame_group_sum", GROUP, _grouped("sum"), 1.4),
        Family("frame_count", GROUP, _count, 1.4),
        Family("frame_plot", GROUP, _plot, 2.0),
        Family("frame_rows", GROUP, _rows, 2.0),
    )


def _pairs(dice: Draw) -> tuple[Data, Told]:
    rng = dice.rng
    many = lexicon.count(rng)
    names = lexicon.names(rng, many)
    sort = rng.choice(lexicon.NUMBERS)
    values: list[str] = []
    while len(values) < many:
        value = sort(rng)
        if all(number(value) != number(other) for other in values):
            values.append(value)
    heads = lexicon.columns(rng)
    text = data_formats.pairs(dice, names, tuple(values), heads)
    headed = text.block and heads[0] in text.text
    used = heads if headed else ("name", "value")
    return Data(names, tuple(values), columns=used, listed=text.listed), text


def _drawer(
    name: str, maker: Callable[[Draw, Data], tuple[str, dict[str, object], Made]]
) -> Drawer:
    def draw(dice: Draw) -> tuple[Exchange, ...]:
        data, text = _pairs(dice)
        more, slots, made = maker(dice, data)
        template = dice.phrase(asks(name)).replace("{col}", data.columns[1]) + more
        exchanges = [_made(data, data_formats.question(dice, template, text, **slots), made, GROUP)]
        if dice.chance(0.35):
            other = dice.rng.choice(sorted(set(FOLLOWING) - {name}))
            more, slots, made = FOLLOWING[other](dice, data)
            template = dice.phrase(asks(f"then_{other}")).replace("{col}", data.columns[1]) + more
            exchanges.append(_made(data, ask(dice, template, **slots), made, f"follow-up {GROUP}"))
        return tuple(exchanges)

    return draw


def _made(data: Data, question: str, made: Made, group: str) -> Exchange:
    before, lines, probes = made
    code = f"{PANDAS}\n\n{data.frame}\n\n{lines}"
    return Exchange(question, answer(before, code), Check(probes=probes, packages=True), group)


def _whole(data: Data) -> Probes:
    """The table must hold the data as they are."""
    first, second = data.columns
    return _column("df", first, data.names), _numbers("df", second, worth(data.values))


def _numbers(frame: str, column: str, values: Sequence[float]) -> tuple[str, str]:
    return f'[float(v) for v in {frame}["{column}"]]', repr([float(v) for v in values])


def _column(frame: str, column: str, names: tuple[str, ...] | list[str]) -> tuple[str, str]:
    return f'{frame}["{column}"].tolist()', quoted(names)


def _sort(dice: Draw, data: Data) -> tuple[str, dict[str, object], Made]:
    down = dice.chance(0.5)
    first, second = data.columns
    ordered = sorted(zip(worth(data.values), data.names, strict=True), reverse=down)
    lines = f'df = df.sort_values("{second}"{", ascending=False" if down else ""})\nprint(df)'
    probes = (
        _column("df", first, [name for _, name in ordered]),
        _numbers("df", second, [value for value, _ in ordered]),
    )
    more = (
        dice.rng.choice((", largest first", ", descending", " in descending order")) if down else ""
    )
    return more, {}, ("Use `sort_values`:", lines, probes)


def _filter(dice: Draw, data: Data) -> tuple[str, dict[str, object], Made]:
    first, second = data.columns
    border = sorted(data.values, key=number)[dice.rng.randrange(len(data.values) - 1)]
    both = zip(data.names, worth(data.values), strict=True)
    kept = [(name, value) for name, value in both if value > number(border)]
    probes = (
        _column("df", first, [name for name, _ in kept]),
        _numbers("df", second, [value for _, value in kept]),
    )
    lines = f'df = df[df["{second}"] > {border}]\nprint(df)'
    return "", {"k": border}, ("A condition picks the rows:", lines, probes)


def _largest(dice: Draw, data: Data) -> tuple[str, dict[str, object], Made]:
    first, second = data.columns
    name = max(zip(worth(data.values), data.names, strict=True))[1]
    lines = f'best = df.loc[df["{second}"].idxmax(), "{first}"]\nprint(best)'
    return "", {}, ("Use `idxmax`:", lines, (("str(best)", repr(name)), *_whole(data)))


def _mean(dice: Draw, data: Data) -> tuple[str, dict[str, object], Made]:
    value = round(fmean(worth(data.values)), 6)
    lines = f'mean = df["{data.columns[1]}"].mean()\nprint(mean)'
    return "", {}, ("Use `mean`:", lines, (("round(float(mean), 6)", repr(value)), *_whole(data)))


def _sum(dice: Draw, data: Data) -> tuple[str, dict[str, object], Made]:
    value = round(float(sum(worth(data.values))), 6)
    lines = f'total = df["{data.columns[1]}"].sum()\nprint(total)'
    return "", {}, ("Use `sum`:", lines, (("round(float(total), 6)", repr(value)), *_whole(data)))


def _add_column(dice: Draw, data: Data) -> tuple[str, dict[str, object], Made]:
    name = (
        lexicon.invented(dice.rng)
        if dice.chance(0.5)
        else dice.rng.choice(("double", "scaled", "total", "extra", "new", "tax"))
    )
    if name in data.columns:
        name = f"{name}_new"
    factor = dice.rng.choice(("2", "3", "5", "10", "100", "0.5", "1.5"))
    lines = f'df["{name}"] = df["{data.columns[1]}"] * {factor}\nprint(df)'
    products = [round(float(v * number(factor)), 6) for v in worth(data.values)]
    probe = (f'[round(float(v), 6) for v in df["{name}"]]', repr(products))
    return (
        "",
        {"n": name, "k": factor},
        ("Columns are multiplied as a whole:", lines, (probe, *_whole(data))),
    )


FOLLOWING: dict[str, Callable[[Draw, Data], tuple[str, dict[str, object], Made]]] = {
    "frame_sort": _sort,
    "frame_filter": _filter,
    "frame_largest": _largest,
    "frame_mean": _mean,
}
"""What may follow; adding up is kept for the score of unseen tasks."""


def _repeated(dice: Draw) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Labels that come more than once, each with a number."""
    rng = dice.rng
    few = lexicon.names(rng, rng.choice((2, 2, 3)), single=True)
    many = rng.randint(len(few) + 2, len(few) + 4)
    labels = [*few, *few[:1], *(rng.choice(few) for _ in range(many - len(few) - 1))]
    rng.shuffle(labels)
    return tuple(labels), lexicon.numbers(rng, many)


def _listed(dice: Draw, heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Told:
    """Rows as a table, as tuples or in a sentence; the columns are named in each."""
    if dice.chance(0.6):
        return Told(data_formats.table(dice, heads, rows), block=True)
    last = [f'("{row[0]}", {", ".join(row[1:])})' for row in rows]
    tuples = "[" + ", ".join(last) + "]"
    said = ", ".join(" ".join(row) for row in rows)
    columns = " and ".join(heads) if len(heads) == 2 else ", ".join(heads)
    return Told(f"{dice.rng.choice((tuples, said))} with the columns {columns}")


def _literal(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    made = ", ".join(f'("{row[0]}", {", ".join(row[1:])})' for row in rows)
    return f"rows = [{made}]\ndf = pd.DataFrame(rows, columns={quoted(heads)})"


def _grouped(how: str) -> Drawer:
    def draw(dice: Draw) -> tuple[Exchange, ...]:
        labels, values = _repeated(dice)
        heads = lexicon.columns(dice.rng)
        rows = list(zip(labels, values, strict=True))
        template = dice.phrase(asks(f"frame_group_{how}"))
        template = template.replace("{a}", heads[0]).replace("{b}", heads[1])
        question = data_formats.question(dice, template, _listed(dice, heads, rows))
        found = {label: [number(v) for n, v in rows if n == label] for label in labels}
        reduce = fmean if how == "mean" else sum
        expected = {label: round(float(reduce(of)), 6) for label, of in found.items()}
        lines = f'result = df.groupby("{heads[0]}")["{heads[1]}"].{how}()\nprint(result)'
        code = f"{PANDAS}\n\n{_literal(heads, rows)}\n\n{lines}"
        probe = ("{k: round(float(v), 6) for k, v in result.items()}", repr(expected))
        numbers = _numbers("df", heads[1], worth(values))
        check = Check(probes=(probe, _column("df", heads[0], labels), numbers), packages=True)
        before = f"Group by `{heads[0]}` and take the {how}:"
        return (Exchange(question, answer(before, code), check, GROUP),)

    return draw


def _count(dice: Draw) -> tuple[Exchange, ...]:
    labels, _ = _repeated(dice)
    ways = (", ".join(labels), quoted(labels), " ".join(labels))
    question = data_formats.question(
        dice, dice.phrase(asks("frame_count")), Told(dice.rng.choice(ways))
    )
    code = (
        f"{PANDAS}\n\nitems = {quoted(labels)}\n\n"
        "counts = pd.Series(items).value_counts()\nprint(counts)"
    )
    expected = {label: labels.count(label) for label in labels}
    check = Check(
        probes=(("{k: int(v) for k, v in counts.items()}", repr(expected)),), packages=True
    )
    return (Exchange(question, answer("Use `value_counts`:", code), check, GROUP),)


def _plot(dice: Draw) -> tuple[Exchange, ...]:
    data, text = _pairs(dice)
    first, second = data.columns
    kind = dice.rng.choice(("bar", "barh", "line"))
    called = {"bar": "bar chart", "barh": "horizontal bar chart", "line": "line plot"}[kind]
    template = dice.phrase(asks("frame_plot")).replace("{name}", called)
    color = lexicon.color(dice) if dice.chance(0.25) else ""
    slots: dict[str, object] = {}
    if color:
        template += dice.phrase(asks("colored"))
        slots["c"] = color
    argument = f', color="{color}"' if color else ""
    lines = f'df.plot(x="{first}", y="{second}", kind="{kind}"{argument})\nplt.show()'
    code = f"{PLOTTED}\n\n{data.frame}\n\n{lines}"
    names, values = list(data.names), worth(data.values)
    wanted: dict[str, object] = {
        "kind": "line" if kind == "line" else "bar",
        "labels": names,
        "series": [values],
        "legend": [second],
    }
    wanted |= {"flat": True} if kind == "barh" else {}
    wanted |= {"color": COLORS[color]} if color else {}
    question = data_formats.question(dice, template, text, **slots)
    check = Check(drawn=json.dumps([wanted]))
    return (Exchange(question, answer("pandas draws it with `plot`:", code), check, GROUP),)


def _rows(dice: Draw) -> tuple[Exchange, ...]:
    """A table of three columns."""
    rng = dice.rng
    many = rng.randint(3, 5)
    heads = lexicon.columns(rng, 3)
    rows = list(
        zip(
            lexicon.names(rng, many),
            lexicon.numbers(rng, many),
            lexicon.numbers(rng, many),
            strict=True,
        )
    )
    question = data_formats.question(
        dice, dice.phrase(asks("to_frame")), _listed(dice, heads, rows)
    )
    code = f"{PANDAS}\n\n{_literal(heads, rows)}\nprint(df)"
    columns = list(zip(*rows, strict=True))
    probes = [("list(df.columns)", quoted(heads)), _column("df", heads[0], columns[0])]
    for head, column in zip(heads[1:], columns[1:], strict=True):
        probes.append(_numbers("df", head, worth(column)))
    check = Check(probes=tuple(probes), packages=True)
    return (Exchange(question, answer("Here is the DataFrame:", code), check, GROUP),)
