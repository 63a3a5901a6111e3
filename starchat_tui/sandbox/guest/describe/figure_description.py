"""Text description of a figure: titles, axes, values and legend.

It serves users who cannot see the picture, and models. The description is taken from the artists
after they were drawn; a plot of an unknown kind still yields its title, its axes and its texts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from starchat_tui.sandbox.guest.describe import areas, marks
from starchat_tui.sandbox.guest.describe.phrases import format_number, quote_text, shorten_text

MAX_CHARS = 8_000
"""Characters of a description."""
MAX_AXES = 24
MAX_TEXTS = 40


def describe_figure(figure: Any) -> str:
    """Return the description of a matplotlib figure, cut to `MAX_CHARS` characters."""
    text = "\n".join(_iter_lines(figure))
    return text if len(text) <= MAX_CHARS else f"{text[:MAX_CHARS]} …"


def _iter_lines(figure: Any) -> Iterator[str]:
    # `get_suptitle` exists only since matplotlib 3.8.
    title = getattr(figure, "_suptitle", None)
    if title is not None and title.get_text():
        yield f"figure: {quote_text(title.get_text())}"
    axes = figure.axes
    for number, one in enumerate(axes[:MAX_AXES], 1):
        name = f"axes {number}" if len(axes) > 1 else "axes"
        try:
            yield from _describe_axes(one, name)
        except Exception as error:  # noqa: BLE001
            # Artists may be of the cell's own classes: a plot without words is still a plot.
            yield f"{name}: cannot be described ({type(error).__name__})"
    if len(axes) > MAX_AXES:
        yield f"and {len(axes) - MAX_AXES} more axes"
    for text in figure.texts:
        if text is not title and text.get_text():
            yield f"text: {quote_text(text.get_text())}"
    for legend in figure.legends:
        yield _describe_legend(legend)


def _describe_axes(axes: Any, name: str) -> Iterator[str]:
    if axes.get_label() == "<colorbar>":
        low, high = axes.get_ylim() if axes.yaxis.get_visible() else axes.get_xlim()
        label = axes.get_ylabel() or axes.get_xlabel()
        about = f" for {quote_text(label)}" if label else ""
        yield f"{name}: colors{about}, {format_number(low)} to {format_number(high)}"
        return
    parts = [quote_text(title) for title in _get_titles(axes)]
    parts += [text for side in "xyz" if (text := _describe_axis(axes, side))]
    yield f"{name}: {'; '.join(parts)}" if parts else f"{name}:"
    # Texts that belong to a mark are described with it, not once more on their own.
    used_texts: set[int] = set()
    lines = [
        *marks.describe_marks(axes, used_texts),
        *areas.describe_areas(axes, used_texts),
        *_describe_texts(axes, used_texts),
    ]
    yield from (f"  {line}" for line in lines)
    if legend := axes.get_legend():
        yield f"  {_describe_legend(legend)}"


def _get_titles(axes: Any) -> list[str]:
    titles = [axes.get_title(loc) for loc in ("left", "center", "right")]
    return [title for title in titles if title.strip()]


def _describe_axis(axes: Any, side: str) -> str:
    """Return the label of an axis, with its scale unless that is linear."""
    axis = getattr(axes, f"{side}axis", None)
    # 3D axes have a switch of their own, and `axison` is off.
    if axis is None or not getattr(axes, "_axis3don", axes.axison):
        return ""
    label, scale = axis.get_label_text().strip(), axis.get_scale()
    words = [quote_text(label)] if label else []
    words += [f"({scale})"] if scale != "linear" else []
    return f"{side} {' '.join(words)}" if words else ""


def _describe_texts(axes: Any, used_texts: set[int]) -> Iterator[str]:
    """Describe the texts in a plot that belong to no mark: annotations and notes."""
    texts = [text for text in axes.texts if id(text) not in used_texts and text.get_text().strip()]
    for text in texts[:MAX_TEXTS]:
        place = text.xy if hasattr(text, "xy") else text.get_position()
        point = f"({format_number(place[0])}, {format_number(place[1])})"
        yield f"text {quote_text(text.get_text())} at {point}"
    if len(texts) > MAX_TEXTS:
        yield f"and {len(texts) - MAX_TEXTS} more texts"


def _describe_legend(legend: Any) -> str:
    title = legend.get_title().get_text()
    names = ", ".join(shorten_text(text.get_text()) for text in legend.get_texts())
    return f"legend{f' {quote_text(title)}' if title else ''}: {names}"
