"""Figures and images as PNG, small enough for a frame."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, NamedTuple

from starchat_tui.sandbox.guest.describe.figure_description import describe_figure

MAX_SIDE = 4000
"""Pixels of the longer side; a larger picture is rendered at a lower resolution."""
MAX_PNG_BYTES = 12 * 2**20
"""Bytes of a picture; a larger one is rendered again at a lower resolution."""
_MAX_STRETCH = 2.5
"""Ratio of a picture to its figure, up to which the margin grows to hold what sticks out."""


Grids = tuple[tuple[bytes, str], ...]
"""PNG and labels of a figure for each of several grids of cells (`grid_rendering`)."""


class Picture(NamedTuple):
    """Picture with its text description."""

    png: bytes
    width: int
    """In pixels."""
    height: int
    """In pixels."""
    description: str
    grids: Grids = ()


def create_picture(figure: Any, heading: str = "") -> Picture:
    """Return the present state of a figure; its description begins with `heading`."""
    # Rendered before it is described: drawing settles ticks and limits.
    png, width, height = render_figure(figure)
    description = describe_figure(figure)
    return Picture(png, width, height, f"{heading}\n{description}" if heading else description)


def copy_canvas(figure: Any) -> Callable[[], Picture]:
    """Copy the pixels of a figure, as its window would show them; return what encodes them."""
    from PIL import Image

    canvas = figure.canvas
    if figure.stale or not hasattr(canvas, "renderer"):
        canvas.draw()
    size = canvas.get_width_height(physical=True)
    pixels, description = bytes(canvas.buffer_rgba()), describe_figure(figure)
    return lambda: Picture(*encode_png(Image.frombytes("RGBA", size, pixels)), description)


def render_figure(figure: Any) -> tuple[bytes, int, int]:
    """Return a figure as PNG, with its width and height in pixels.

    The resolution is lowered until the picture keeps to `MAX_SIDE` and `MAX_PNG_BYTES`.
    """
    side = max(map(float, figure.get_size_inches()))
    # Before it is measured: `get_tightbbox` allocates a canvas at the figure's own resolution.
    figure.set_dpi(min(float(figure.dpi), MAX_SIDE / max(side, 0.01)))
    longest, options = _measure_picture(figure)
    dpi = min(float(figure.dpi), MAX_SIDE / max(longest, 0.01))
    while True:
        buffer = io.BytesIO()
        try:
            # Not `savefig`, which the backend wraps to record what the code saves.
            figure.canvas.print_figure(buffer, format="png", dpi=dpi, **options)
        except (RuntimeError, ValueError):
            # An artist far outside the figure can make the tight canvas too large for Agg; the
            # figure without its surroundings is smaller.
            if not options:
                raise
            dpi, options = float(figure.dpi), {}
            continue
        png = buffer.getvalue()
        if len(png) <= MAX_PNG_BYTES:
            return png, *_read_png_size(png)
        dpi /= 2


def _measure_picture(figure: Any) -> tuple[float, dict[str, str]]:
    """Return the longer side of the picture in inches, and the options for `print_figure`.

    The margins fit what is drawn, unless something far outside would make them enormous.
    """
    width, height = map(float, figure.get_size_inches())
    box = figure.get_tightbbox()
    sides = (box.width / width, box.height / height) if box is not None else (0.0, 0.0)
    if all(0 < side <= _MAX_STRETCH for side in sides):
        return max(box.width, box.height), {"bbox_inches": "tight"}
    return max(width, height), {}


def encode_png(image: Any) -> tuple[bytes, int, int]:
    """Return a Pillow image as PNG, with its width and height in pixels.

    It is scaled down until it keeps to `MAX_SIDE` and `MAX_PNG_BYTES`.
    """
    # PNG has no CMYK, and Pillow scales a palette image without smoothing.
    image = image.convert(
        "RGBA" if "A" in image.getbands() or "transparency" in image.info else "RGB"
    )
    side = MAX_SIDE
    while True:
        image.thumbnail((side, side))
        buffer = io.BytesIO()
        image.save(buffer, format="PNG")
        if buffer.tell() <= MAX_PNG_BYTES:
            return buffer.getvalue(), image.width, image.height
        side //= 2


def _read_png_size(png: bytes) -> tuple[int, int]:
    """Return the width and height in the IHDR chunk (PNG specification, 11.2.2)."""
    return int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")
