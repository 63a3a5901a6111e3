"""Plots in casual wording, with follow-ups on style and kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from train.demo.tasks import lexicon
from train.demo.tasks.data_formats import Texts
from train.demo.tasks.family import Check, Exchange, Family, TaskSampler
from train.demo.tasks.load_yaml import load_table
from train.demo.tasks.phrasing import phrase_question, with_article
from train.demo.tasks.plots.plot_changes import CHANGES, GROUP, MAX_TURNS
from train.demo.tasks.plots.plot_kinds import PAIRED_KINDS, PIE_KINDS, PLOT_KINDS
from train.demo.tasks.plots.plot_questions import AFTER, draw_opening, draw_plot_spec
from train.demo.tasks.plots.plot_spec import PlotData
from train.demo.tasks.plots.style_changes import draw_joint_change, draw_single_change
from train.demo.tasks.plots.styled_plot import (
    STYLED_KINDS,
    StyledPlot,
    build_styled_exchange,
    drop_unfit_styles,
    load_style_phrasings,
    restyle_exchange,
    to_styled,
)

Step = Callable[[TaskSampler, StyledPlot], tuple[StyledPlot, Exchange] | None]
CANNOT = (
    "I do not know how to change that. I can change the title, the labels, the colors, the size "
    "or the kind of the plot."
)
CLARIFICATIONS = {
    "title": "Which title? Say for example: call it Sales.",
    "color": "Which color? Say for example: make it red.",
    "label": "Which labels? Say for example: label the axes day and price.",
}
"""Questions back to the user."""
MAX_TRIES = 40
"""Draws of a step that fits, before a conversation ends."""
RESTYLED_KINDS = (
    "bar bar bar barh line line line line marked step area pie percent curve curve scatter hist "
    "box grouped stacked lines sns_bar sns_line sns_scatter"
).split()
"""Kinds whose style is changed; repeated ones are drawn more often."""
CHANGED_KINDS = (
    "bar bar bar barh line line line pie pie percent area marked grouped grouped stacked lines"
)
KIND_TARGETS = {
    "bar": "bar bar bar barh line line pie pie_percent area step seaborn",
    "grouped": "grouped stacked stacked lines",
}
"""Kinds into which a plot of one kind of data may change."""
SEABORN_KINDS = {"bar": "sns_bar", "line": "sns_line"}
KIND_NAMES = {
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
    """Return the families of style changes, kind changes and casual data."""
    return (
        Family("later_plot_looks", "plots", _draw_looks, 4.0, stage="finetune"),
        Family("later_plot_kinds", "plots", _draw_kinds, 3.0, stage="finetune"),
        Family("later_plot_casual", "plots", _draw_casual, 3.0, stage="finetune"),
    )


def draw_follow_ups(
    sampler: TaskSampler,
    chart: StyledPlot,
    first: Exchange,
    steps: tuple[tuple[Step, float], ...],
    share: float,
) -> tuple[Exchange, ...]:
    """Return `first`, one follow-up by the first of `steps`, and more with probability `share`."""
    exchanges = [first]
    ways, weights = [step for step, _ in steps], [weight for _, weight in steps]
    while len(exchanges) < MAX_TURNS and (len(exchanges) == 1 or sampler.chance(share)):
        for attempt in range(MAX_TRIES):
            # The first follow-up is of the family's own sort if one of the tries fits.
            fixed = len(exchanges) == 1 and attempt < MAX_TRIES // 2
            step = ways[0] if fixed else sampler.rng.choices(ways, weights)[0]
            change = step(sampler, chart)
            if change is not None:
                chart, found = change
                exchanges.append(found)
                break
        else:
            break
    return tuple(exchanges)


def draw_plain_change(
    sampler: TaskSampler, chart: StyledPlot
) -> tuple[StyledPlot, Exchange] | None:
    """Draw a change of the pre-training families, and apply it to a styled plot."""
    change = sampler.rng.choice(CHANGES)(sampler, chart)
    if change is None:
        return None
    after, found = change
    # `dataclasses.replace`, which the changes use, keeps the class.
    assert isinstance(after, StyledPlot)
    after = drop_unfit_styles(after)
    return after, restyle_exchange(after, found)


def decline_change(sampler: TaskSampler, chart: StyledPlot) -> tuple[StyledPlot, Exchange]:
    """Decline a change that is out of scope, or ask back for a missing detail."""
    if sampler.chance(0.4):
        name = sampler.rng.choice(sorted(CLARIFICATIONS))
        question = phrase_question(
            sampler, sampler.choose_phrasing(load_style_phrasings(f"which_{name}"))
        )
        return chart, Exchange(
            question, CLARIFICATIONS[name], Check(says=(f"Which {name}",)), GROUP
        )
    question = phrase_question(sampler, sampler.choose_phrasing(load_style_phrasings("beyond")))
    return chart, Exchange(question, CANNOT, Check(says=("do not know how",)), GROUP)


def change_kind(sampler: TaskSampler, chart: StyledPlot) -> tuple[StyledPlot, Exchange] | None:
    """Change the kind of plot in users' words; None if that does not fit."""
    grouped = chart.kind in ("grouped", "stacked", "lines")
    if chart.log or not (grouped or chart.kind in PAIRED_KINDS):
        return None
    name = sampler.rng.choice(KIND_TARGETS["grouped" if grouped else "bar"].split())
    if chart.kind == "pie":
        name = sampler.rng.choice((name, "percent"))
    target = _find_target(chart, name)
    if not target or target == chart.kind:
        return None
    after = replace(chart, kind=target)
    if target in PIE_KINDS:
        after = replace(after, xlabel="", ylabel="", color="", grid=False)
    if target not in ("bar", "line"):
        after = replace(after, grid=after.grid and target == "marked")
    after = drop_unfit_styles(after)
    name = "upright" if (chart.kind, target) == ("barh", "bar") else name
    before = f"Here it is as {with_article(PLOT_KINDS[target].names[0])}:"
    return after, build_styled_exchange(
        after,
        phrase_question(sampler, sampler.choose_phrasing(load_style_phrasings(f"to_{name}"))),
        before,
        GROUP,
    )


