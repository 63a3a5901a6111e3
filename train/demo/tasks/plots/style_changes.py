"""Changes of a plot's style: one, or several in a question."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from train.demo.tasks import lexicon
from train.demo.tasks.family import Exchange, TaskSampler
from train.demo.tasks.phrasing import NOUNS, phrase_question
from train.demo.tasks.plots.plot_changes import GROUP
from train.demo.tasks.plots.plot_kinds import PLOT_KINDS
from train.demo.tasks.plots.styled_plot import (
    LINE_KINDS,
    MATRIX_KINDS,
    NAMED_AXIS_KINDS,
    StyledPlot,
    build_styled_exchange,
    load_style_phrasings,
)

LARGE_SIZE = ("10", "6")
MARKERS = {
    "o": ("circles", '"o"', "dots"),
    "x": ("x", '"x"', "crosses", "an x"),
    "s": ("squares", '"s"', "small squares"),
}
"""Markers, and what users call them."""
SAME_SUBJECT = {
    "untitle": "title",
    "size": "bigger",
    "width": "thick",
    "marks_named": "marks",
    "turn_by": "turn",
}
"""Changes that undo each other and are never joined, by their common subject."""
JOINT_NAMES = {2: "both changes", 3: "all three changes"}


@dataclass(frozen=True, slots=True)
class StyleChange:
    """One change: its key in the tables, the plot after it, and values for its slots."""

    name: str
    after: StyledPlot
    here: str
    """End of the answer's sentence "Here it is …"."""
    slots: dict[str, str]


StyleChanger = Callable[[TaskSampler, StyledPlot], StyleChange | None]


def draw_single_change(
    sampler: TaskSampler, chart: StyledPlot
) -> tuple[StyledPlot, Exchange] | None:
    """Draw one change and its answer; None if the drawn one does not fit."""
    change = sampler.rng.choice(list_style_changes(chart))(sampler, chart)
    return None if change is None else ask_for_change(sampler, change)


def ask_for_change(sampler: TaskSampler, change: StyleChange) -> tuple[StyledPlot, Exchange]:
    """Phrase the question for a change, and answer it."""
    if sampler.chance(0.5):
        template = sampler.choose_phrasing(load_style_phrasings(change.name))
    else:
        template = sampler.choose_phrasing(load_style_phrasings("wrap")).replace(
            "{do}", _choose_clause(sampler, change)
        )
    question = phrase_question(sampler, _capitalize_sentence(template), **change.slots)
    return change.after, build_styled_exchange(
        change.after, question, f"Here it is {change.here}:", GROUP
    )


def draw_joint_change(
    sampler: TaskSampler, chart: StyledPlot
) -> tuple[StyledPlot, Exchange] | None:
    """Draw two or three changes in one question; None if too few fit."""
    many = 3 if sampler.chance(0.2) else 2
    changes: list[StyleChange] = []
    for look in sampler.rng.sample(list(dict.fromkeys(list_style_changes(chart))), many):
        change = look(sampler, changes[-1].after if changes else chart)
        if change is None or any(_conflicts(change, other) for other in changes):
            return None
        changes.append(change)
    template = sampler.choose_phrasing(load_style_phrasings("join" if many == 2 else "join_three"))
    for mark, change in zip(("{a}", "{b}", "{d}"), changes, strict=False):
        template = template.replace(mark, _choose_clause(sampler, change))
    slots = {name: text for change in changes for name, text in change.slots.items()}
    after = changes[-1].after
    question = phrase_question(sampler, _capitalize_sentence(template), **slots)
    return after, build_styled_exchange(
        after, question, f"Here it is with {JOINT_NAMES[many]}:", GROUP
    )


def _conflicts(one: StyleChange, other: StyleChange) -> bool:
    alike = SAME_SUBJECT.get(one.name, one.name) == SAME_SUBJECT.get(other.name, other.name)
    return alike or bool(one.slots.keys() & other.slots.keys())


def _choose_clause(sampler: TaskSampler, change: StyleChange) -> str:
    return sampler.choose_phrasing(load_style_phrasings(f"{change.name}_do"))


def _capitalize_sentence(template: str) -> str:
    """Capitalize a template that ends with a full stop."""
    whole = template.endswith(".") and not template.startswith("{")
    return template[:1].upper() + template[1:] if whole else template


def change_title(sampler: TaskSampler, chart: StyledPlot) -> StyleChange:
    """Set another title."""
    text = lexicon.draw_title(sampler.rng)
    return StyleChange("title", replace(chart, title=text), "with that title", {"t": text})


def _remove_title(_: TaskSampler, chart: StyledPlot) -> StyleChange | None:
    if not chart.title:
        return None
    return StyleChange("untitle", replace(chart, title=""), "without a title", {})


def change_labels(sampler: TaskSampler, chart: StyledPlot) -> StyleChange:
    """Label both axes."""
    x, y = sampler.rng.sample(lexicon.AXES, 2)
    return StyleChange(
        "labels", replace(chart, xlabel=x, ylabel=y), "with axis labels", {"x": x, "y": y}
    )


def _change_color(sampler: TaskSampler, chart: StyledPlot) -> StyleChange | None:
    color = lexicon.draw_color(sampler)
    if not PLOT_KINDS[chart.kind].colored or color == chart.color:
        return None
    return StyleChange("color", replace(chart, color=color), f"in {color}", {"c": color})


