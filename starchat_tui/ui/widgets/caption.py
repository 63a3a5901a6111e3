"""Text of the screen itself: titles, buttons, keys."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static


class Caption(Static):
    """A title, a button or a list of keys; the mouse does not select it as part of an answer."""

    ALLOW_SELECT = False

    def __init__(self, text: str | Content, *, classes: str = "") -> None:
        super().__init__(text, markup=False, classes=classes)
