"""What people ask about the looks of a plot: one wish, or several in a question."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from train.demo.tasks import lexicon
from train.demo.tasks.family import Draw, Exchange
from train.demo.tasks.phrasing import NOUNS, ask
from train.demo.tasks.plots.plot_changes import GROUP
from train.demo.tasks.plots.plot_kinds import KINDS
from train.demo.tasks.plots.styled_chart import LINES, MATRICES, TURNED, Styled, exchange, says

BIGGER = ("10", "6")
MARKERS = {
    "o": ("circles", '"o"', "dots"),
    "x": ("x", '"x"', "crosses", "an x"),
    "s": ("squares", '"s"', "small squares"),
}
"""Markers, and what they are called."""
ALIKE = {
    "untitle": "title",
    "size": "bigger",
    "width": "thick",
    "marks_named": "marks",
    "turn_by": "turn",
}
"""Wishes that undo each other, which nobody joins."""
TOGETHER = {2: "both changes", 3: "all three changes"}


@dataclass(frozen=True, slots=True)
class Wish:
    """One change: what it is called in the tables, what it makes, and what fills its slots."""

    name: str
    after: Styled
    here: str
    """How the answer says it: "here it is", and this."""
    slots: dict[str, str]


Look = Callable[[Draw, Styled], Wish | None]


def single(dice: Draw, chart: Styled) -> tuple[Styled, Exchange] | None:
    """One wish and its answer; None where the one that was drawn does not fit."""
    wish = dice.rng.choice(looks(chart))(dice, chart)
    return None if wish is None else wished(dice, wish)


def wished(dice: Draw, wish: Wish) -> tuple[Styled, Exchange]:
    """The question for a wish, and its answer."""
    if dice.chance(0.5):
        template = dice.phrase(says(wish.name))
    else:
        template = dice.phrase(says("wrap")).replace("{do}", _do(dice, wish))
    question = ask(dice, _capital(template), **wish.slots)
    return wish.after, exchange(wish.after, question, f"Here it is {wish.here}:", GROUP)


def joint(dice: Draw, chart: Styled) -> tuple[Styled, Exchange] | None:
    """Two or three wishes in one question; None where too few fit."""
    many = 3 if dice.chance(0.2) else 2
    wishes: list[Wish] = []
    for look in dice.rng.sample(list(dict.fromkeys(looks(chart))), many):
        made = look(dice, wishes[-1].after if wishes else chart)
        if made is None or any(_clash(made, wish) for wish in wishes):
            return None
        wishes.append(made)
    template = dice.phrase(says("join" if many == 2 else "join_three"))
    for mark, wish in zip(("{a}", "{b}", "{d}"), wishes, strict=False):
        template = template.replace(mark, _do(dice, wish))
    slots = {name: text for wish in wishes for name, text in wish.slots.items()}
    after = wishes[-1].after
    question = ask(dice, _capital(template), **slots)
    return after, exchange(after, question, f"Here it is with {TOGETHER[many]}:", GROUP)


def _clash(one: Wish, other: Wish) -> bool:
    alike = ALIKE.get(one.name, one.name) == ALIKE.get(other.name, other.name)
    return alike or bool(one.slots.keys() & other.slots.keys())


def _do(dice: Draw, wish: Wish) -> str:
    return dice.phrase(says(f"{wish.name}_do"))


def _capital(template: str) -> str:
    """A full stop goes with a capital letter."""
    whole = template.endswith(".") and not template.startswith("{")
    return template[:1].upper() + template[1:] if whole else template


def titled(dice: Draw, chart: Styled) -> Wish:
    """Another title."""
    text = lexicon.title(dice.rng)
    return Wish("title", replace(chart, title=text), "with that title", {"t": text})


def _untitled(_: Draw, chart: Styled) -> Wish | None:
    if not chart.title:
        return None
    return Wish("untitle", replace(chart, title=""), "without a title", {})


def labelled(dice: Draw, chart: Styled) -> Wish:
    """Names for both axes."""
    x, y = dice.rng.sample(lexicon.AXES, 2)
    return Wish("labels", replace(chart, xlabel=x, ylabel=y), "with axis labels", {"x": x, "y": y})


def _colored(dice: Draw, chart: Styled) -> Wish | None:
    color = lexicon.color(dice)
    if not KINDS[chart.kind].colored or color == chart.color:
        return None
    return Wish("color", replace(chart, color=color), f"in {color}", {"c": color})


def _grid(_: Draw, chart: Styled) -> Wish | None:
    if chart.grid or chart.kind not in ("bar", "line", "marked", "scatter", "curve"):
        return None
    return Wish("grid", replace(chart, grid=True), "with a grid", {})


def _dotted(dice: Draw, chart: Styled) -> Wish | None:
    if chart.style:
        return None
    after = replace(chart, style=":")
    color = lexicon.color(dice)
    if not KINDS[chart.kind].colored or color == chart.color or dice.chance(0.5):
        return Wish("dotted", after, "with a dotted line", {})
    after = replace(after, color=color)
    return Wish("dotted_color", after, f"with a dotted line in {color}", {"c": color})


def _thick(_: Draw, chart: Styled) -> Wish | None:
    if chart.width:
        return None
    return Wish("thick", replace(chart, width="3"), "with a thicker line", {})


def _wide(dice: Draw, chart: Styled) -> Wish | None:
    width = dice.rng.choice(("1", "2", "2.5", "3", "4", "5", "6", "7", "8", "10", "0.5", "3.5"))
    if width == chart.width:
        return None
    here = f"with line width {width}"
    return Wish("width", replace(chart, width=width), here, {"n": width})


def _marked(_: Draw, chart: Styled) -> Wish | None:
    if chart.marker or chart.kind == "marked":
        return None
    return Wish("marks", replace(chart, marker="o"), "with markers", {})


def _marked_so(dice: Draw, chart: Styled) -> Wish | None:
    marker = dice.rng.choice(sorted(MARKERS))
    if marker == chart.marker or (marker == "o" and chart.kind == "marked"):
        return None
    kind = "line" if chart.kind == "marked" else chart.kind
    slots = {"m": dice.rng.choice(MARKERS[marker])}
    after = replace(chart, kind=kind, marker=marker)
    return Wish("marks_named", after, "with those markers", slots)


def bigger(_: Draw, chart: Styled) -> Wish | None:
    """A larger figure, of a size that is always the same."""
    if chart.size:
        return None
    return Wish("bigger", replace(chart, size=BIGGER), "in a larger figure", {})


def _sized(dice: Draw, chart: Styled) -> Wish | None:
    wide, high = str(dice.rng.randint(4, 16)), str(dice.rng.randint(3, 12))
    if dice.chance(0.1):
        wide, high = f"{wide}.5", f"{high}.5"
    if chart.size == (wide, high):
        return None
    here = f"in a figure of {wide} by {high} inches"
    return Wish("size", replace(chart, size=(wide, high)), here, {"w": wide, "h": high})


def _turned(_: Draw, chart: Styled) -> Wish | None:
    if chart.turned:
        return None
    return Wish("turn", replace(chart, turned="45"), "with the labels rotated", {})


def _turned_by(dice: Draw, chart: Styled) -> Wish | None:
    degrees = dice.rng.choice(("30", "45", "60", "90", "15", "20", "70", "75", "80"))
    if degrees == chart.turned:
        return None
    here = f"with the labels at {degrees} degrees"
    return Wish("turn_by", replace(chart, turned=degrees), here, {"r": degrees})


def _saved(dice: Draw, chart: Styled) -> Wish | None:
    if chart.saved:
        return None
    kind = dice.rng.random()
    stem = (
        "chart plot figure graph result out report".split()
        if kind < 0.4
        else NOUNS
        if kind < 0.7
        else [lexicon.invented(dice.rng)]
    )
    name = dice.rng.choice(stem) + dice.rng.choice(("", "", "", "1", "_2", "2024"))
    name += dice.rng.choice((".png",) * 5 + (".pdf", ".svg", ".jpg"))
    return Wish("save", replace(chart, saved=name), f"saved as `{name}`", {"f": name})


def looks(chart: Styled) -> tuple[Look, ...]:
    """What may be asked of this kind of chart, each as often as it is asked."""
    found: tuple[Look, ...] = (titled, _untitled, bigger, bigger, _sized, _sized, _saved, _saved)
    if chart.kind in MATRICES:
        return (*found, titled, labelled)
    if chart.kind in LINES:
        found = (*found, _dotted, _dotted, _thick, _wide, _wide, _marked, _marked_so)
    if chart.kind in TURNED:
        found = (*found, _turned, _turned_by)
    if KINDS[chart.kind].labelled:
        found = (*found, labelled)
    return (*found, _colored, _grid)