def _find_target(chart: StyledPlot, name: str) -> str:
    """Return the kind that `name` means for this plot, "" if it cannot be drawn."""
    negative = any(float(value) < 0 for value in chart.data.values)
    if name == "seaborn":
        plain = not (chart.order or (chart.color and chart.kind == "bar"))
        return SEABORN_KINDS.get(chart.kind, "") if plain else ""
    if name == "pie_percent":
        name = "percent" if chart.kind not in PIE_KINDS else ""
    if name == "pie" and chart.kind == "percent":
        return ""
    return "" if negative and name in (*PIE_KINDS, "area") else name


def _draw_looks(sampler: TaskSampler) -> tuple[Exchange, ...]:
    name = sampler.rng.choice([name for name in RESTYLED_KINDS if name in STYLED_KINDS])
    chart, text = draw_plot_spec(sampler, name, bins=name == "hist" and sampler.chance(0.3))
    first = draw_joint_change if sampler.chance(0.3) else draw_single_change
    steps = (
        (first, 3.0),
        (draw_single_change, 3.0),
        (draw_joint_change, 2.0),
        (draw_plain_change, 1.0),
        (change_kind, 0.5),
        (decline_change, 0.9),
    )
    return draw_follow_ups(
        sampler, to_styled(chart), draw_opening(sampler, chart, text), steps, 0.55
    )


def _draw_kinds(sampler: TaskSampler) -> tuple[Exchange, ...]:
    chart, text = draw_plot_spec(sampler, sampler.rng.choice(CHANGED_KINDS.split()))
    if sampler.chance(0.7):
        chart = replace(chart, color="")
    steps = (
        (change_kind, 7.0),
        (draw_single_change, 1.5),
        (draw_plain_change, 1.5),
        (decline_change, 0.9),
    )
    return draw_follow_ups(
        sampler, to_styled(chart), draw_opening(sampler, chart, text), steps, 0.6
    )


def _draw_casual(sampler: TaskSampler) -> tuple[Exchange, ...]:
    form = sampler.rng.choice(
        (
            _draw_sentence,
            _draw_sentence,
            _draw_headed,
            _draw_terse,
            _draw_terse,
            _draw_separate_lists,
        )
    )
    chart, question = form(sampler)
    before = f"Here is {with_article(PLOT_KINDS[chart.kind].names[0])} of your data:"
    first = build_styled_exchange(chart, question, before, "plots", AFTER)
    if sampler.chance(0.55):
        return (first,)
    first_step = sampler.rng.choice((change_kind, draw_single_change, draw_plain_change))
    steps = (
        (first_step, 1.0),
        (change_kind, 3.0),
        (draw_single_change, 3.0),
        (draw_joint_change, 1.0),
        (draw_plain_change, 3.0),
    )
    return draw_follow_ups(sampler, chart, first, steps, 0.4)


def _draw_labels(sampler: TaskSampler, name: str, many: int) -> Texts:
    """Draw labels of a sort; ordered ones in their order."""
    if name != "run":
        return tuple(sampler.rng.sample(load_table("labels")[name], many))
    run = sampler.rng.choice(
        [run.split() for run in lexicon.ORDERED_LABELS[2:6] if len(run.split()) >= many]
    )
    start = sampler.rng.randint(0, len(run) - many)
    return tuple(run[start : start + many])


def _draw_numbers(sampler: TaskSampler, many: int) -> Texts:
    while True:
        found = lexicon.draw_numbers(sampler.rng, many)
        if all(float(value) for value in found):
            return found


