"""Tables of numbers: heat maps of a matrix, and several series in more notations."""

from __future__ import annotations

from dataclasses import replace

from train.demo.tasks import data_formats, lexicon
from train.demo.tasks.data_formats import FormattedData, Texts, format_numbers, join_words
from train.demo.tasks.family import Exchange, Family, TaskSampler
from train.demo.tasks.load_yaml import load_table
from train.demo.tasks.phrasing import phrase_question, with_article
from train.demo.tasks.plots.casual_plots import change_kind, draw_follow_ups, draw_plain_change
from train.demo.tasks.plots.plot_changes import GROUP
from train.demo.tasks.plots.plot_kinds import PLOT_KINDS
from train.demo.tasks.plots.plot_questions import AFTER, choose_kind_name
from train.demo.tasks.plots.plot_spec import PlotData
from train.demo.tasks.plots.style_changes import (
    ask_for_change,
    change_labels,
    change_title,
    draw_joint_change,
    draw_single_change,
)
from train.demo.tasks.plots.styled_plot import (
    StyledPlot,
    build_styled_exchange,
    load_style_phrasings,
)

HEADS = ("year", "month", "day", "name", "label", "quarter", "x")
"""Heads over the labels of a table whose columns are the series."""


def families() -> tuple[Family, ...]:
    """Return the families of matrices and of series."""
    return (
        Family("later_plot_matrix", "plots", _draw_matrix, 2.0, stage="finetune"),
        Family("later_plot_told", "plots", _draw_series, 2.0, stage="finetune"),
    )


def _draw_matrix(sampler: TaskSampler) -> tuple[Exchange, ...]:
    high, wide = sampler.rng.choice((2, 2, 3, 3, 4)), sampler.rng.choice((2, 2, 3, 3, 4, 5))
    sort = sampler.rng.choice(lexicon.NUMBER_FORMATS)
    rows = tuple(tuple(sort(sampler.rng) for _ in range(wide)) for _ in range(high))
    chart = StyledPlot("matrix", PlotData(rows=rows))
    if sampler.chance(0.2):
        chart = replace(chart, kind="sns_matrix")
    template = sampler.choose_phrasing(load_style_phrasings("matrix"))
    slots: dict[str, object] = {}
    if chart.kind == "sns_matrix":
        template += sampler.rng.choice((" with seaborn", " using seaborn", ", use seaborn"))
    if sampler.chance(0.2):
        chart = change_title(sampler, chart).after
        template += sampler.rng.choice((' with the title "{t}"', ", title {t}", " and call it {t}"))
        slots = {"t": chart.title}
    template += "?" if template.startswith(("Can", "How")) else sampler.rng.choice(("", "."))
    question = data_formats.build_question(sampler, template, _format_rows(sampler, rows), **slots)
    before = "Here is a heat map of your matrix:"
    first = build_styled_exchange(chart, question, before, "plots", AFTER)
    if sampler.chance(0.25):
        return (first,)
    steps = (
        (_write_numbers, 3.0),
        (_use_seaborn, 2.0),
        (_add_title, 2.0),
        (_add_labels, 2.0),
        (draw_single_change, 2.0),
    )
    start = sampler.rng.choice([step for step, _ in steps])
    return draw_follow_ups(
        sampler, chart, first, ((start, 0.5), *steps, (draw_joint_change, 0.5)), 0.5
    )


def _format_rows(sampler: TaskSampler, rows: tuple[Texts, ...]) -> FormattedData:
    literal = format_numbers([format_numbers(row) for row in rows])
    inline = (
        literal,
        literal,
        literal.replace(" ", ""),
        " / ".join(" ".join(row) for row in rows),
        "; ".join(" ".join(row) for row in rows),
        ";".join(",".join(row) for row in rows),
        " and ".join(format_numbers(row) for row in rows),
        "; ".join(", ".join(row) for row in rows),
    )
    if sampler.chance(0.6):
        text = sampler.rng.choice(inline)
        head = "the matrix " if sampler.chance(0.1) else ""
        return FormattedData(head + text)
    blocks = (
        "\n".join(" ".join(row) for row in rows),
        "\n".join(" ".join(row) for row in rows),
        "\n".join(",".join(row) for row in rows),
        "\n".join(", ".join(row) for row in rows),
        "\n".join(format_numbers(row) for row in rows),
        "[" + ",\n ".join(format_numbers(row) for row in rows) + "]",
        "\n".join("\t".join(row) for row in rows),
        f"grid = {literal}",
    )
    return FormattedData(sampler.rng.choice(blocks), block=True)


def _write_numbers(sampler: TaskSampler, chart: StyledPlot) -> tuple[StyledPlot, Exchange] | None:
    if chart.written or chart.kind == "sns_matrix":
        return None
    after = replace(chart, written=True)
    question = phrase_question(sampler, sampler.choose_phrasing(load_style_phrasings("numbers")))
    return after, build_styled_exchange(
        after, question, "Here it is with the numbers in the cells:", GROUP
    )


def _use_seaborn(sampler: TaskSampler, chart: StyledPlot) -> tuple[StyledPlot, Exchange] | None:
    if chart.kind == "sns_matrix":
        return None
    after = replace(chart, kind="sns_matrix")
    question = phrase_question(sampler, sampler.choose_phrasing(load_style_phrasings("to_seaborn")))
    return after, build_styled_exchange(after, question, "Here it is with seaborn:", GROUP)


def _add_title(sampler: TaskSampler, chart: StyledPlot) -> tuple[StyledPlot, Exchange]:
    return ask_for_change(sampler, change_title(sampler, chart))


