"""A picture as DEC sixels: six rows of pixels at a time, one colour after the other.

The format is that of the VT340 (DEC STD 070, chapter 9): `#n;2;r;g;b` defines a colour in per cent,
a character from `?` on holds six pixels, `!n` repeats it, `$` goes back to the left, `-` down.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

COLOURS = 64
"""Registers that are used; every sixel terminal has as many."""
_BAND = 6


def sixels(image: Image) -> str:
    """The sequence that draws `image` (RGB) where the cursor stands."""
    few = image.quantize(COLOURS)
    palette = few.getpalette() or []
    width, height = few.size
    data = few.tobytes()
    rows = [data[at : at + width] for at in range(0, width * height, width)]
    bands = (rows[at : at + _BAND] for at in range(0, height, _BAND))
    body = "-".join("$".join(_band(band)) for band in bands)
    return f'\x1bP0;1q"1;1;{width};{height}{"".join(_registers(palette))}{body}\x1b\\'


def _registers(palette: list[int]) -> Iterator[str]:
    for register in range(len(palette) // 3):
        shares = (round(value * 100 / 255) for value in palette[3 * register : 3 * register + 3])
        yield f"#{register};2;" + ";".join(map(str, shares))


def _band(rows: list[bytes]) -> Iterator[str]:
    """At most six rows, a string for each colour that occurs in them."""
    bits: dict[int, bytearray] = {}
    for at, row in enumerate(rows):
        for x, colour in enumerate(row):
            bits.setdefault(colour, bytearray(len(row)))[x] |= 1 << at
    for colour, columns in sorted(bits.items()):
        yield f"#{colour}" + "".join(_runs(columns))


def _runs(bits: bytearray) -> Iterator[str]:
    start = 0
    for at in range(1, len(bits) + 1):
        if at == len(bits) or bits[at] != bits[start]:
            count, character = at - start, chr(63 + bits[start])
            yield f"!{count}{character}" if count > 3 else character * count
            start = at
