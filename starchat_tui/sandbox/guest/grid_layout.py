"""Layout of a figure for a grid of terminal cells: its text as characters, the rest as a picture.

Scaled down to cells, no label of a figure can be read. Here every text takes as many cells as it
has characters, the layout makes room for them, and the picture is drawn without them. The axes are
moved to the borders of cells, so that lines of box characters can take the place of their spines.

The figure is changed for good: this runs in a process of its own (see `grid_rendering`).
"""

# Only a part of matplotlib's functions is annotated.
# mypy: allow-untyped-calls

from __future__ import annotations

import io
from contextlib import suppress
from typing import Any

from matplotlib.collections import Collection, PathCollection
from matplotlib.legend import Legend
from matplotlib.offsetbox import DrawingArea, VPacker
from matplotlib.text import Text
from PIL import Image

from starchat_tui.sandbox.guest.grid_labels import Label, measure_text, simplify_text
from starchat_tui.sandbox.guest.grid_placement import is_framed, list_sides, place_labels
from starchat_tui.sandbox.guest.grid_renderer import (
    CELL_HEIGHT,
    CELL_WIDTH,
    GridCanvas,
    GridRenderer,
    round_half_up,
)

PNG_SCALE = 2
"""Pixels of the drawing, in each direction, for one pixel of the PNG."""
_FONT_SIZE = 13
"""Points from which matplotlib derives distances; a row is a little higher."""
_MAX_STRETCH = 1.5
"""Ratio up to which a figure is made wider or higher than it was, to use the space there is."""
_MIN_ROWS = 10
_LINE_WIDTH, _MARKER_SIZE = 1.0, 1.3
"""Least width of a line, and of a marker, in pixels of the terminal."""


def draw_grid(figure: Any, columns: int, rows: int, detail: int) -> tuple[bytes, list[Label]]:
    """Return a picture of a figure without its texts as PNG, and the texts.

    Args:
        figure: The figure, which is changed for good.
        columns: The columns that are available.
        rows: The rows that are available.
        detail: Pixels that the terminal shows in the height of a cell.
    """
    width, height = map(float, figure.get_size_inches())
    columns, rows = choose_size(width, height, columns, rows)
    canvas = GridCanvas(figure)
    renderer = canvas.grid_renderer = GridRenderer(columns, rows)
    figure.set_dpi(72)
    figure.set_size_inches(columns * CELL_WIDTH / 72, rows * CELL_HEIGHT / 72, forward=False)
    _set_font(figure)
    for axes in figure.axes:
        _thicken_marks(axes, CELL_HEIGHT / detail)
    # Ticks, and the texts of offsets, exist once the figure has been drawn.
    figure.draw_without_rendering()
    _arrange_texts(figure)
    _lay_out(figure)
    figure.draw_without_rendering()
    framed = [axes for axes in figure.axes if is_framed(axes)]
    for axes in figure.axes:
        _snap_to_cells(axes, columns, rows)
    renderer.texts.clear()
    figure.draw(renderer)
    labels = place_labels(figure, renderer.texts, framed, columns, rows)
    return _encode_png(renderer), labels


def choose_size(width: float, height: float, columns: int, rows: int) -> tuple[int, int]:
    """Return the cells for a figure: all columns, as far as that does not distort it too much."""
    ratio = min(max(width / max(height, 0.01), 0.2), 8.0)
    cell_ratio = CELL_HEIGHT / CELL_WIDTH
    columns = min(columns, round(rows * cell_ratio * ratio * _MAX_STRETCH))
    rows = min(rows, max(_MIN_ROWS, round(columns / cell_ratio / ratio * _MAX_STRETCH)))
    return max(columns, 1), max(rows, 1)


def _set_font(figure: Any) -> None:
    for text in figure.findobj(Text):
        text.set_fontsize(_FONT_SIZE)
        # One row a line: the height of a line is that of a cell.
        text.set_linespacing(1.0)
        text.set_path_effects([])
    for legend in figure.findobj(Legend):
        legend.get_frame().set(linewidth=0, alpha=1)
        for packer in legend.findobj(VPacker):
            packer.sep = 0
        # Handles are drawn as characters.
        for area in legend.findobj(DrawingArea):
            for handle in area.get_children():
                handle.set_visible(False)


