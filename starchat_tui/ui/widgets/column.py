"""Columns that grow while they are read.

Textual lays the whole screen out and paints it once more after each change of a container's
`virtual_size`. Here it is what the layout just found, so nothing can have moved since; a scroll bar
that comes or goes asks for its own layout.
"""

from __future__ import annotations

from textual.containers import Vertical, VerticalScroll
from textual.geometry import Size
from textual.reactive import Reactive


class Column(Vertical):
    """Widgets one below the other; where one grows, the screen is drawn once, not three times."""

    virtual_size = Reactive(Size(0, 0), layout=False, repaint=False)


class ScrolledColumn(VerticalScroll):
    """The same, scrolled."""

    virtual_size = Reactive(Size(0, 0), layout=False, repaint=False)
