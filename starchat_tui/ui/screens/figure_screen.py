"""A plot on the whole screen, with its complete description."""

from __future__ import annotations

from typing import ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from starchat_tui.sandbox.outputs import Figure
from starchat_tui.sanitize import sanitize_text
from starchat_tui.terminal.image_detection import ImageSettings
from starchat_tui.ui.messages import FigureActionRequested
from starchat_tui.ui.textual_overrides import SafeDialog
from starchat_tui.ui.widgets.caption import Caption
from starchat_tui.ui.widgets.figure import Plot

MAX_SCALE = 4.0
"""Largest enlargement of the image's own pixels."""
_OTHER_ROWS = 7
"""Rows of border, padding and keys."""
_OTHER_COLUMNS = 6
"""Columns of border and padding."""
_USUAL_DESCRIPTION_ROWS = 4
_MAX_DESCRIPTION_ROWS = 10
"""Rows that the image leaves to the description; a longer one is scrolled."""
_MIN_IMAGE_ROWS = 4


def measure_enlarged(columns: int, rows: int) -> tuple[int, int]:
    """Return the cells of an enlarged plot, with a description of some lines, on that screen."""
    return int(columns * 0.98) - _OTHER_COLUMNS, rows - _OTHER_ROWS - _USUAL_DESCRIPTION_ROWS


class FigureScreen(SafeDialog[None]):
    """Shows a plot as large as possible."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter", "dismiss", "Close"),
        Binding("o", "request('open')", "Open"),
        Binding("s", "request('save')", "Save"),
    ]

    def __init__(self, figure: Figure, images: ImageSettings, rows: int) -> None:
        """Create the screen for a terminal of that many rows."""
        super().__init__()
        self._figure = figure
        self._images = images
        self._rows = rows

    def compose(self) -> ComposeResult:
        """Yield the image, its description and the keys."""
        description = sanitize_text(self._figure.card).strip()
        description_rows = min(_MAX_DESCRIPTION_ROWS, description.count("\n") + 1)
        image_rows = max(_MIN_IMAGE_ROWS, self._rows - _OTHER_ROWS - description_rows)
        with Vertical(classes="dialog enlarged"):
            yield Plot(self._figure, self._images, max_rows=image_rows, max_scale=MAX_SCALE)
            with VerticalScroll():
                yield Static(Content(description), markup=False)
            yield Caption("o open · s save · Esc close", classes="dialog--keys")

    def on_mount(self) -> None:
        """Focus the description: the arrow keys scroll it."""
        self.query_one(VerticalScroll).focus()

    def action_request(self, action: Literal["open", "save"]) -> None:
        """Ask to open or save the plot."""
        self.post_message(FigureActionRequested(self._figure, action))