def _draw_count(sampler: TaskSampler) -> int:
    return sampler.rng.choice((2, 3, 3, 3, 4, 4, 5))


def _join_items(sampler: TaskSampler, items: list[str]) -> str:
    return ", ".join(items[:-1]) + sampler.rng.choice((" and ", " and ", ", ")) + items[-1]


def _ask_for_plot(
    sampler: TaskSampler, sort: str, data: PlotData, text: str
) -> tuple[StyledPlot, str]:
    """Phrase the question with or without a kind; bars if none is named."""
    if sampler.chance(0.4):
        template = sampler.choose_phrasing(load_style_phrasings(f"{sort}_plain"))
        return StyledPlot("bar", data), phrase_question(sampler, template, data=text)
    name = sampler.rng.choice(
        ("bar", "bar", "pie", "pie", "pie", "line", "line", "barh", "percent")
    )
    chart = StyledPlot(name, data)
    named, bare = (sampler.rng.choice(names) for names in KIND_NAMES[name])
    template = (
        sampler.choose_phrasing(load_style_phrasings(f"{sort}_kind"))
        .replace("{name}", named)
        .replace("{bare}", bare)
    )
    if template.startswith(bare) and sampler.chance(0.5):
        template = template[:1].upper() + template[1:]
    return chart, phrase_question(sampler, template, data=text)


def _draw_sentence(sampler: TaskSampler) -> tuple[StyledPlot, str]:
    start, item, sort = sampler.choose_phrasing(load_style_phrasings("stories")).split("|")
    many = _draw_count(sampler)
    names, values = _draw_labels(sampler, sort, many), _draw_numbers(sampler, many)
    while sort not in ("costs", "run") and any("." in value for value in values):
        values = _draw_numbers(sampler, many)
    items = [item.format(n=n, v=v) for n, v in zip(names, values, strict=True)]
    if sampler.chance(0.5):  # said once, then left out: "8 visitors in Mon, 5 in Tue"
        middle = item.partition("{v} ")[2].partition("in {n}")[0]
        items = [items[0], *(text.replace(f" {middle}in ", " in ", 1) for text in items[1:])]
    return _ask_for_plot(
        sampler, "sentence", PlotData(names, values), f"{start} {_join_items(sampler, items)}"
    )


def _draw_headed(sampler: TaskSampler) -> tuple[StyledPlot, str]:
    head, sort = sampler.choose_phrasing(load_style_phrasings("heads")).split("|")
    many = _draw_count(sampler)
    names, values = _draw_labels(sampler, sort, many), _draw_numbers(sampler, many)
    between = sampler.rng.choice((" ", " ", "=", " = ", ": "))
    items = [f"{n}{between}{v}" for n, v in zip(names, values, strict=True)]
    return _ask_for_plot(sampler, "sentence", PlotData(names, values), f"{head} {', '.join(items)}")


def _draw_terse(sampler: TaskSampler) -> tuple[StyledPlot, str]:
    """Draw bare pairs: `a=3 b=5`, `rent 800, food 300`."""
    many = _draw_count(sampler)
    if sampler.chance(0.3):
        start = sampler.rng.choice((0, 0, 0, sampler.rng.randint(0, 20)))
        names: Texts = tuple("abcdefghijklmnopqrstuvwxyz"[start : start + many])
    else:
        names = lexicon.draw_names(sampler.rng, many)
    values = _draw_numbers(sampler, many)
    spaced = any(" " in name for name in names)
    between = sampler.rng.choice((" ", " ", "=", ": ", ":"))
    if between == " " and any(name[-1:].isdigit() for name in names):
        between = "="
    apart = sampler.rng.choice((", ", ", ", " ", "; ")) if not spaced else ", "
    if between == " " and apart == " " and not sampler.chance(0.4):
        apart = ", "
    items = [f"{n}{between}{v}" for n, v in zip(names, values, strict=True)]
    return _ask_for_plot(sampler, "terse", PlotData(names, values), apart.join(items))


def _draw_separate_lists(sampler: TaskSampler) -> tuple[StyledPlot, str]:
    """Draw names and numbers as separate lists."""
    many = _draw_count(sampler)
    names = (
        tuple("abcdefgh"[:many]) if sampler.chance(0.3) else lexicon.draw_names(sampler.rng, many)
    )
    values = _draw_numbers(sampler, many)
    name = sampler.rng.choice(("bar", "bar", "line", "pie"))
    listed = [_join_items(sampler, list(texts)) for texts in (names, values)]
    question = phrase_question(
        sampler,
        sampler.choose_phrasing(load_style_phrasings(f"heights_{name}")),
        names=listed[0],
        values=listed[1],
    )
    return StyledPlot(name, PlotData(names, values, listed=True)), question