def _thicken_marks(axes: Any, pixel: float) -> None:
    """Make lines and markers about as large as a pixel of the terminal, if they are smaller."""
    for line in axes.lines:
        line.set_linewidth(max(line.get_linewidth(), _LINE_WIDTH * pixel))
        line.set_markersize(max(line.get_markersize(), _MARKER_SIZE * pixel))
    for collection in axes.collections:
        if isinstance(collection, PathCollection):
            sizes = collection.get_sizes()
            if len(sizes):
                collection.set_sizes(sizes.clip((_MARKER_SIZE * pixel) ** 2))
        elif isinstance(collection, Collection) and not len(collection.get_facecolor()):
            widths: Any = collection.get_linewidth()
            collection.set_linewidth([max(width, _LINE_WIDTH * pixel) for width in widths])


def _arrange_texts(figure: Any) -> None:
    """Turn the texts of axes across, and move the labels of y axes above them."""
    for axes in figure.axes:
        if axes.name != "rectilinear":
            continue
        for axis in (axes.xaxis, axes.yaxis):
            for text in axis.get_ticklabels(which="both"):
                if text.get_rotation() and axis is axes.xaxis:
                    text.set_horizontalalignment("center")
                text.set_rotation(0)
        _set_ticks(axes)
        _move_y_label(axes, figure)


def _set_ticks(axes: Any) -> None:
    """Leave a row or column for the lines of box characters, where there will be any."""
    sides = list_sides(axes) if is_framed(axes) else set()
    along_x = {"bottom", "top"} & sides
    along_y = {"left", "right"} & sides
    common: dict[str, Any] = {"width": 0, "direction": "out", "labelrotation": 0}
    axes.tick_params("x", length=CELL_HEIGHT if along_x else 0, pad=0, **common)
    axes.tick_params("y", length=CELL_WIDTH if along_y else 0, pad=0 if along_y else 3, **common)
    axes.tick_params(which="minor", length=0)
    for axis in (axes.xaxis, axes.yaxis):
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
            tick.gridline.set_linewidth(1)
    for spine in axes.spines.values():
        spine.set_linewidth(0)


def _move_y_label(axes: Any, figure: Any) -> None:
    """Write the label of a y axis across, above its end of the axes."""
    label, offset = axes.yaxis.label, axes.yaxis.get_offset_text()
    text = label.get_text() if label.get_visible() else ""
    if scale := simplify_text(offset.get_text()):
        text = f"{text} ({scale})" if text else scale
        offset.set_visible(False)
    label.set_visible(False)
    side = "right" if axes.yaxis.get_label_position() == "right" else "left"
    title = axes.get_title()
    if not text or not axes.yaxis.get_visible() or axes.get_title(side):
        return
    text = " ".join(text.split())
    axes.set_title(text, loc=side, fontsize=_FONT_SIZE, color=label.get_color(), linespacing=1.0)
    width = axes.get_position().width * figure.get_size_inches()[0] * 72 / CELL_WIDTH
    if title and measure_text(title) + 2 * measure_text(text) + 2 > width:
        # Side by side they would not fit: the title moves up by a row.
        axes.title.set_text(f"{title}\n ")


def _lay_out(figure: Any) -> None:
    """Make room for the texts; what is not laid out by a grid of axes stays where it is."""
    engine = figure.get_layout_engine()
    if engine is not None and type(engine).__name__ == "ConstrainedLayoutEngine":
        engine.execute(figure)
        figure.set_layout_engine("none")
        return
    figure.set_layout_engine("none")
    with suppress(ValueError, RuntimeError):
        figure.tight_layout(pad=0.4, h_pad=1.0, w_pad=1.0)


def _snap_to_cells(axes: Any, columns: int, rows: int) -> None:
    """Move the sides of axes to the nearest borders of cells."""
    if axes.name != "rectilinear":
        return
    box = axes.get_position()
    left, right = round_half_up(box.x0 * columns), round_half_up(box.x1 * columns)
    bottom, top = round_half_up(box.y0 * rows), round_half_up(box.y1 * rows)
    right, top = max(right, left + 1), max(top, bottom + 1)
    axes.set_axes_locator(None)
    axes.set_aspect("auto")
    axes.set_position(
        (left / columns, bottom / rows, (right - left) / columns, (top - bottom) / rows)
    )


def _encode_png(renderer: GridRenderer) -> bytes:
    size = (int(renderer.width), int(renderer.height))
    image = Image.frombytes("RGBA", size, bytes(renderer.buffer_rgba()))
    paper = Image.new("RGBA", image.size, "white")
    small = Image.alpha_composite(paper, image).convert("RGB").reduce(PNG_SCALE)
    buffer = io.BytesIO()
    small.save(buffer, format="PNG")
    return buffer.getvalue()
