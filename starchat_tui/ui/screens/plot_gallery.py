"""All plots of a conversation, small and side by side: Enter enlarges one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import ItemGrid, Vertical, VerticalScroll

from starchat_tui.chat.conversation_plots import NumberedPlot
from starchat_tui.sanitize import sanitize_text
from starchat_tui.terminal.image_detection import ImageSettings
from starchat_tui.ui.messages import FigureActionRequested
from starchat_tui.ui.textual_overrides import SafeDialog
from starchat_tui.ui.widgets.caption import Caption
from starchat_tui.ui.widgets.figure import Plot

MAX_PLOTS = 60
"""Plots that are shown, the newest ones: each has to be decoded."""
THUMBNAIL_ROWS = 10
_MIN_COLUMNS = 28
"""Columns of a thumbnail at least; a window has one per that many."""


class Thumbnail(Vertical, can_focus=True):
    """A small plot above its number and title."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "request('enlarge')", "Enlarge"),
        Binding("o", "request('open')", "Open"),
        Binding("s", "request('save')", "Save"),
    ]

    def __init__(self, plot: NumberedPlot, images: ImageSettings) -> None:
        super().__init__()
        self._plot = plot
        self._images = images

    def compose(self) -> ComposeResult:
        """Yield the image and the title."""
        if self._images.protocol != "off":
            yield Plot(self._plot.figure, self._images, max_rows=THUMBNAIL_ROWS)
        title = sanitize_text(self._plot.title)
        yield Caption(f"{self._plot.number} · {title} · block {self._plot.block}")

    def on_click(self) -> None:
        """Enlarge the plot."""
        self.action_request("enlarge")

    def action_request(self, action: Literal["enlarge", "open", "save"]) -> None:
        """Ask to enlarge, open or save the plot."""
        self.post_message(FigureActionRequested(self._plot.figure, action))


class PlotGallery(SafeDialog[None]):
    """Shows plots as thumbnails, and begins at the last one."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss", "Close"),
        Binding("left", "move(-1, 0)", "Previous", show=False),
        Binding("right", "move(1, 0)", "Next", show=False),
        Binding("up", "move(0, -1)", "Up", show=False),
        Binding("down", "move(0, 1)", "Down", show=False),
    ]

    def __init__(self, plots: Sequence[NumberedPlot], images: ImageSettings) -> None:
        super().__init__()
        self._plots = plots[-MAX_PLOTS:]
        self._images = images
        count, hidden = len(plots), len(plots) - len(self._plots)
        self._title = "1 plot" if count == 1 else f"{count} plots"
        if hidden:
            self._title += f" · the first {hidden} are not shown"

    def compose(self) -> ComposeResult:
        """Yield the thumbnails and the keys."""
        with Vertical(classes="dialog gallery"):
            yield Caption(self._title, classes="dialog--title")
            with VerticalScroll(can_focus=False), ItemGrid(min_column_width=_MIN_COLUMNS):
                for plot in self._plots:
                    yield Thumbnail(plot, self._images)
            yield Caption("Enter enlarge · o open · s save · Esc close", classes="dialog--keys")

    def on_mount(self) -> None:
        """Focus the newest plot."""
        self.query(Thumbnail).last().focus()

    def action_move(self, columns: int, rows: int) -> None:
        """Move the focus by plots or by rows of plots."""
        thumbnails = list(self.query(Thumbnail))
        top = thumbnails[0].region.y
        width = sum(one.region.y == top for one in thumbnails)
        at = next((at for at, one in enumerate(thumbnails) if one.has_focus), 0)
        target = at + columns + rows * width
        if 0 <= target < len(thumbnails):
            thumbnails[target].focus()
