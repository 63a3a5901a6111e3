"""Encoder for DEC sixels: six rows of pixels at a time, one color after the other.

The format is that of the VT340 (DEC STD 070, chapter 9): `#n;2;r;g;b` defines a color in percent, a
character from `?` on holds six pixels, `!n` repeats it, `$` returns to the left, `-` moves down.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_COLORS = 64
"""Color registers to use; every sixel terminal has as many."""
_BAND = 6


def encode_sixels(image: Image) -> str:
    """Return the sequence that draws `image` (RGB) at the cursor."""
    few = image.quantize(MAX_COLORS)
    palette = few.getpalette() or []
    width, height = few.size
    data = few.tobytes()
    rows = [data[at : at + width] for at in range(0, width * height, width)]
    bands = (rows[at : at + _BAND] for at in range(0, height, _BAND))
    body = "-".join("$".join(_encode_band(band)) for band in bands)
    return f'\x1bP0;1q"1;1;{width};{height}{"".join(_encode_palette(palette))}{body}\x1b\\'


def _encode_palette(palette: list[int]) -> Iterator[str]:
    for register in range(len(palette) // 3):
        shares = (round(value * 100 / 255) for value in palette[3 * register : 3 * register + 3])
        yield f"#{register};2;" + ";".join(map(str, shares))


def _encode_band(rows: list[bytes]) -> Iterator[str]:
    """Yield, for at most six rows, a string for each color that occurs in them."""
    bits: dict[int, bytearray] = {}
    for index, row in enumerate(rows):
        for x, color in enumerate(row):
            bits.setdefault(color, bytearray(len(row)))[x] |= 1 << index
    for color, columns in sorted(bits.items()):
        yield f"#{color}" + "".join(_encode_runs(columns))


def _encode_runs(bits: bytearray) -> Iterator[str]:
    start = 0
    for at in range(1, len(bits) + 1):
        if at == len(bits) or bits[at] != bits[start]:
            count, character = at - start, chr(63 + bits[start])
            yield f"!{count}{character}" if count > 3 else character * count
            start = at
