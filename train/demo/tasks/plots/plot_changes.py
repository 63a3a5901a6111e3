"""Changes of a plot: title, labels, colour, order, kind, values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from train.demo.tasks import lexicon
from train.demo.tasks.family import Exchange, TaskSampler
from train.demo.tasks.functions.function_families import draw_thanks
from train.demo.tasks.phrasing import phrase_question, with_article
from train.demo.tasks.plots.plot_kinds import PAIRED_KINDS, PIE_KINDS, PLOT_KINDS
from train.demo.tasks.plots.plot_questions import (
    build_exchange,
    choose_kind_name,
    load_chart_phrasings,
)
from train.demo.tasks.plots.plot_spec import PlotSpec

GROUP = "follow-up plots"
MAX_TURNS = 5
"""Maximum turns of a conversation."""
NEXT_TURN_CHANCE = 0.45
"""Probability of one more turn."""
UNSEEN_KINDS = frozenset(("dashed", "donut"))
"""Kinds into which no plot changes: they are held out."""
Change = Callable[[TaskSampler, PlotSpec], tuple[PlotSpec, Exchange] | None]


def draw_changes(sampler: TaskSampler, chart: PlotSpec, first: Exchange) -> tuple[Exchange, ...]:
    """Return the first exchange and those that follow from it."""
    exchanges = [first]
    while sampler.chance(NEXT_TURN_CHANCE) and len(exchanges) < MAX_TURNS:
        change = sampler.rng.choice(CHANGES)(sampler, chart)
        if change is not None:
            chart, exchange = change
            exchanges.append(exchange)
    if len(exchanges) < MAX_TURNS and sampler.chance(0.05):
        exchanges.append(draw_thanks(sampler))
    return tuple(exchanges)


def _build_change(
    sampler: TaskSampler, after: PlotSpec, name: str, before: str, **slots: object
) -> tuple[PlotSpec, Exchange]:
    return after, build_exchange(
        after,
        phrase_question(sampler, sampler.choose_phrasing(load_chart_phrasings(name)), **slots),
        before,
        GROUP,
    )


def _change_title(sampler: TaskSampler, chart: PlotSpec) -> tuple[PlotSpec, Exchange] | None:
    after = replace(chart, title=lexicon.draw_title(sampler.rng))
    return _build_change(sampler, after, "set_title", "Here it is with that title:", t=after.title)


def _change_labels(sampler: TaskSampler, chart: PlotSpec) -> tuple[PlotSpec, Exchange] | None:
    if not PLOT_KINDS[chart.kind].labelled:
        return None
    x, y = sampler.rng.sample(lexicon.AXES, 2)
    kind = sampler.rng.random()
    if kind < 0.4:
        after = replace(chart, ylabel=y)
        return _build_change(sampler, after, "set_ylabel", "Here it is with a y label:", y=y)
    if kind < 0.55:
        after = replace(chart, xlabel=x)
        return _build_change(sampler, after, "set_xlabel", "Here it is with an x label:", x=x)
    after = replace(chart, xlabel=x, ylabel=y)
    return _build_change(sampler, after, "set_labels", "Here it is with axis labels:", x=x, y=y)


def _change_color(sampler: TaskSampler, chart: PlotSpec) -> tuple[PlotSpec, Exchange] | None:
    if not PLOT_KINDS[chart.kind].colored:
        return None
    color = lexicon.draw_color(sampler)
    if color == chart.color:
        return None
    after = replace(chart, color=color)
    name = "set_bars" if chart.kind in ("bar", "barh", "hist") else "set_color"
    return _build_change(sampler, after, name, f"Here it is in {color}:", c=color)


def _set_log_scale(sampler: TaskSampler, chart: PlotSpec) -> tuple[PlotSpec, Exchange] | None:
    positive = all(float(value) > 0 for value in chart.data.values)
    if chart.log or not positive or chart.kind not in ("bar", "barh", "line", "marked", "scatter"):
        return None
    after = replace(chart, log=True)
    return _build_change(sampler, after, "set_log", "Here it is with a logarithmic axis:")


def _add_grid(sampler: TaskSampler, chart: PlotSpec) -> tuple[PlotSpec, Exchange] | None:
    if chart.grid or chart.kind not in ("bar", "line", "marked", "scatter", "curve", "named"):
        return None
    return _build_change(sampler, replace(chart, grid=True), "set_grid", "Here it is with a grid:")


def _change_kind(sampler: TaskSampler, chart: PlotSpec) -> tuple[PlotSpec, Exchange] | None:
    if chart.kind not in PAIRED_KINDS or chart.log:
        return None
    flat = chart.kind == "bar" and sampler.chance(0.3)
    kind = (
        "barh"
        if flat
        else sampler.rng.choice(sorted(set(PAIRED_KINDS) - UNSEEN_KINDS - {chart.kind}))
    )
    if kind in (*PIE_KINDS, "area") and any(float(value) < 0 for value in chart.data.values):
        return None
    after = replace(chart, kind=kind)
    if kind in PIE_KINDS:
        after = replace(after, xlabel="", ylabel="", color="", grid=False)
    if flat:
        return _build_change(sampler, after, "set_flat", "Here it is with horizontal bars:")
    before = f"Here it is as {with_article(PLOT_KINDS[kind].names[0])}:"
    template = sampler.choose_phrasing(load_chart_phrasings("set_kind")).replace(
        "{name}", choose_kind_name(sampler, kind)
    )
    return after, build_exchange(
        after, phrase_question(sampler, template.replace("{a}", "a")), before, GROUP
    )


def _sort_pairs(sampler: TaskSampler, chart: PlotSpec) -> tuple[PlotSpec, Exchange] | None:
    values = [float(value) for value in chart.data.values]
    # With equal values the order is not determined, and neither is the expected figure.
    tied = len(set(values)) < len(values)
    if chart.kind not in PAIRED_KINDS or chart.data.listed or chart.order or tied:
        return None
    order = sampler.rng.choice(("up", "down"))
    after = replace(chart, order=order)
    how = "ascending" if order == "up" else "descending"
    return _build_change(sampler, after, f"sort_{order}", f"Here it is in {how} order:")


def _add_item(sampler: TaskSampler, chart: PlotSpec) -> tuple[PlotSpec, Exchange] | None:
    data = chart.data
    if chart.kind not in PAIRED_KINDS or data.listed or len(data.names) >= lexicon.MAX_ITEMS:
        return None
    name = sampler.rng.choice(
        (*lexicon.draw_names(sampler.rng, 3), sampler.rng.choice(lexicon.list_people()))
    )
    value = (
        lexicon.draw_numbers(sampler.rng, 1)[0]
        if sampler.chance(0.3)
        else _draw_similar_number(sampler, data.values[0])
    )
    if name in data.names or (chart.order and float(value) in map(float, data.values)):
        return None
    names, values = (*data.names, name), (*data.values, value)
    after = replace(chart, data=replace(data, names=names, values=values))
    return _build_change(sampler, after, "add", f"Here it is with {name}:", n=name, v=value)


def _draw_similar_number(sampler: TaskSampler, value: str) -> str:
    """Draw a number with as many digits before and after the point as another."""
    digits = [sampler.rng.choice("123456789") if c.isdigit() else c for c in value.lstrip("-")]
    return "".join(digits)


def _replace_value(sampler: TaskSampler, chart: PlotSpec) -> tuple[PlotSpec, Exchange] | None:
    data = chart.data
    if chart.kind not in PAIRED_KINDS or data.listed or chart.order:
        return None
    at = sampler.rng.randrange(len(data.names))
    value = _draw_similar_number(sampler, data.values[at])
    values = (*data.values[:at], value, *data.values[at + 1 :])
    after = replace(chart, data=replace(data, values=values))
    name = data.names[at]
    return _build_change(sampler, after, "set_value", f"Here it is with {value}:", n=name, v=value)


def _change_bins(sampler: TaskSampler, chart: PlotSpec) -> tuple[PlotSpec, Exchange] | None:
    if chart.kind != "hist":
        return None
    after = replace(chart, bins=sampler.rng.randint(3, 15))
    return _build_change(
        sampler, after, "set_bins", f"Here it is with {after.bins} bins:", n=after.bins
    )


CHANGES: tuple[Change, ...] = (
    *(
        _change_title,
        _change_title,
        _change_labels,
        _change_labels,
        _change_color,
        _change_color,
        _set_log_scale,
        _add_grid,
        _change_kind,
        _change_kind,
    ),
    *(_sort_pairs, _add_item, _add_item, _replace_value, _change_bins),
)
