"""Image widgets of textual-image, kept from asking the terminal anything.

The library is imported with the first plot: it brings numpy along (0.2 s).
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any, cast

from textual.widget import Widget

from starchat_tui.terminal.image_detection import ImageSettings
from starchat_tui.terminal.sixel import encode_sixels

HALF_BLOCKS = ImageSettings()
"""Settings that every terminal can show."""


def create_image_widget(image: Any, images: ImageSettings) -> Widget:
    """Return the widget of a decoded image for one of the protocols in `PIXEL_WIDGETS`."""
    with _hide_terminal():
        from textual_image import _terminal

        # The library would ask the terminal for its cell size, and Textual would read the answer
        # as keys: the cached result of `get_cell_size` is set to what was detected at the start.
        setattr(_terminal.get_cell_size, "_result", _terminal.CellSize(*images.cell_size))  # noqa: B010
        widget_class = PIXEL_WIDGETS[images.protocol]()
    return widget_class(image)


def _load_kitty_class() -> Callable[[Any], Widget]:
    from textual_image.widget import TGPImage

    return TGPImage


@cache
def _create_sixel_class() -> Callable[[Any], Widget]:
    """Return the library's sixel widget with our encoder in it.

    The library's encoder defines a color where it is used first, and xterm draws the rows above in
    another color. Ours defines every color first. The names are private: a test fails if they move.
    """
    from textual_image.widget import sixel

    class Sixels(sixel._ImageSixelImpl):
        def _image_to_sixels(self, image: Any, *_: Any, **__: Any) -> str:
            return encode_sixels(image.convert("RGB"))

    class SixelImage(sixel.Image, Renderable=sixel._NoopRenderable):
        def compose(self) -> Iterator[Widget]:
            yield Sixels(self.image)

    return SixelImage


PIXEL_WIDGETS: Mapping[str, Callable[[], Callable[[Any], Widget]]] = {
    "kitty": _load_kitty_class,
    "sixel": _create_sixel_class,
}
"""Loaders of the widget class by protocol; only those that draw pixels need a widget."""


@contextmanager
def _hide_terminal() -> Iterator[None]:
    """Hide the terminal from a library that queries it while it is imported.

    It writes to `sys.__stdout__` if that is a terminal, and waits for answers that Textual reads.
    """
    original = sys.__stdout__
    sys.__stdout__ = cast(Any, io.StringIO())  # type: ignore[misc]
    try:
        yield
    finally:
        sys.__stdout__ = original  # type: ignore[misc]
