"""Images as characters in two colors: half-blocks, sextants and octants.

A cell of the terminal shows a character in one color on a background of another. The characters
divide the cell into 2, 6 or 8 blocks of pixels, so its pixels are split into two groups by their
color. Sextants are those of Unicode 13 ("Symbols for Legacy Computing"), octants those of Unicode
16 (its supplement).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import mul
from typing import TYPE_CHECKING

from starchat_tui.config.settings import ImageProtocol

if TYPE_CHECKING:
    from PIL.Image import Image

Pixel = tuple[int, int, int]
"""Red, green and blue, each 0 to 255."""
Cell = tuple[str, Pixel, Pixel]
"""A character, its color and its background."""
Row = Sequence[Cell]

RESET = "\x1b[0m"
_MIN_CONTRAST = 12
"""Difference of two values of a color channel from which a cell is drawn in two colors."""
_BITS = (1, 2, 4, 8, 16, 32, 64, 128)


@dataclass(frozen=True, slots=True)
class Mosaic:
    """Characters that divide a cell into blocks."""

    columns: int
    rows: int
    characters: str
    """Characters by the set of their filled blocks: bit 0 is the first block of the first row."""


def _list_sextants() -> str:
    # The four that existed before are not repeated in the block that begins at U+1FB00.
    former = {0: " ", 0b010101: "▌", 0b101010: "▐", 0b111111: "█"}
    codes = iter(range(0x1FB00, 0x1FB3C))
    return "".join(former[bits] if bits in former else chr(next(codes)) for bits in range(64))


def _list_octants() -> str:
    # Blocks are numbered by rows. The quadrants and the quarters of a cell are older characters.
    upper, lower = 0b00000101, 0b01010000
    quadrants = " ▘▝▀▖▌▞▛▗▚▐▜▄▙▟█"
    former = {
        (upper * (at & 1))
        | (2 * upper * (at >> 1 & 1))
        | (lower * (at >> 2 & 1))
        | (2 * lower * (at >> 3)): character
        for at, character in enumerate(quadrants)
    }
    former |= {0b00000011: "\U0001fb82", 0b00111111: "\U0001fb85"}  # upper one and three quarters
    former |= {0b11000000: "▂", 0b11111100: "▆"}
    former |= {0b00000001: "\U0001cea8", 0b00000010: "\U0001ceab"}  # upper quarter of one half
    former |= {0b01000000: "\U0001cea3", 0b10000000: "\U0001cea0"}  # lower quarter of one half
    former |= {0b00010100: "\U0001fbe6", 0b00101000: "\U0001fbe7"}  # middle quarters of one half
    codes = iter(range(0x1CD00, 0x1CDE6))
    return "".join(former[bits] if bits in former else chr(next(codes)) for bits in range(256))


MOSAICS: Mapping[ImageProtocol, Mosaic] = {
    "half": Mosaic(1, 2, " ▀▄█"),
    "sextant": Mosaic(2, 3, _list_sextants()),
    "octant": Mosaic(2, 4, _list_octants()),
}
"""Characters of the protocols that draw cells."""


def render_cells(image: Image, columns: int, rows: int, mosaic: Mosaic) -> list[Row]:
    """Return `image` (RGB) scaled to that many cells."""
    from PIL.Image import Resampling

    size = (columns * mosaic.columns, rows * mosaic.rows)
    small = image if image.size == size else image.resize(size, Resampling.LANCZOS)
    reds, greens, blues = (
        _split_into_cells(one.tobytes(), columns, mosaic) for one in small.split()
    )
    if mosaic.columns == 1:
        # Two pixels are two colors: there is nothing to choose. An even cell is copied as a space.
        pixels = (zip(*channels, strict=True) for channels in zip(reds, greens, blues, strict=True))
        cells: list[Cell] = [
            ("▀" if upper != lower else " ", upper, lower) for upper, lower in pixels
        ]
    else:
        cells = _choose_cells(zip(reds, greens, blues, strict=True), mosaic.characters)
    return [cells[at : at + columns] for at in range(0, len(cells), columns)]


def _split_into_cells(channel: bytes, columns: int, mosaic: Mosaic) -> Iterator[tuple[int, ...]]:
    """Return the values of a channel in each cell, in the order of the bits of a character."""
    parts = [channel[at :: mosaic.columns] for at in range(mosaic.columns)]
    starts = range(0, len(parts[0]), columns * mosaic.rows)
    blocks = [
        b"".join(part[at + row * columns : at + (row + 1) * columns] for at in starts)
        for row in range(mosaic.rows)
        for part in parts
    ]
    return zip(*blocks, strict=True)


def _choose_cells(
    cells: Iterable[tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]], characters: str
) -> list[Cell]:
    known: dict[tuple[tuple[int, ...], ...], Cell] = {}
    chosen = []
    for channels in cells:
        cell = known.get(channels)
        if cell is None:
            # Plots repeat few cells, the background above all; photographs repeat none.
            cell = known[channels] = _choose_cell(*channels, characters)
        chosen.append(cell)
    return chosen


def _choose_cell(
    reds: tuple[int, ...], greens: tuple[int, ...], blues: tuple[int, ...], characters: str
) -> Cell:
    """Return the character and the two colors that show the pixels of a cell best.

    The pixels are split in the middle of the channel in which they differ most, and once more at
    the mean of the two groups' means in that channel (a step of k-means).
    """
    count = len(reds)
    ranges = [max(one) - min(one) for one in (reds, greens, blues)]
    widest = max(ranges)
    if widest < _MIN_CONTRAST:
        color = (sum(reds) // count, sum(greens) // count, sum(blues) // count)
        return (" ", color, color)
    values = (reds, greens, blues)[ranges.index(widest)]
    middle = (max(values) + min(values)) / 2
    upper = [value for value in values if value > middle]
    lower_sum = sum(values) - sum(upper)
    middle = (sum(upper) / len(upper) + lower_sum / (count - len(upper))) / 2
    filled = [value > middle for value in values]
    bits = sum(map(mul, filled, _BITS))
    size = sum(filled)
    front, back = [], []
    for channel in (reds, greens, blues):
        total = sum(map(mul, channel, filled))
        front.append(total // size)
        back.append((sum(channel) - total) // (count - size))
    return characters[bits], (front[0], front[1], front[2]), (back[0], back[1], back[2])


def encode_row(row: Row) -> str:
    """Return a row as text, with a color sequence only where the colors change."""
    parts: list[str] = []
    before: tuple[Pixel, Pixel] | None = None
    for character, color, background in row:
        if (color, background) != before:
            parts.append("\x1b[38;2;{};{};{};48;2;{};{};{}m".format(*color, *background))
            before = (color, background)
        parts.append(character)
    return "".join(parts) + RESET
