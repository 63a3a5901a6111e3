"""PNG images as terminal output: characters in color, shades of gray, kitty's protocol, sixels.

A PNG that code drew is untrusted input: one format is decoded, with a limit on its pixels.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from starchat_tui.config.settings import ImageProtocol
from starchat_tui.errors import StarChatError
from starchat_tui.terminal.cell_images import MOSAICS, Mosaic, encode_row, render_cells

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PIXELS = 25_000_000
"""Pixels of the largest image that is decoded (75 MB as RGB)."""
DEFAULT_CELL_SIZE = (10, 20)
"""Width and height of a cell in pixels, for a terminal that does not report it (VT340)."""
_SHADES = " ░▒▓█"
_KITTY_CHUNK = 4096
"""Bytes of base64 that one sequence of the kitty protocol may carry."""


class InvalidImage(StarChatError):
    """The bytes are not a PNG that can be shown."""

    code = "no_picture"


@dataclass(frozen=True, slots=True)
class Drawing:
    """An image, and the cells that it fills."""

    png: bytes
    image: Image
    """The same image, decoded."""
    columns: int
    rows: int
    cell_size: tuple[int, int] = DEFAULT_CELL_SIZE
    """Width and height of a cell in pixels."""


@dataclass(frozen=True, slots=True)
class Renderer:
    """Implementation of an image protocol."""

    description: str
    render: Callable[[Drawing], str]
    """Returns the text that draws an image at the cursor."""
    has_pixels: bool = False
    """True if the terminal draws pixels; the text otherwise consists of characters and colors."""


def decode_png(png: bytes) -> Image:
    """Return the image in RGB on a white background.

    Raises `InvalidImage` if the bytes are not a PNG, if it is too large, or without Pillow.
    """
    try:
        from PIL import Image as PillowImage
    except ImportError as error:  # a base installation draws no plots
        raise InvalidImage(
            "Images need Pillow, which is not installed",
            "install it with `pip install 'starchat-tui[plots]'`",
        ) from error
    try:
        with PillowImage.open(io.BytesIO(png), formats=["PNG"]) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                raise InvalidImage("The image is too large to be shown", "save it and open it")
            found = opened.convert("RGBA")
            paper = PillowImage.new("RGBA", found.size, "white")
            return PillowImage.alpha_composite(paper, found).convert("RGB")
    except (OSError, ValueError, SyntaxError, PillowImage.DecompressionBombError) as error:
        raise InvalidImage(
            "The image cannot be read", "its description says what it shows"
        ) from error


def fit_to_cells(
    width: int,
    height: int,
    columns: int,
    rows: int,
    cell_size: tuple[int, int] = DEFAULT_CELL_SIZE,
    *,
    max_scale: float = 1.0,
) -> tuple[int, int]:
    """Return columns and rows, at most those given, that keep the aspect of the pixel size.

    An image is made smaller, and larger than its own pixels at most `max_scale` times.

    Args:
        width: The image's width in pixels.
        height: The image's height in pixels.
        columns: The columns that are available.
        rows: The rows that are available.
        cell_size: Width and height of a cell in pixels.
        max_scale: The largest enlargement of the image.
    """
    width, height = max(1, width), max(1, height)
    natural = (width / cell_size[0], height / cell_size[1])
    scale = min(max_scale, columns / natural[0], rows / natural[1])
    return max(1, round(natural[0] * scale)), max(1, round(natural[1] * scale))


def render_shades(image: Image, columns: int, rows: int) -> list[str]:
    """Return `image` as rows of characters, a fuller one for a darker cell."""
    from PIL.Image import Resampling

    data = image.convert("L").resize((columns, rows), Resampling.LANCZOS).tobytes()
    text = "".join(_SHADES[(255 - value) * len(_SHADES) // 256] for value in data)
    return [text[at : at + columns] for at in range(0, len(text), columns)]


def render_image(
    png: bytes,
    protocol: ImageProtocol,
    columns: int,
    rows: int,
    cell_size: tuple[int, int] = DEFAULT_CELL_SIZE,
) -> str:
    """Return the image as text that draws it at the cursor of a terminal.

    Args:
        png: The image file; `InvalidImage` is raised if it cannot be decoded.
        protocol: The protocol that the terminal understands.
        columns: The columns that the image may take.
        rows: The rows that it may take.
        cell_size: Width and height of a cell in pixels.
    """
    image = decode_png(png)
    size = fit_to_cells(image.width, image.height, columns, rows, cell_size)
    return RENDERERS[protocol].render(Drawing(png, image, *size, cell_size))


def _render_kitty(drawing: Drawing) -> str:
    return "".join(_encode_kitty(drawing.png, drawing.columns, drawing.rows)) + "\n"


def _render_sixels(drawing: Drawing) -> str:
    from starchat_tui.terminal.sixel import encode_sixels

    width, height = drawing.cell_size
    pixels = (drawing.columns * width, drawing.rows * height)
    return encode_sixels(drawing.image.resize(pixels)) + "\n"


def _render_mosaic(mosaic: Mosaic, drawing: Drawing) -> str:
    rows = render_cells(drawing.image, drawing.columns, drawing.rows, mosaic)
    return "".join(f"{encode_row(row)}\n" for row in rows)


def _render_plain_text(drawing: Drawing) -> str:
    rows = render_shades(drawing.image, drawing.columns, drawing.rows)
    return "".join(f"{row}\n" for row in rows)


def _encode_kitty(png: bytes, columns: int, rows: int) -> Iterator[str]:
    """Yield the sequences of kitty's graphics protocol that show a PNG in that many cells.

    The format: https://sw.kovidgoyal.net/kitty/graphics-protocol/
    """
    # a=T: transmit and display, f=100: PNG, q=2: no answers, which nobody would read.
    data = base64.b64encode(png).decode()
    first = f"a=T,f=100,q=2,c={columns},r={rows},"
    for start in range(0, len(data), _KITTY_CHUNK):
        chunk, more = data[start : start + _KITTY_CHUNK], int(start + _KITTY_CHUNK < len(data))
        yield f"\x1b_G{first if start == 0 else ''}m={more};{chunk}\x1b\\"


RENDERERS: Mapping[ImageProtocol, Renderer] = {
    "kitty": Renderer("the kitty protocol", _render_kitty, has_pixels=True),
    "sixel": Renderer("sixels", _render_sixels, has_pixels=True),
    "octant": Renderer("octants", partial(_render_mosaic, MOSAICS["octant"])),
    "sextant": Renderer("sextants", partial(_render_mosaic, MOSAICS["sextant"])),
    "half": Renderer("half-blocks", partial(_render_mosaic, MOSAICS["half"])),
    "unicode": Renderer("shades of gray", _render_plain_text),
    "off": Renderer("no images", lambda drawing: ""),
}
"""The renderer of every image protocol."""