def _add_grid(_: TaskSampler, chart: StyledPlot) -> StyleChange | None:
    if chart.grid or chart.kind not in ("bar", "line", "marked", "scatter", "curve"):
        return None
    return StyleChange("grid", replace(chart, grid=True), "with a grid", {})


def _dot_line(sampler: TaskSampler, chart: StyledPlot) -> StyleChange | None:
    if chart.style:
        return None
    after = replace(chart, style=":")
    color = lexicon.draw_color(sampler)
    if not PLOT_KINDS[chart.kind].colored or color == chart.color or sampler.chance(0.5):
        return StyleChange("dotted", after, "with a dotted line", {})
    after = replace(after, color=color)
    return StyleChange("dotted_color", after, f"with a dotted line in {color}", {"c": color})


def _thicken_line(_: TaskSampler, chart: StyledPlot) -> StyleChange | None:
    if chart.width:
        return None
    return StyleChange("thick", replace(chart, width="3"), "with a thicker line", {})


def _set_line_width(sampler: TaskSampler, chart: StyledPlot) -> StyleChange | None:
    width = sampler.rng.choice(("1", "2", "2.5", "3", "4", "5", "6", "7", "8", "10", "0.5", "3.5"))
    if width == chart.width:
        return None
    here = f"with line width {width}"
    return StyleChange("width", replace(chart, width=width), here, {"n": width})


def _add_markers(_: TaskSampler, chart: StyledPlot) -> StyleChange | None:
    if chart.marker or chart.kind == "marked":
        return None
    return StyleChange("marks", replace(chart, marker="o"), "with markers", {})


def _set_markers(sampler: TaskSampler, chart: StyledPlot) -> StyleChange | None:
    marker = sampler.rng.choice(sorted(MARKERS))
    if marker == chart.marker or (marker == "o" and chart.kind == "marked"):
        return None
    kind = "line" if chart.kind == "marked" else chart.kind
    slots = {"m": sampler.rng.choice(MARKERS[marker])}
    after = replace(chart, kind=kind, marker=marker)
    return StyleChange("marks_named", after, "with those markers", slots)


def enlarge_figure(_: TaskSampler, chart: StyledPlot) -> StyleChange | None:
    """Enlarge the figure to a fixed size; None if it has a size."""
    if chart.size:
        return None
    return StyleChange("bigger", replace(chart, size=LARGE_SIZE), "in a larger figure", {})


def _set_size(sampler: TaskSampler, chart: StyledPlot) -> StyleChange | None:
    wide, high = str(sampler.rng.randint(4, 16)), str(sampler.rng.randint(3, 12))
    if sampler.chance(0.1):
        wide, high = f"{wide}.5", f"{high}.5"
    if chart.size == (wide, high):
        return None
    here = f"in a figure of {wide} by {high} inches"
    return StyleChange("size", replace(chart, size=(wide, high)), here, {"w": wide, "h": high})


def _rotate_labels(_: TaskSampler, chart: StyledPlot) -> StyleChange | None:
    if chart.turned:
        return None
    return StyleChange("turn", replace(chart, turned="45"), "with the labels rotated", {})


def _set_rotation(sampler: TaskSampler, chart: StyledPlot) -> StyleChange | None:
    degrees = sampler.rng.choice(("30", "45", "60", "90", "15", "20", "70", "75", "80"))
    if degrees == chart.turned:
        return None
    here = f"with the labels at {degrees} degrees"
    return StyleChange("turn_by", replace(chart, turned=degrees), here, {"r": degrees})


def _save_figure(sampler: TaskSampler, chart: StyledPlot) -> StyleChange | None:
    if chart.saved:
        return None
    kind = sampler.rng.random()
    stem = (
        "chart plot figure graph result out report".split()
        if kind < 0.4
        else NOUNS
        if kind < 0.7
        else [lexicon.invent_word(sampler.rng)]
    )
    name = sampler.rng.choice(stem) + sampler.rng.choice(("", "", "", "1", "_2", "2024"))
    name += sampler.rng.choice((".png",) * 5 + (".pdf", ".svg", ".jpg"))
    return StyleChange("save", replace(chart, saved=name), f"saved as `{name}`", {"f": name})


def list_style_changes(chart: StyledPlot) -> tuple[StyleChanger, ...]:
    """Return the changes that fit this kind of plot; repeated ones are drawn more often."""
    found: tuple[StyleChanger, ...] = (
        change_title,
        _remove_title,
        enlarge_figure,
        enlarge_figure,
        _set_size,
        _set_size,
        _save_figure,
        _save_figure,
    )
    if chart.kind in MATRIX_KINDS:
        return (*found, change_title, change_labels)
    if chart.kind in LINE_KINDS:
        found = (
            *found,
            _dot_line,
            _dot_line,
            _thicken_line,
            _set_line_width,
            _set_line_width,
            _add_markers,
            _set_markers,
        )
    if chart.kind in NAMED_AXIS_KINDS:
        found = (*found, _rotate_labels, _set_rotation)
    if PLOT_KINDS[chart.kind].labelled:
        found = (*found, change_labels)
    return (*found, _change_color, _add_grid)