def _add_labels(sampler: TaskSampler, chart: StyledPlot) -> tuple[StyledPlot, Exchange]:
    return ask_for_change(sampler, change_labels(sampler, chart))


def _draw_series(sampler: TaskSampler) -> tuple[Exchange, ...]:
    names = _draw_names(sampler)
    keys = _draw_keys(sampler, names)
    sort = sampler.rng.choice(lexicon.NUMBER_FORMATS)
    rows = tuple(tuple(sort(sampler.rng) for _ in names) for _ in keys)
    name = sampler.rng.choice(("grouped", "grouped", "stacked", "lines"))
    chart = StyledPlot(name, PlotData(names, keys=keys, rows=rows))
    text = sampler.rng.choice(
        (
            _format_by_name,
            _format_by_name,
            _format_in_brackets,
            _format_by_key,
            _format_by_key,
            _format_table,
            _format_table,
        )
    )(sampler, chart.data)
    template = sampler.choose_phrasing(load_style_phrasings("told")).replace(
        "{name}", choose_kind_name(sampler, name)
    )
    slots: dict[str, object] = {}
    if sampler.chance(0.25) and not template.endswith("?"):
        chart = change_title(sampler, chart).after
        template += sampler.rng.choice((' with the title "{t}"', ", title {t}", " and call it {t}"))
        slots = {"t": chart.title}
    question = data_formats.build_question(sampler, template, text, **slots)
    before = f"Here is {with_article(PLOT_KINDS[name].names[0])} of your data:"
    first = build_styled_exchange(chart, question, before, "plots", AFTER)
    if sampler.chance(0.5):
        return (first,)
    start = sampler.rng.choice((change_kind, draw_single_change, draw_plain_change))
    steps = ((start, 1.0), (change_kind, 3.0), (draw_single_change, 3.0), (draw_plain_change, 1.5))
    return draw_follow_ups(sampler, chart, first, steps, 0.4)


def _draw_names(sampler: TaskSampler) -> Texts:
    many = sampler.rng.choice((2, 2, 3, 3, 4))
    if sampler.chance(0.3):
        return lexicon.draw_names(sampler.rng, many, single=True)
    run = sampler.rng.choice(
        [run.split() for run in lexicon.ORDERED_LABELS if len(run.split()) >= many]
    )
    start = sampler.rng.randint(0, len(run) - many)
    return tuple(run[start : start + many])


def _draw_keys(sampler: TaskSampler, names: Texts) -> Texts:
    sort = sampler.rng.choice(("food", "food", "animals", "goods", "costs", "people", "subjects"))
    labels = [label for label in load_table("labels")[sort] if label not in names]
    return tuple(sampler.rng.sample(labels, sampler.rng.choice((2, 2, 2, 3))))


def _pair_columns(data: PlotData) -> list[tuple[str, Texts]]:
    """Return each label with its numbers from all series."""
    return list(zip(data.names, zip(*data.rows, strict=True), strict=True))


def _choose_preposition(sampler: TaskSampler, data: PlotData) -> str:
    days = lexicon.ORDERED_LABELS[0].split()
    return "on" if data.names[0][:3] in days else sampler.rng.choice(("in", "in", "for"))


def _format_by_name(sampler: TaskSampler, data: PlotData) -> FormattedData:
    """Format as `2020: apples 3, pears 5; 2021: apples 6, pears 2`."""
    between = sampler.rng.choice((" ", " ", "=", " = "))
    listed = [
        f"{name}: " + ", ".join(f"{k}{between}{v}" for k, v in zip(data.keys, column, strict=True))
        for name, column in _pair_columns(data)
    ]
    if sampler.chance(0.6):
        return FormattedData("; ".join(listed))
    return FormattedData("\n".join(listed), block=True)


def _format_in_brackets(sampler: TaskSampler, data: PlotData) -> FormattedData:
    """Format as `apples and pears in 2020 (3, 5) and 2021 (6, 2)`."""
    inside = [f"{name} ({', '.join(column)})" for name, column in _pair_columns(data)]
    return FormattedData(
        f"{join_words(data.keys)} {_choose_preposition(sampler, data)} {join_words(inside)}"
    )


def _format_by_key(sampler: TaskSampler, data: PlotData) -> FormattedData:
    """Format as `apples 3 in 2020 and 6 in 2021, pears 5 and 2`."""
    word = _choose_preposition(sampler, data)
    whole = sampler.chance(0.3)
    listed = []
    for at, (key, row) in enumerate(zip(data.keys, data.rows, strict=True)):
        full = [f"{value} {word} {name}" for name, value in zip(data.names, row, strict=True)]
        listed.append(f"{key} {join_words(full if whole or not at else list(row))}")
    return FormattedData(sampler.rng.choice((", ", "; ")).join(listed))


def _format_table(sampler: TaskSampler, data: PlotData) -> FormattedData:
    """Format a table: the series are its columns if the labels have a head, else its rows."""
    if sampler.chance(0.6):
        heads = (sampler.rng.choice(HEADS), *data.keys)
        rows = [(name, *column) for name, column in _pair_columns(data)]
    else:
        heads = ("", *data.names)
        rows = [(key, *row) for key, row in zip(data.keys, data.rows, strict=True)]
    if sampler.chance(0.4):
        return FormattedData(data_formats.format_table(sampler, heads, rows), block=True)
    lines = [heads, tuple("---" for _ in heads), *rows]
    return FormattedData("\n".join("| " + " | ".join(line) + " |" for line in lines), block=True)
