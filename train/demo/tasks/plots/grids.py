"""Tables of numbers: heat maps of a matrix, and several series told in more ways."""

from __future__ import annotations

from dataclasses import replace

from train.demo.tasks import data_formats, lexicon
from train.demo.tasks.data_formats import Texts, Told, bare, spoken
from train.demo.tasks.family import Draw, Exchange, Family
from train.demo.tasks.load_yaml import table
from train.demo.tasks.phrasing import ask, with_article
from train.demo.tasks.plots.casual_plots import follow, kind, older
from train.demo.tasks.plots.chart import Data
from train.demo.tasks.plots.drawing import AFTER, called
from train.demo.tasks.plots.looks import joint, labelled, single, titled, wished
from train.demo.tasks.plots.plot_changes import GROUP
from train.demo.tasks.plots.plot_kinds import KINDS
from train.demo.tasks.plots.styled_chart import Styled, exchange, says

HEADS = ("year", "month", "day", "name", "label", "quarter", "x")
"""What stands over the labels of a table whose columns are the series."""


def families() -> tuple[Family, ...]:
    """A matrix, and groups."""
    return (
        Family("later_plot_matrix", "plots", _matrix, 2.0),
        Family("later_plot_told", "plots", _told, 2.0),
    )


def _matrix(dice: Draw) -> tuple[Exchange, ...]:
    high, wide = dice.rng.choice((2, 2, 3, 3, 4)), dice.rng.choice((2, 2, 3, 3, 4, 5))
    sort = dice.rng.choice(lexicon.NUMBERS)
    rows = tuple(tuple(sort(dice.rng) for _ in range(wide)) for _ in range(high))
    chart = Styled("matrix", Data(rows=rows))
    if dice.chance(0.2):
        chart = replace(chart, kind="sns_matrix")
    template = dice.phrase(says("matrix"))
    slots: dict[str, object] = {}
    if chart.kind == "sns_matrix":
        template += dice.rng.choice((" with seaborn", " using seaborn", ", use seaborn"))
    if dice.chance(0.2):
        chart = titled(dice, chart).after
        template += dice.rng.choice((' with the title "{t}"', ", title {t}", " and call it {t}"))
        slots = {"t": chart.title}
    template += "?" if template.startswith(("Can", "How")) else dice.rng.choice(("", "."))
    question = data_formats.question(dice, template, _rows(dice, rows), **slots)
    before = "Here is a heat map of your matrix:"
    first = exchange(chart, question, before, "plots", AFTER)
    if dice.chance(0.25):
        return (first,)
    steps = ((_numbers, 3.0), (_seaborn, 2.0), (_titled, 2.0), (_labelled, 2.0), (single, 2.0))
    start = dice.rng.choice([step for step, _ in steps])
    return follow(dice, chart, first, ((start, 0.5), *steps, (joint, 0.5)), 0.5)


def _rows(dice: Draw, rows: tuple[Texts, ...]) -> Told:
    literal = bare([bare(row) for row in rows])
    inline = (
        literal,
        literal,
        literal.replace(" ", ""),
        " / ".join(" ".join(row) for row in rows),
        "; ".join(" ".join(row) for row in rows),
        ";".join(",".join(row) for row in rows),
        " and ".join(bare(row) for row in rows),
        "; ".join(", ".join(row) for row in rows),
    )
    if dice.chance(0.6):
        text = dice.rng.choice(inline)
        head = "the matrix " if dice.chance(0.1) else ""
        return Told(head + text)
    blocks = (
        "\n".join(" ".join(row) for row in rows),
        "\n".join(" ".join(row) for row in rows),
        "\n".join(",".join(row) for row in rows),
        "\n".join(", ".join(row) for row in rows),
        "\n".join(bare(row) for row in rows),
        "[" + ",\n ".join(bare(row) for row in rows) + "]",
        "\n".join("\t".join(row) for row in rows),
        f"grid = {literal}",
    )
    return Told(dice.rng.choice(blocks), block=True)


def _numbers(dice: Draw, chart: Styled) -> tuple[Styled, Exchange] | None:
    if chart.written or chart.kind == "sns_matrix":
        return None
    after = replace(chart, written=True)
    question = ask(dice, dice.phrase(says("numbers")))
    return after, exchange(after, question, "Here it is with the numbers in the cells:", GROUP)


def _seaborn(dice: Draw, chart: Styled) -> tuple[Styled, Exchange] | None:
    if chart.kind == "sns_matrix":
        return None
    after = replace(chart, kind="sns_matrix")
    question = ask(dice, dice.phrase(says("to_seaborn")))
    return after, exchange(after, question, "Here it is with seaborn:", GROUP)


def _titled(dice: Draw, chart: Styled) -> tuple[Styled, Exchange]:
    return wished(dice, titled(dice, chart))


