"""Plots as pictures: at `show`, at the end of a cell, and those that were only saved."""

from __future__ import annotations

import io
import os
import sys
import weakref
from collections.abc import Callable
from typing import Any

from starchat_tui.sandbox.guest.describe.figure_card import card_of

BACKEND = "module://starchat_tui.sandbox.guest.backend"
LONGEST_SIDE = 4000
"""Pixels; a larger picture is drawn coarser."""
MOST_BYTES = 12 * 2**20
"""Of a picture; a larger one is drawn coarser again."""
PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff")
"""Endings of the files that are shown where a cell saved them."""
_STRETCH = 2.5
"""How much larger than its figure a picture may get by what sticks out, before it is cropped."""


class Easel:
    """What was drawn in this run, and what of it was shown.

    `show` takes a PNG, its width and height in pixels, and its card; `note` takes a sentence.
    """

    def __init__(
        self, show: Callable[[bytes, int, int, str], None], note: Callable[[str], None], most: int
    ) -> None:
        self._show, self._note, self._most = show, note, most
        self._shown = 0
        self._done: weakref.WeakSet[Any] = weakref.WeakSet()
        """Figures that were shown in this run."""
        self._saved: dict[str, tuple[Any, str]] = {}
        """By path: the figure that was saved there, if it lives, and its card."""

    def begin(self) -> None:
        """Forget what the last run drew."""
        self._shown, self._saved = 0, {}
        self._done.clear()

    def publish(self, figure: Any) -> None:
        """Show a figure, unless it has nothing in it or was shown already."""
        if figure in self._done or not (figure.axes or figure.texts or figure.images):
            return
        self._done.add(figure)
        if self._room():
            self._show(*drawn(figure), card_of(figure))

    def saved(self, figure: Any, path: str) -> None:
        """Remember that a figure was written to a file."""
        self._saved[os.path.realpath(path)] = (weakref.ref(figure), card_of(figure))

    def flush(self) -> None:
        """Show every figure that is still open, and close it."""
        pyplot = sys.modules.get("matplotlib.pyplot")
        if pyplot is None:
            return
        try:
            for number in pyplot.get_fignums():
                self.publish(pyplot.figure(number))
        finally:
            pyplot.close("all")

    def file(self, path: str) -> None:
        """Show a picture that a cell wrote, unless its figure was shown."""
        if not path.lower().endswith(PICTURES):
            return
        figure, card = self._saved.get(os.path.realpath(path), (lambda: None, ""))
        if figure() is not None and figure() in self._done:
            return
        from PIL import Image

        try:
            with Image.open(path) as image:
                kind, size = image.format, image.size
                image.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))
                found = pixels(image)
        except (OSError, ValueError, Image.DecompressionBombError) as error:
            self._note(f"`{os.path.basename(path)}` cannot be shown: {error}")
            return
        words = f"{kind} picture {size[0]} × {size[1]} in `{os.path.basename(path)}`"
        if self._room():
            self._show(*found, card or words)

    def picture(self, png: bytes, words: str) -> None:
        """Show a picture that is no plot."""
        from PIL import Image

        with Image.open(io.BytesIO(png)) as image:
            found = pixels(image)
        if self._room():
            self._show(*found, words or f"picture {found[1]} × {found[2]}")

    def _room(self) -> bool:
        self._shown += 1
        if self._shown == self._most + 1:
            self._note(f"More than {self._most} pictures: the rest is not shown.")
        return self._shown <= self._most


def drawn(figure: Any) -> tuple[bytes, int, int]:
    """A figure as PNG, with its width and height in pixels; coarser where it is too large."""
    side = max(map(float, figure.get_size_inches()))
    # Also for what is only measured: the canvas is as large as the figure says.
    figure.set_dpi(min(float(figure.dpi), LONGEST_SIDE / max(side, 0.01)))
    longest, how = _extent(figure)
    dpi = min(float(figure.dpi), LONGEST_SIDE / max(longest, 0.01))
    while True:
        buffer = io.BytesIO()
        try:
            figure.savefig(buffer, format="png", dpi=dpi, **how)
        except (RuntimeError, ValueError):
            # Something far outside can be too much for the canvas; within the figure, less is.
            if not how:
                raise
            dpi, how = float(figure.dpi), {}
            continue
        png = buffer.getvalue()
        if len(png) <= MOST_BYTES:
            return png, *_size(png)
        dpi /= 2


def _extent(figure: Any) -> tuple[float, dict[str, str]]:
    """The longer side of the picture in inches, and how to save it.

    The margin follows what is drawn, except where something far outside would make it enormous.
    """
    width, height = map(float, figure.get_size_inches())
    box = figure.get_tightbbox()
    sides = (box.width / width, box.height / height) if box is not None else (0.0, 0.0)
    if all(0 < side <= _STRETCH for side in sides):
        return max(box.width, box.height), {"bbox_inches": "tight"}
    return max(width, height), {}


def pixels(image: Any) -> tuple[bytes, int, int]:
    """A picture of any kind as PNG, with its width and height; smaller where it is too large."""
    image = image.convert(
        "RGBA" if "A" in image.getbands() or "transparency" in image.info else "RGB"
    )
    side = LONGEST_SIDE
    while True:
        image.thumbnail((side, side))
        buffer = io.BytesIO()
        image.save(buffer, format="PNG")
        if buffer.tell() <= MOST_BYTES:
            return buffer.getvalue(), image.width, image.height
        side //= 2


def _size(png: bytes) -> tuple[int, int]:
    return int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")
