"""Families of plots: one for each kind, and some of two plots side by side."""

from __future__ import annotations

from train.demo.tasks import data_formats, lexicon
from train.demo.tasks.data_formats import Texts
from train.demo.tasks.family import Drawer, Exchange, Family, TaskSampler
from train.demo.tasks.plots.plot_changes import draw_changes
from train.demo.tasks.plots.plot_kinds import MATPLOTLIB_IMPORT, PLOT_KINDS, SEABORN_IMPORTS
from train.demo.tasks.plots.plot_questions import draw_opening, draw_plot_spec, load_chart_phrasings
from train.demo.tasks.plots.plot_spec import (
    ExpectedAxes,
    PlotData,
    build_plot_exchange,
    join_program,
    parse_numbers,
)

WEIGHTS = {"bar": 6.0, "line": 4.0, "scatter": 3.0, "pie": 3.0, "hist": 3.0, "named": 4.0}
"""Weights of the most requested kinds."""
DEFAULT_WEIGHT = 2.0


def families() -> tuple[Family, ...]:
    """Return every family of plots."""
    single = [
        Family(f"plot_{kind}", "plots", _make_drawer(kind), WEIGHTS.get(kind, DEFAULT_WEIGHT))
        for kind in PLOT_KINDS
    ]
    return (
        *single,
        Family("plot_hist_bins", "plots", _make_drawer("hist", bins=True), DEFAULT_WEIGHT),
        Family("plot_log_bar", "plots", _make_drawer("bar", log=True), DEFAULT_WEIGHT),
        Family("plot_log_line", "plots", _make_drawer("marked", log=True), DEFAULT_WEIGHT),
        Family("plot_subplots", "plots", _draw_pair, DEFAULT_WEIGHT),
        Family("plot_sns_subplots", "plots", _draw_seaborn_pair, DEFAULT_WEIGHT + 1),
    )


def _make_drawer(kind: str, *, log: bool = False, bins: bool = False) -> Drawer:
    def draw(sampler: TaskSampler) -> tuple[Exchange, ...]:
        while True:
            chart, text = draw_plot_spec(sampler, kind, log=log, bins=bins)
            # A logarithmic axis shows nothing at zero and below: draw again.
            if not log or all(float(value) > 0 for value in chart.data.values):
                return draw_changes(sampler, chart, draw_opening(sampler, chart, text))

    return draw


AXES_METHODS = {"bar": "bar", "line": "plot"}
FIRST_NAME, SECOND_NAME = "first", "second"


def _draw_two(
    sampler: TaskSampler,
) -> tuple[tuple[PlotData, PlotData], tuple[str, str], data_formats.FormattedData]:
    """Draw two sets of pairs with a title each, and write them down."""
    rng = sampler.rng
    first, second = lexicon.draw_title(rng), lexicon.draw_title(rng)
    while second == first:
        second = lexicon.draw_title(rng)
    names = lexicon.draw_names(rng, rng.choice((2, 3, 3, 4)), single=True)
    others = (
        names
        if sampler.chance(0.5)
        else lexicon.draw_names(rng, rng.choice((2, 3, 3, 4)), single=True)
    )
    pair = tuple(PlotData(n, lexicon.draw_numbers(rng, len(n))) for n in (names, others))
    return (pair[0], pair[1]), (first, second), _format_two(sampler, (first, second), pair)


def _format_two(
    sampler: TaskSampler, titles: Texts, pair: tuple[PlotData, ...]
) -> data_formats.FormattedData:
    """Format two titles with pairs each: in lines, as dicts, or in a sentence."""
    style = sampler.rng.choice(("spaces", "colons", "under", "dicts", "nested", "sentence"))
    between = " " if style == "spaces" else ": "
    both = [list(zip(data.names, data.values, strict=True)) for data in pair]
    listed = [", ".join(f"{name}{between}{value}" for name, value in found) for found in both]
    if style in ("dicts", "nested"):
        listed = [data.pairs.partition(" = ")[2] for data in pair]
    each = list(zip(titles, listed, strict=True))
    match style:
        case "nested":
            text = "{" + ", ".join(f'"{title}": {found}' for title, found in each) + "}"
            return data_formats.FormattedData(text, block=sampler.chance(0.5))
        case "sentence":
            return data_formats.FormattedData(
                "; ".join(f"{title}: {found}" for title, found in each)
            )
        case "under":
            text = "\n\n".join(f"{title}\n{found}" for title, found in each)
            return data_formats.FormattedData(text, block=True)
    return data_formats.FormattedData(
        "\n".join(f"{title}: {found}" for title, found in each), block=True
    )


