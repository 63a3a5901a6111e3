"""Plots of each kind: data, texts, and the question that asks for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from train.demo.tasks import data_formats, lexicon
from train.demo.tasks.data_formats import FormattedData
from train.demo.tasks.family import Exchange, TaskSampler
from train.demo.tasks.load_yaml import load_phrasings
from train.demo.tasks.phrasing import with_article
from train.demo.tasks.plots.plot_kinds import PAIRED_KINDS, PIE_KINDS, PLOT_KINDS, SEABORN_CALLS
from train.demo.tasks.plots.plot_spec import PlotData, PlotSpec, build_plot_exchange

AFTER = "The data stand at the top, so you can change them."
LOG_AFTER = "The axis is logarithmic."


def load_chart_phrasings(name: str) -> tuple[str, ...]:
    """Return the phrasings called `name` in data/charts.yaml."""
    return load_phrasings("charts", name)


def choose_kind_name(sampler: TaskSampler, kind: str) -> str:
    """Return one of the names of a kind."""
    return sampler.rng.choice(PLOT_KINDS[kind].names)


def build_exchange(
    chart: PlotSpec, question: str, before: str, group: str, after: str = ""
) -> Exchange:
    """Build the exchange whose answer is this plot."""
    kind = PLOT_KINDS[chart.kind]
    return build_plot_exchange(
        question, before, kind.render(chart), kind.expect(chart), after, group
    )


def draw_plot_spec(
    sampler: TaskSampler, kind: str, *, log: bool = False, bins: bool = False
) -> tuple[PlotSpec, FormattedData]:
    """Draw data of a kind with optional texts; return them with the data as written."""
    data, text = _draw_data(sampler, kind)
    chart = PlotSpec(kind, data, log=log)
    if bins:
        chart = replace(chart, bins=sampler.rng.randint(3, 12))
    if sampler.chance(0.4):
        chart = replace(chart, title=lexicon.draw_title(sampler.rng))
    if PLOT_KINDS[kind].labelled and sampler.chance(0.2):
        x, y = _draw_axis_labels(sampler)
        chart = replace(chart, xlabel=x, ylabel=y)
    if PLOT_KINDS[kind].colored and sampler.chance(0.2):
        chart = replace(chart, color=lexicon.draw_color(sampler))
    if kind in SEABORN_CALLS and sampler.chance(0.4):
        chart = replace(chart, talk=True)
    return chart, text


def _draw_axis_labels(sampler: TaskSampler) -> tuple[str, str]:
    if sampler.chance(0.6):
        x, y = sampler.rng.sample(lexicon.AXES, 2)
        return x, y
    return lexicon.invent_word(sampler.rng).title(), lexicon.draw_title(sampler.rng)


def draw_opening(sampler: TaskSampler, chart: PlotSpec, text: FormattedData) -> Exchange:
    """Draw the first question of a conversation and its answer."""
    template = sampler.choose_phrasing(load_chart_phrasings("draw")).replace(
        "{name}", choose_kind_name(sampler, chart.kind)
    )
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
            template += sampler.choose_phrasing(load_chart_phrasings(name))
            slots |= values
    template += (
        "?" if template.startswith(("Can", "How", "Could")) else sampler.rng.choice(("", "."))
    )
    name = PLOT_KINDS[chart.kind].names[0]
    question = data_formats.build_question(sampler, template, text, **slots)
    before = f"Here is {with_article(name)} of your data:"
    return build_exchange(chart, question, before, "plots", LOG_AFTER if chart.log else AFTER)


def _draw_data(sampler: TaskSampler, kind: str) -> tuple[PlotData, FormattedData]:
    if kind in PAIRED_KINDS or kind in SEABORN_CALLS:
        return _draw_pairs(sampler, kind)
    return DATA_DRAWERS[kind](sampler)


def _draw_pairs(sampler: TaskSampler, kind: str) -> tuple[PlotData, FormattedData]:
    rng = sampler.rng
    many = lexicon.draw_count(rng)
    names = lexicon.draw_names(rng, many)
    negative = kind in ("bar", "line", "marked", "sns_bar", "sns_line")
    values = lexicon.draw_numbers(rng, many, negative=negative)
    columns = lexicon.draw_columns(rng) if sampler.chance(0.5) else ("", "")
    text = data_formats.format_pairs(sampler, names, values, columns)
    headed = all(columns) and text.block and columns[0] in text.text
    used = columns if headed else ("name", "value")
    # All zeros have neither shares nor an area.
    if kind in ("area", *PIE_KINDS) and not any(float(v) for v in values):
        return _draw_pairs(sampler, kind)
    return PlotData(names, values, columns=used, listed=text.listed), text


def _draw_points(sampler: TaskSampler) -> tuple[PlotData, FormattedData]:
    rng = sampler.rng
    many = lexicon.draw_count(rng)
    values = lexicon.draw_numbers(rng, many, negative=True)
    if sampler.chance(0.4):
        start, step = rng.choice((0, 1, 1, 10, 2000, 2015)), rng.choice((1, 1, 2, 5))
        xs = tuple(str(start + step * at) for at in range(many))
    else:
        xs = lexicon.draw_numbers(rng, many)
    text = data_formats.format_points(sampler, xs, values)
    return PlotData(values=values, xs=xs, listed=text.listed), text


def _draw_named_points(sampler: TaskSampler) -> tuple[PlotData, FormattedData]:
    rng = sampler.rng
    many = lexicon.draw_count(rng)
    names = lexicon.draw_names(rng, many)
    xs, ys = lexicon.draw_numbers(rng, many), lexicon.draw_numbers(rng, many)
    rows = list(zip(names, xs, ys, strict=True))
    kind = rng.random()
    if kind < 0.35:
        heads = lexicon.draw_columns(rng, 3)
        text = FormattedData(
            data_formats.format_table(sampler, heads, rows, headed=sampler.chance(0.8)), block=True
        )
    elif kind < 0.75:
        ways = (
            "{" + ", ".join(f'"{n}": ({x}, {y})' for n, x, y in rows) + "}",
            "{" + ", ".join(f"'{n}': [{x}, {y}]" for n, x, y in rows) + "}",
            ", ".join(f"{n} ({x}, {y})" for n, x, y in rows),
            "[" + ", ".join(f'("{n}", {x}, {y})' for n, x, y in rows) + "]",
            data_formats.join_words([f"{n} at ({x}, {y})" for n, x, y in rows]),
            ", ".join(f"{n}: {x}, {y}" for n, x, y in rows),
            "; ".join(f"{n} {x} {y}" for n, x, y in rows),
        )
        text = FormattedData(rng.choice(ways))
    else:
        lines = (
            "\n".join(f"{n}: {x}, {y}" for n, x, y in rows),
            "\n".join(f"{n} {x} {y}" for n, x, y in rows),
            "\n".join(f"{n}: ({x}, {y})" for n, x, y in rows),
        )
        text = FormattedData(rng.choice(lines), block=True)
    return PlotData(names, ys, xs), text


def _draw_values(sampler: TaskSampler) -> tuple[PlotData, FormattedData]:
    values = lexicon.draw_numbers(sampler.rng, sampler.rng.randint(5, 12))
    return PlotData(values=values), data_formats.format_values(sampler, values)


def _draw_groups(sampler: TaskSampler) -> tuple[PlotData, FormattedData]:
    rng = sampler.rng
    keys = lexicon.draw_names(rng, rng.choice((2, 2, 3)))
    rows = tuple(lexicon.draw_numbers(rng, rng.randint(4, 6)) for _ in keys)
    return PlotData(keys=keys, rows=rows), data_formats.format_groups(sampler, keys, rows)


def _draw_series(sampler: TaskSampler) -> tuple[PlotData, FormattedData]:
    """Draw names and rows of numbers: the names first, then each row with its own name."""
    rng = sampler.rng
    many = rng.choice((2, 3, 3, 3, 4, 4, 5))
    names = lexicon.draw_names(rng, many, single=True)
    keys = tuple(key for key in lexicon.draw_names(rng, 3, single=True) if key not in names)
    keys = (*keys, "total", "other")[: rng.choice((2, 2, 2, 3))]
    sort = rng.choice(lexicon.NUMBER_FORMATS)
    rows = tuple(tuple(sort(rng) for _ in names) for _ in keys)
    lines = list(zip(keys, rows, strict=True))
    kind = rng.random()
    if kind < 0.3:
        table_rows = [(key, *row) for key, row in lines]
        text = FormattedData(
            data_formats.format_table(sampler, ("", *names), table_rows), block=True
        )
    elif kind < 0.65:
        text = FormattedData(
            f"{rng.choice(('names', 'labels', 'groups', 'x'))}: {', '.join(names)}\n"
            + "\n".join(f"{key}: {', '.join(row)}" for key, row in lines),
            block=True,
        )
    else:
        head = rng.choice(("the labels ", "names ", ""))
        text = FormattedData(
            f"{head}{data_formats.format_strings(names)} with "
            + data_formats.join_words(
                [f"{key} {data_formats.format_numbers(row)}" for key, row in lines]
            )
            if sampler.chance(0.5)
            else f"{head}{', '.join(names)}; "
            + "; ".join(f"{key}: {', '.join(row)}" for key, row in lines)
        )
    return PlotData(names, keys=keys, rows=rows), text


DATA_DRAWERS: dict[str, Callable[[TaskSampler], tuple[PlotData, FormattedData]]] = {
    "scatter": _draw_points,
    "curve": _draw_points,
    "named": _draw_named_points,
    "hist": _draw_values,
    "box": _draw_values,
    "boxes": _draw_groups,
    "grouped": _draw_series,
    "stacked": _draw_series,
    "lines": _draw_series,
    "heat": _draw_series,
    "sns_heat": _draw_series,
}
