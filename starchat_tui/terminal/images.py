"""A PNG as cells of a terminal: half-blocks in colour, shades in grey, or the bytes of kitty.

A half-block `▀` shows two pixels: its colour is the upper one, its background the lower one. PNG
that code drew is hostile until it is decoded: one format, a bound on its pixels, no other file.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING

from starchat_tui.errors import StarChatError

if TYPE_CHECKING:
    from PIL.Image import Image

Pixel = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""
Row = tuple[tuple[Pixel, Pixel], ...]
"""The cells of a row: the upper and the lower pixel of each."""

MOST_PIXELS = 25_000_000
"""Pixels beyond which a picture is not decoded (75 MB as RGB)."""
CELL = (10, 20)
"""Width and height of a terminal's cell in pixels, where the terminal does not say (VT340)."""
_SHADES = " ░▒▓█"
_PLAIN = "\x1b[0m"
_KITTY_CHUNK = 4096
"""Bytes of base64 that one kitty sequence may carry."""


class NoPicture(StarChatError):
    """The bytes are no PNG that can be shown."""

    code = "no_picture"


def decoded(png: bytes) -> Image:
    """The picture in RGB on white; raises `NoPicture` where it is none, or too large."""
    from PIL import Image as PillowImage

    try:
        with PillowImage.open(io.BytesIO(png), formats=["PNG"]) as opened:
            if opened.width * opened.height > MOST_PIXELS:
                raise NoPicture("The picture is too large to be shown", "save it and open it")
            found = opened.convert("RGBA")
            paper = PillowImage.new("RGBA", found.size, "white")
            return PillowImage.alpha_composite(paper, found).convert("RGB")
    except (OSError, ValueError, SyntaxError, PillowImage.DecompressionBombError) as error:
        raise NoPicture("The picture cannot be read", "its card says what it shows") from error


def fit(
    width: int,
    height: int,
    columns: int,
    rows: int,
    cell: tuple[int, int] = CELL,
    *,
    most: float = 1.0,
) -> tuple[int, int]:
    """Columns and rows, at most those given, that keep the aspect of `width` × `height` pixels.

    A picture is made smaller, and larger than its own pixels at most `most` times.
    """
    width, height = max(1, width), max(1, height)
    natural = (width / cell[0], height / cell[1])
    scale = min(most, columns / natural[0], rows / natural[1])
    return max(1, round(natural[0] * scale)), max(1, round(natural[1] * scale))


def half_blocks(image: Image, columns: int, rows: int) -> list[Row]:
    """`image` as that many cells, averaged down."""
    from PIL.Image import Resampling

    small = image.resize((columns, 2 * rows), Resampling.LANCZOS)
    data = small.tobytes()
    pixels = [(data[at], data[at + 1], data[at + 2]) for at in range(0, len(data), 3)]
    lines = [pixels[at : at + columns] for at in range(0, len(pixels), columns)]
    return [
        tuple(zip(upper, lower, strict=True))
        for upper, lower in zip(lines[::2], lines[1::2], strict=True)
    ]


def shades(image: Image, columns: int, rows: int) -> list[str]:
    """`image` as that many characters, the darker the fuller."""
    from PIL.Image import Resampling

    data = image.convert("L").resize((columns, rows), Resampling.LANCZOS).tobytes()
    text = "".join(_SHADES[(255 - value) * len(_SHADES) // 256] for value in data)
    return [text[at : at + columns] for at in range(0, len(text), columns)]


def painted(png: bytes, kind: str, columns: int, rows: int) -> str:
    """The picture as text for a terminal of that many cells; `kind` as `--images` has it."""
    image = decoded(png)
    size = fit(image.width, image.height, columns, rows)
    if kind == "kitty":
        return "".join(_kitty(png, *size)) + "\n"
    if kind == "sixel":
        from starchat_tui.terminal.sixel import sixels

        return sixels(image.resize((size[0] * CELL[0], size[1] * CELL[1]))) + "\n"
    if kind == "unicode":
        return "".join(f"{row}\n" for row in shades(image, *size))
    return "".join(f"{_ansi(row)}{_PLAIN}\n" for row in half_blocks(image, *size))


def _ansi(row: Row) -> str:
    """A row with a colour sequence only where a colour changes."""
    parts: list[str] = []
    before: tuple[Pixel, Pixel] | None = None
    for upper, lower in row:
        if (upper, lower) != before:
            parts.append("\x1b[38;2;{};{};{};48;2;{};{};{}m".format(*upper, *lower))
            before = (upper, lower)
        parts.append("▀")
    return "".join(parts)


def _kitty(png: bytes, columns: int, rows: int) -> Iterator[str]:
    """Kitty's graphics protocol: a PNG in base64, in chunks, shown in that many cells."""
    data = base64.b64encode(png).decode()
    first = f"a=T,f=100,q=2,c={columns},r={rows},"
    for start in range(0, len(data), _KITTY_CHUNK):
        chunk, more = data[start : start + _KITTY_CHUNK], int(start + _KITTY_CHUNK < len(data))
        yield f"\x1b_G{first if start == 0 else ''}m={more};{chunk}\x1b\\"
