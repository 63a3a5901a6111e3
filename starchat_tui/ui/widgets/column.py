"""Containers that are laid out once when a child grows, not three times.

Textual lays out and repaints the whole screen after each change of a container's `virtual_size`.
Here the change is itself the result of a layout, so nothing can have moved since; a scroll bar that
appears or disappears requests its own layout. (Textual 8.2: `Widget.virtual_size`.)
"""

from __future__ import annotations

from textual.containers import Vertical, VerticalScroll
from textual.geometry import Size
from textual.reactive import Reactive


class Column(Vertical):
    """Vertical container without the extra layouts."""

    virtual_size = Reactive(Size(0, 0), layout=False, repaint=False)


class ScrolledColumn(VerticalScroll):
    """Scrolling vertical container without the extra layouts."""

    virtual_size = Reactive(Size(0, 0), layout=False, repaint=False)
