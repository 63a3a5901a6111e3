"""Plots and pictures of a run as PNG: shown by the code, left open, or only saved to a file."""

from __future__ import annotations

import io
import os
import sys
import weakref
from collections.abc import Callable
from typing import Any

from starchat_tui.sandbox.guest.describe.figure_description import describe_figure

BACKEND = "module://starchat_tui.sandbox.guest.backend"
"""The backend's name for `matplotlib.use`."""
MAX_SIDE = 4000
"""Pixels of the longer side; a larger picture is rendered at a lower resolution."""
MAX_PNG_BYTES = 12 * 2**20
"""Bytes of a picture; a larger one is rendered again at a lower resolution."""
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff")
"""Suffixes of files that are shown if a cell wrote them."""
_MAX_STRETCH = 2.5
"""Ratio of a picture to its figure, up to which the margin grows to hold what sticks out."""


class FigurePublisher:
    """Shows each figure of a run once, and at most `max_pictures` pictures.

    A figure counts as shown whether the code called `show`, left it open, or saved it to a file.
    """

    def __init__(
        self,
        show: Callable[[bytes, int, int, str], None],
        note: Callable[[str], None],
        max_pictures: int,
    ) -> None:
        """Show pictures and notes by the functions given.

        Args:
            show: Takes a PNG, its width and height in pixels, and its text description.
            note: Takes a sentence for the user.
            max_pictures: Number of pictures per run; the others are dropped.
        """
        self._show, self._note, self._max_pictures = show, note, max_pictures
        self._picture_count = 0
        # Weak references: figures take much memory, and the code decides how long they live.
        self._published: weakref.WeakSet[Any] = weakref.WeakSet()
        """Figures that were shown in this run."""
        self._saved_figures: dict[str, tuple[Any, str]] = {}
        """Weak reference to the figure that was saved to a path, and its description."""

    def reset(self) -> None:
        """Forget the figures of the last run."""
        self._picture_count, self._saved_figures = 0, {}
        self._published.clear()

    def publish_figure(self, figure: Any) -> None:
        """Show a figure, unless it is empty or was shown already."""
        if figure in self._published or not (figure.axes or figure.texts or figure.images):
            return
        self._published.add(figure)
        if self._take_slot():
            # Rendered before it is described: drawing settles ticks and limits.
            self._show(*render_figure(figure), describe_figure(figure))

    def record_saved_figure(self, figure: Any, path: str) -> None:
        """Remember that a figure was saved to a file."""
        # Described now: the code may close or clear the figure before the end of the cell.
        self._saved_figures[os.path.realpath(path)] = (weakref.ref(figure), describe_figure(figure))

    def publish_open_figures(self) -> None:
        """Show every figure that is still open, and close it."""
        pyplot = sys.modules.get("matplotlib.pyplot")
        if pyplot is None:
            return
        try:
            for number in pyplot.get_fignums():
                self.publish_figure(pyplot.figure(number))
        finally:
            pyplot.close("all")

    def publish_image_file(self, path: str) -> None:
        """Show a picture that a cell wrote, unless its figure was shown."""
        if not path.lower().endswith(PICTURE_SUFFIXES):
            return
        figure, description = self._saved_figures.get(os.path.realpath(path), (lambda: None, ""))
        if figure() is not None and figure() in self._published:
            return
        from PIL import Image

        try:
            with Image.open(path) as image:
                file_format, size = image.format, image.size
                # Lets the JPEG decoder scale down while it decodes, which saves memory and time.
                image.draft("RGB", (MAX_SIDE, MAX_SIDE))
                encoded = encode_png(image)
        except (OSError, ValueError, Image.DecompressionBombError) as error:
            self._note(f"`{os.path.basename(path)}` cannot be shown: {error}")
            return
        fallback = f"{file_format} picture {size[0]} × {size[1]} in `{os.path.basename(path)}`"
        if self._take_slot():
            self._show(*encoded, description or fallback)

    def publish_image(self, png: bytes, description: str) -> None:
        """Show a picture that is not a figure."""
        from PIL import Image

        with Image.open(io.BytesIO(png)) as image:
            encoded = encode_png(image)
        if self._take_slot():
            self._show(*encoded, description or f"picture {encoded[1]} × {encoded[2]}")

    def _take_slot(self) -> bool:
        """Count a picture; return whether it may still be shown."""
        self._picture_count += 1
        if self._picture_count == self._max_pictures + 1:
            self._note(f"The run drew more than {self._max_pictures} pictures; the rest is hidden")
        return self._picture_count <= self._max_pictures


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
            figure.savefig(buffer, format="png", dpi=dpi, **options)
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
    """Return the longer side of the picture in inches, and the options for `savefig`.

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
