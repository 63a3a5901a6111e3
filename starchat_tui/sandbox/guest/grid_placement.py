"""Placement of the texts of a drawn figure, and of lines of box characters, in a grid of cells."""

# Only a part of matplotlib's functions is annotated.
# mypy: allow-untyped-calls

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from matplotlib.axis import Axis
from matplotlib.colors import to_hex, to_rgba_array
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedFormatter

from starchat_tui.sandbox.guest.grid_labels import Label, LabelGrid
from starchat_tui.sandbox.guest.grid_renderer import CELL_HEIGHT, CELL_WIDTH, round_half_up

Drawn = list[tuple[Any, Label]]
"""Texts as they were drawn: the artist and the label."""


def is_framed(axes: Any) -> bool:
    """Return whether lines of box characters take the place of the spines of axes."""
    is_plain = axes.name == "rectilinear" and axes.get_label() != "<colorbar>"
    return bool(is_plain and axes.get_visible() and axes.axison and axes.get_frame_on())


def list_sides(axes: Any) -> set[str]:
    """Return the sides of axes at which there is a spine with ticks."""
    x, y = axes.xaxis.get_ticks_position(), axes.yaxis.get_ticks_position()
    sides = {"top" if x == "top" else "bottom", "right" if y == "right" else "left"}
    return {side for side in sides if side in axes.spines and axes.spines[side].get_visible()}


def place_labels(
    figure: Any, drawn: Drawn, framed: Iterable[Any], columns: int, rows: int
) -> list[Label]:
    """Return the labels of a figure that was drawn; those that matter most come first."""
    grid = LabelGrid(columns, rows)
    for axes in framed:
        for label in _draw_frame(axes, rows):
            grid.place(label)
    rest = {id(artist): [] for artist, _ in drawn}  # type: dict[int, list[Label]]
    for artist, label in drawn:
        rest[id(artist)].append(label)
    for artist in _list_titles(figure):
        for label in rest.pop(id(artist), []):
            grid.place(label, moves=(0, -1), gap=1)
    for axis in figure.findobj(Axis):
        texts = axis.get_ticklabels()
        labels = [label for text in texts for label in rest.pop(id(text), [])]
        labels.sort(key=lambda label: (label.row, label.column))
        grid.place_ticks(labels, cut=_has_names(axis))
        for label in rest.pop(id(axis.label), []):
            grid.place(label, moves=(0, 1, -1))
    for legend in figure.findobj(Legend):
        for label in _draw_legend(legend, rest):
            grid.place(label)
    for labels in rest.values():
        for label in labels:
            grid.place(label, moves=(0, -1, 1))
    return grid.labels


def _list_titles(figure: Any) -> Iterator[Any]:
    for name in ("_suptitle", "_supxlabel", "_supylabel"):
        yield getattr(figure, name, None)
    for axes in figure.axes:
        yield from (axes.title, axes._left_title, axes._right_title)


def _has_names(axis: Any) -> bool:
    """Return whether the ticks of an axis are names, which can be shortened, and not numbers."""
    formatter = axis.get_major_formatter()
    return isinstance(formatter, FixedFormatter) or "Category" in type(formatter).__name__


def _draw_frame(axes: Any, rows: int) -> Iterator[Label]:
    """Yield lines of box characters at the sides of axes, with marks where the ticks are."""
    sides, box = list_sides(axes), axes.get_window_extent()
    left, right = round_half_up(box.x0 / CELL_WIDTH), round_half_up(box.x1 / CELL_WIDTH)
    top, bottom = (rows - round_half_up(y / CELL_HEIGHT) for y in (box.y1, box.y0))
    columns = {int(x // CELL_WIDTH) for x in _list_ticks(axes, 0)}
    lines = {rows - 1 - int(-(-y // CELL_HEIGHT)) + 1 for y in _list_ticks(axes, 1)}
    for side, at, mark in (("left", left - 1, "┤"), ("right", right, "├")):
        color = to_hex(axes.spines[side].get_edgecolor())[1:] if side in sides else ""
        for row in range(top, bottom) if side in sides else ():
            yield Label(row, at, color, mark if row in lines else "│")
    for side, row, mark in (("bottom", bottom, "┬"), ("top", top - 1, "┴")):
        if side in sides:
            color = to_hex(axes.spines[side].get_edgecolor())[1:]
            line = "".join(mark if one in columns else "─" for one in range(left, right))
            start, end = _CORNERS[side]
            line = (start if "left" in sides else "") + line + (end if "right" in sides else "")
            yield Label(row, left - ("left" in sides), color, line)


_CORNERS = {"bottom": ("└", "┘"), "top": ("┌", "┐")}


def _list_ticks(axes: Any, dimension: int) -> Iterator[float]:
    """Yield the pixels, along one dimension, of the ticks of axes that have a label."""
    axis = axes.yaxis if dimension else axes.xaxis
    low, high = sorted(axis.get_view_interval())
    for tick in axis.get_major_ticks():
        location = float(tick.get_loc())
        if low <= location <= high and (tick.label1.get_text() or tick.label2.get_text()):
            point = (low, location) if dimension else (location, low)
            yield float(axes.transData.transform(point)[dimension])


def _draw_legend(legend: Any, rest: dict[int, list[Label]]) -> Iterator[Label]:
    """Yield the texts of a legend, and for each entry a character in its color."""
    handles = getattr(legend, "legend_handles", None) or getattr(legend, "legendHandles", [])
    yield from rest.pop(id(legend.get_title()), [])
    for handle, text in zip(handles, legend.get_texts(), strict=False):
        labels = rest.pop(id(text), [])
        yield from labels
        if labels:
            character, color = _choose_character(handle)
            yield Label(labels[0].row, labels[0].column - 3, color, character)


def _choose_character(handle: Any) -> tuple[str, str]:
    """Return the characters that stand for an entry of a legend, and their color."""
    if isinstance(handle, Line2D):
        has_line = handle.get_linestyle() not in ("None", "none", " ", "")
        return "━━" if has_line else "●", to_hex(handle.get_color())[1:]
    kind = type(handle).__name__
    character = "●" if kind == "PathCollection" else "━━" if "Line" in kind else "■"
    for name in ("get_facecolor", "get_edgecolor"):
        # A patch has one color, a collection an array of them; "none" is no color at all.
        colors = to_rgba_array(getattr(handle, name, lambda: "none")())
        if len(colors) and colors[0][3] > 0:
            return character, to_hex(colors[0])[1:]
    return character, "000000"
