"""Figures that were drawn for a grid of cells: a picture in characters, with the texts over it."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from starchat_tui.config.settings import ImageProtocol
from starchat_tui.sandbox.guest.grid_rendering import GridSize
from starchat_tui.sandbox.outputs import Figure, GridLabel, GridPicture
from starchat_tui.sanitize import sanitize_text
from starchat_tui.terminal.cell_images import (
    MOSAICS,
    Cell,
    Mosaic,
    Pixel,
    Row,
    encode_row,
    render_cells,
)
from starchat_tui.terminal.images import (
    DEFAULT_CELL_SIZE,
    decode_png,
    render_image,
    render_shades,
)

if TYPE_CHECKING:
    from PIL.Image import Image

_MIN_CONTRAST = 2.0
"""Contrast of a text with its background below which it is drawn in black or white (WCAG 2)."""
_MIN_COLUMNS, _MIN_ROWS = 24, 8
"""Cells below which a figure has no room for its texts."""
_MAX_COLUMNS, _MAX_ROWS = 200, 80
"""Cells beyond which a figure is not drawn: larger ones take long and show little more."""


def list_grid_sizes(protocol: ImageProtocol, *places: tuple[int, int]) -> list[GridSize]:
    """Return the sizes for which figures should be drawn, for columns and rows of each place.

    None for a protocol that shows pixels, and for a place that is too small.
    """
    detail = MOSAICS[protocol].rows if protocol in MOSAICS else 1
    if protocol not in MOSAICS and protocol != "unicode":
        return []
    return [
        (min(columns, _MAX_COLUMNS), min(rows, _MAX_ROWS), detail)
        for columns, rows in places
        if columns >= _MIN_COLUMNS and rows >= _MIN_ROWS
    ]


def choose_grid(
    figure: Figure, protocol: ImageProtocol, columns: int, rows: int
) -> GridPicture | None:
    """Return the largest picture of a figure for cells that fits into so many; None without one.

    A window that became larger shows it as it is; for one that became smaller there is the PNG.
    """
    if protocol not in MOSAICS and protocol != "unicode":
        return None
    fitting = (one for one in figure.grids if one.columns <= columns and one.rows <= rows)
    return max(fitting, key=lambda one: one.columns * one.rows, default=None)


def render_figure(
    figure: Figure,
    protocol: ImageProtocol,
    columns: int,
    rows: int,
    cell_size: tuple[int, int] = DEFAULT_CELL_SIZE,
) -> str:
    """Return a figure as text that draws it; the parameters are those of `render_image`."""
    grid = choose_grid(figure, protocol, columns, rows)
    if grid is None:
        return render_image(figure.png, protocol, columns, rows, cell_size)
    image = decode_png(grid.png)
    if protocol not in MOSAICS:
        lines = overlay_labels(render_shades(image, grid.columns, grid.rows), grid.labels)
    else:
        lines = list(map(encode_row, render_grid(grid, image, MOSAICS[protocol])))
    return "".join(f"{line}\n" for line in lines)


def render_grid(grid: GridPicture, image: Image, mosaic: Mosaic) -> list[Row]:
    """Return the cells of a figure; `image` is its picture, decoded."""
    from PIL.Image import Resampling

    # BOX: the pixels of a cell are its own. Smoothing would draw lines beside the lines.
    size = (grid.columns * mosaic.columns, grid.rows * mosaic.rows)
    small = image.resize(size, Resampling.BOX)
    cells = [list(row) for row in render_cells(small, grid.columns, grid.rows, mosaic)]
    # The mean of a cell is what a character is drawn on.
    means = image.resize((grid.columns, grid.rows), Resampling.BOX).tobytes()
    for label in grid.labels:
        if 0 <= label.row < grid.rows:
            first = 3 * label.row * grid.columns
            _write_label(cells[label.row], label, means[first : first + 3 * grid.columns])
    return list(map(tuple, cells))


def overlay_labels(lines: Sequence[str], labels: Iterable[GridLabel]) -> list[str]:
    """Return lines of characters with the labels written over them, without colors."""
    grid = [list(line) for line in lines]
    for label in labels:
        if 0 <= label.row < len(grid):
            for column, character, width in _place_characters(label, len(grid[label.row])):
                grid[label.row][column : column + width] = [character] + [""] * (width - 1)
    return ["".join(line) for line in grid]


def _write_label(cells: list[Cell], label: GridLabel, means: bytes) -> None:
    color = _parse_color(label.color)
    for column, character, width in _place_characters(label, len(cells)):
        red, green, blue = means[3 * column : 3 * column + 3]
        background = (red, green, blue)
        front = color if _contrast(color, background) >= _MIN_CONTRAST else _oppose(background)
        cells[column] = (character, front, background)
        # A wide character covers the next cell, which draws nothing.
        cells[column + 1 : column + width] = [("", front, background)] * (width - 1)


def _place_characters(label: GridLabel, columns: int) -> Iterator[tuple[int, str, int]]:
    """Yield the characters of a label that are within the columns, each with column and width."""
    column = label.column
    # Sanitized before it is measured: what is made visible takes more cells.
    for character in sanitize_text(label.text).replace("\n", " ").replace("\t", " "):
        if unicodedata.combining(character):
            continue
        width = 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if column >= 0 and column + width <= columns:
            yield column, character, width
        column += width


def _parse_color(text: str) -> Pixel:
    red, green, blue = bytes.fromhex(text)
    return red, green, blue


def _contrast(one: Pixel, other: Pixel) -> float:
    low, high = sorted(map(_measure_luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


def _measure_luminance(pixel: Pixel) -> float:
    # A gamma of 2.2 is close enough to the formula of sRGB.
    red, green, blue = ((value / 255) ** 2.2 for value in pixel)
    return float(0.2126 * red + 0.7152 * green + 0.0722 * blue)


def _oppose(background: Pixel) -> Pixel:
    return (0, 0, 0) if _measure_luminance(background) > 0.18 else (255, 255, 255)