def _labelled(dice: Draw, chart: Styled) -> tuple[Styled, Exchange]:
    return wished(dice, labelled(dice, chart))


def _told(dice: Draw) -> tuple[Exchange, ...]:
    names = _names(dice)
    keys = _keys(dice, names)
    sort = dice.rng.choice(lexicon.NUMBERS)
    rows = tuple(tuple(sort(dice.rng) for _ in names) for _ in keys)
    name = dice.rng.choice(("grouped", "grouped", "stacked", "lines"))
    chart = Styled(name, Data(names, keys=keys, rows=rows))
    text = dice.rng.choice((_by_name, _by_name, _in_brackets, _by_key, _by_key, _table, _table))(
        dice, chart.data
    )
    template = dice.phrase(says("told")).replace("{name}", called(dice, name))
    slots: dict[str, object] = {}
    if dice.chance(0.25) and not template.endswith("?"):
        chart = titled(dice, chart).after
        template += dice.rng.choice((' with the title "{t}"', ", title {t}", " and call it {t}"))
        slots = {"t": chart.title}
    question = data_formats.question(dice, template, text, **slots)
    before = f"Here is {with_article(KINDS[name].called[0])} of your data:"
    first = exchange(chart, question, before, "plots", AFTER)
    if dice.chance(0.5):
        return (first,)
    start = dice.rng.choice((kind, single, older))
    steps = ((start, 1.0), (kind, 3.0), (single, 3.0), (older, 1.5))
    return follow(dice, chart, first, steps, 0.4)


def _names(dice: Draw) -> Texts:
    many = dice.rng.choice((2, 2, 3, 3, 4))
    if dice.chance(0.3):
        return lexicon.names(dice.rng, many, single=True)
    run = dice.rng.choice([run.split() for run in lexicon.RUNS if len(run.split()) >= many])
    start = dice.rng.randint(0, len(run) - many)
    return tuple(run[start : start + many])


def _keys(dice: Draw, names: Texts) -> Texts:
    sort = dice.rng.choice(("food", "food", "animals", "goods", "costs", "people", "subjects"))
    labels = [label for label in table("labels")[sort] if label not in names]
    return tuple(dice.rng.sample(labels, dice.rng.choice((2, 2, 2, 3))))


def _columns(data: Data) -> list[tuple[str, Texts]]:
    """For each label the numbers of all series."""
    return list(zip(data.names, zip(*data.rows, strict=True), strict=True))


def _word(dice: Draw, data: Data) -> str:
    days = lexicon.RUNS[0].split()
    return "on" if data.names[0][:3] in days else dice.rng.choice(("in", "in", "for"))


def _by_name(dice: Draw, data: Data) -> Told:
    """`2020: apples 3, pears 5; 2021: apples 6, pears 2`."""
    between = dice.rng.choice((" ", " ", "=", " = "))
    listed = [
        f"{name}: " + ", ".join(f"{k}{between}{v}" for k, v in zip(data.keys, column, strict=True))
        for name, column in _columns(data)
    ]
    if dice.chance(0.6):
        return Told("; ".join(listed))
    return Told("\n".join(listed), block=True)


def _in_brackets(dice: Draw, data: Data) -> Told:
    """`apples and pears in 2020 (3, 5) and 2021 (6, 2)`."""
    inside = [f"{name} ({', '.join(column)})" for name, column in _columns(data)]
    return Told(f"{spoken(data.keys)} {_word(dice, data)} {spoken(inside)}")


def _by_key(dice: Draw, data: Data) -> Told:
    """`apples 3 in 2020 and 6 in 2021, pears 5 and 2`."""
    word = _word(dice, data)
    whole = dice.chance(0.3)
    listed = []
    for at, (key, row) in enumerate(zip(data.keys, data.rows, strict=True)):
        full = [f"{value} {word} {name}" for name, value in zip(data.names, row, strict=True)]
        listed.append(f"{key} {spoken(full if whole or not at else list(row))}")
    return Told(dice.rng.choice((", ", "; ")).join(listed))


def _table(dice: Draw, data: Data) -> Told:
    """A table: the series are its columns where its labels have a head, else its rows."""
    if dice.chance(0.6):
        heads = (dice.rng.choice(HEADS), *data.keys)
        rows = [(name, *column) for name, column in _columns(data)]
    else:
        heads = ("", *data.names)
        rows = [(key, *row) for key, row in zip(data.keys, data.rows, strict=True)]
    if dice.chance(0.4):
        return Told(data_formats.table(dice, heads, rows), block=True)
    lines = [heads, tuple("---" for _ in heads), *rows]
    return Told("\n".join("| " + " | ".join(line) + " |" for line in lines), block=True)