def _expect_axes(kind: str, title: str, data: PlotData) -> ExpectedAxes:
    found = {"kind": kind, "title": title, "labels": list(data.names)}
    return {**found, "series": [parse_numbers(data.values)]}


def _render_dict(name: str, data: PlotData) -> str:
    return data.pairs.replace("data =", f"{name} =", 1)


def _draw_pair(sampler: TaskSampler) -> tuple[Exchange, ...]:
    pair, titles, text = _draw_two(sampler)
    kind = sampler.rng.choice(("bar", "bar", "line"))
    stacked = sampler.chance(0.25)
    shape = "2, 1" if stacked else "1, 2"
    lines = [f"fig, axes = plt.subplots({shape})"]
    for at, name in enumerate((FIRST_NAME, SECOND_NAME)):
        lines.append(f"axes[{at}].{AXES_METHODS[kind]}(list({name}), list({name}.values()))")
        lines.append(f'axes[{at}].set_title("{titles[at]}")')
    definitions = "\n".join(
        _render_dict(name, data) for name, data in zip((FIRST_NAME, SECOND_NAME), pair, strict=True)
    )
    code = join_program(MATPLOTLIB_IMPORT, definitions, "\n".join([*lines, "plt.show()"]))
    name = sampler.rng.choice(
        ("bar charts", "bar plots") if kind == "bar" else ("line plots", "lines")
    )
    where = sampler.rng.choice(
        ("above each other", "in two rows") if stacked else ("side by side", "next to each other")
    )
    template = (
        sampler.choose_phrasing(load_chart_phrasings("two"))
        .replace("{name}", name)
        .replace("{where}", where)
    )
    question = data_formats.build_question(sampler, template, text)
    wanted = [_expect_axes(kind, titles[at], pair[at]) for at in (0, 1)]
    before = "Here are both plots in one figure:"
    return (
        build_plot_exchange(question, before, code, wanted, "Each plot has its own axes.", "plots"),
    )


def _draw_seaborn_pair(sampler: TaskSampler) -> tuple[Exchange, ...]:
    pair, titles, text = _draw_two(sampler)
    talk = sampler.chance(0.7)
    lines = ['sns.set_context("talk")'] if talk else []
    lines.append("fig, axes = plt.subplots(1, 2)")
    for at, name in enumerate((FIRST_NAME, SECOND_NAME)):
        call = f"x=list({name}), y=list({name}.values()), ax=axes[{at}]"
        lines += [f"sns.barplot({call})", f'axes[{at}].set_title("{titles[at]}")']
    definitions = "\n".join(
        _render_dict(name, data) for name, data in zip((FIRST_NAME, SECOND_NAME), pair, strict=True)
    )
    imports = SEABORN_IMPORTS.replace("import pandas as pd\n", "")
    code = join_program(imports, definitions, "\n".join([*lines, "plt.show()"]))
    template = sampler.choose_phrasing(load_chart_phrasings("two_seaborn"))
    if talk:
        template += sampler.choose_phrasing(load_chart_phrasings("talk"))
    question = data_formats.build_question(sampler, template, text)
    wanted = [_expect_axes("bar", titles[at], pair[at]) for at in (0, 1)]
    before = "Here are both bar plots with seaborn:"
    return (
        build_plot_exchange(question, before, code, wanted, "Each plot has its own axes.", "plots"),
    )
