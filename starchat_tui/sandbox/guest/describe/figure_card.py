"""A figure in words: titles, axes, values and legend, for readers without pixels, and for models.

Taken from the artists themselves, after they were drawn; a plot that has none of the known marks
still tells its title, its axes and its texts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from starchat_tui.sandbox.guest.describe import areas, marks
from starchat_tui.sandbox.guest.describe.phrases import number, quoted, short

LONGEST = 8_000
"""Characters of a card."""
MOST_AXES = 24
MOST_TEXTS = 40


def card_of(figure: Any) -> str:
    """The card of a matplotlib figure; never fails, whatever was drawn."""
    lines = list(_lines(figure))
    text = "\n".join(lines)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} …"


def _lines(figure: Any) -> Iterator[str]:
    title = getattr(figure, "_suptitle", None)
    if title is not None and title.get_text():
        yield f"figure: {quoted(title.get_text())}"
    axes = figure.axes
    for count, one in enumerate(axes[:MOST_AXES], 1):
        name = f"axes {count}" if len(axes) > 1 else "axes"
        try:
            yield from _axes(one, name)
        except Exception as error:  # noqa: BLE001
            yield f"{name}: cannot be put into words ({type(error).__name__})"
    if len(axes) > MOST_AXES:
        yield f"and {len(axes) - MOST_AXES} more axes"
    for text in figure.texts:
        if text is not title and text.get_text():
            yield f"text: {quoted(text.get_text())}"
    for legend in figure.legends:
        yield _legend(legend)


def _axes(axes: Any, name: str) -> Iterator[str]:
    if axes.get_label() == "<colorbar>":
        low, high = axes.get_ylim() if axes.yaxis.get_visible() else axes.get_xlim()
        label = axes.get_ylabel() or axes.get_xlabel()
        about = f" for {quoted(label)}" if label else ""
        yield f"{name}: colours{about}, {number(low)} to {number(high)}"
        return
    told = [quoted(title) for title in _titles(axes)]
    told += [text for side in "xyz" if (text := _axis(axes, side))]
    yield f"{name}: {'; '.join(told)}" if told else f"{name}:"
    used: set[int] = set()
    for line in (*marks.told(axes, used), *areas.told(axes, used)):
        yield f"  {line}"
    yield from (f"  {line}" for line in _texts(axes, used))
    if legend := axes.get_legend():
        yield f"  {_legend(legend)}"


def _titles(axes: Any) -> list[str]:
    found = [axes.get_title(loc) for loc in ("left", "center", "right")]
    return [title for title in found if title.strip()]


def _axis(axes: Any, side: str) -> str:
    """What an axis is called, and its scale where that is not linear."""
    axis = getattr(axes, f"{side}axis", None)
    if axis is None or not getattr(axes, "_axis3don", axes.axison):
        return ""
    label, scale = axis.get_label_text().strip(), axis.get_scale()
    words = [quoted(label)] if label else []
    words += [f"({scale})"] if scale != "linear" else []
    return f"{side} {' '.join(words)}" if words else ""


def _texts(axes: Any, used: set[int]) -> Iterator[str]:
    """Texts in the plot that no mark has told: annotations, notes."""
    found = [text for text in axes.texts if id(text) not in used and text.get_text().strip()]
    for text in found[:MOST_TEXTS]:
        place = text.xy if hasattr(text, "xy") else text.get_position()
        yield f"text {quoted(text.get_text())} at ({number(place[0])}, {number(place[1])})"
    if len(found) > MOST_TEXTS:
        yield f"and {len(found) - MOST_TEXTS} more texts"


def _legend(legend: Any) -> str:
    title = legend.get_title().get_text()
    names = ", ".join(short(text.get_text()) for text in legend.get_texts())
    return f"legend{f' {quoted(title)}' if title else ''}: {names}"
