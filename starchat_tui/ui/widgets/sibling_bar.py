"""Position of an answer among those to the same question."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal

from starchat_tui.ui.messages import SiblingRequested
from starchat_tui.ui.widgets.caption import Caption


class SiblingBar(Horizontal):
    """Position of an answer among those to the same question, between two arrows to click."""

    def __init__(self, turn: int, position: int, count: int) -> None:
        super().__init__()
        self._turn, self._position, self._count = turn, position, count

    def compose(self) -> ComposeResult:
        """Yield the arrows and the position."""
        yield SiblingArrow("‹", self._turn, -1 if self._position > 1 else 0)
        yield Caption(f" {self._position}/{self._count} ")
        yield SiblingArrow("›", self._turn, 1 if self._position < self._count else 0)


class SiblingArrow(Caption):
    """Shows the answer before or after; dim where there is none."""

    def __init__(self, text: str, turn: int, step: int) -> None:
        super().__init__(text, classes="" if step else "-end")
        self._turn, self._step = turn, step

    def on_click(self) -> None:
        """Ask for the other answer."""
        if self._step:
            self.post_message(SiblingRequested(self._turn, self._step))
