"""A plot on the screen: the image, its description in words, and the keys for it."""

from __future__ import annotations

import asyncio
from typing import ClassVar, Literal

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Static

from starchat_tui.sandbox.outputs import Figure, GridPicture
from starchat_tui.sanitize import sanitize_text
from starchat_tui.terminal.cell_images import MOSAICS, Row, render_cells
from starchat_tui.terminal.grid_plots import choose_grid, render_figure, render_grid
from starchat_tui.terminal.image_detection import ImageSettings
from starchat_tui.terminal.images import InvalidImage, decode_png, fit_to_cells
from starchat_tui.ui.messages import FigureActionRequested
from starchat_tui.ui.widgets.caption import Caption
from starchat_tui.ui.widgets.column import Column
from starchat_tui.ui.widgets.image import PIXEL_WIDGETS, create_image_widget

MAX_ROWS = 24
"""Rows of a plot in the conversation."""
FIGURE_MARGIN = 5
"""Columns of a code cell beside the plots below it."""
CELL_IMAGE_SCALE = 2.0
"""Additional enlargement for characters: a cell shows few pixels, so more cells show more."""
DESCRIPTION_LINES = 8
"""Lines of the description in the conversation; the enlarged plot shows all of them."""


class CellImage(Widget):
    """Rows of characters in two colors each."""

    def __init__(self, rows: list[Row]) -> None:
        super().__init__()
        self._rows = rows
        self._strips: dict[int, Strip] = {}
        self.styles.width, self.styles.height = len(rows[0]), len(rows)

    def render_line(self, y: int) -> Strip:
        """Render one row."""
        if y >= len(self._rows):
            return Strip.blank(self.size.width)
        if y not in self._strips:
            self._strips[y] = Strip(
                [
                    Segment(
                        character,
                        Style(color=Color.from_rgb(*color), bgcolor=Color.from_rgb(*background)),
                    )
                    # Behind a wide character is a cell without one.
                    for character, color, background in self._rows[y]
                    if character
                ]
            )
        return self._strips[y].crop(0, self.size.width)


class Plot(Vertical):
    """The image alone, as large as its container allows."""

    def __init__(
        self,
        figure: Figure,
        images: ImageSettings,
        *,
        max_rows: int = MAX_ROWS,
        max_scale: float = 1.0,
    ) -> None:
        """Create the widget; the image is enlarged at most `max_scale` times."""
        super().__init__()
        self._figure = figure
        self._images = images
        self._max_rows = max_rows
        in_pixels = images.protocol in PIXEL_WIDGETS
        self._max_scale = max_scale if in_pixels else CELL_IMAGE_SCALE * max_scale
        self._drawn_size = (0, 0)

    def on_resize(self, event: events.Resize) -> None:
        """Draw the image for the new width."""
        self._draw_for_width(event.size.width)

    def replace_figure(self, figure: Figure) -> None:
        """Draw another figure in place of this one."""
        self._figure, self._drawn_size = figure, (0, 0)
        self._draw_for_width(self.size.width)

    def _draw_for_width(self, width: int) -> None:
        space, protocol = (width, self._max_rows), self._images.protocol
        grid = choose_grid(self._figure, protocol, *space)
        if grid is not None:
            size = (grid.columns, grid.rows)
        else:
            size = fit_to_cells(
                self._figure.width,
                self._figure.height,
                *space,
                self._images.cell_size,
                max_scale=self._max_scale,
            )
        if width and size != self._drawn_size and protocol != "off":
            self._drawn_size = size
            self.run_worker(self._draw(grid, *size), exclusive=True)

    async def _draw(self, grid: GridPicture | None, columns: int, rows: int) -> None:
        try:
            # In a thread: decoding a large image would hold up the keys.
            drawn = await asyncio.to_thread(self._create_widget, grid, columns, rows)
        except InvalidImage as error:
            text = f"{error.message}; {error.hint}".removesuffix("; ")
            drawn = Static(text, markup=False)
        async with self.batch():
            await self.remove_children()
            await self.mount(drawn)

    def _create_widget(self, grid: GridPicture | None, columns: int, rows: int) -> Widget:
        protocol = self._images.protocol
        if protocol == "unicode":
            text = render_figure(self._figure, protocol, columns, rows)
            return Static(Text.from_ansi(text.rstrip("\n")), markup=False)
        # Textual cannot pass on sequences that it does not know: pixels need a widget of their own.
        mosaic = MOSAICS.get(protocol, MOSAICS["half"])
        if grid is not None:
            return CellImage(render_grid(grid, decode_png(grid.png), mosaic))
        image = decode_png(self._figure.png)
        if protocol not in PIXEL_WIDGETS:
            return CellImage(render_cells(image, columns, rows, mosaic))
        drawn = create_image_widget(image, self._images)
        drawn.styles.width, drawn.styles.height = columns, rows
        return drawn


class FigureView(Column, can_focus=True):
    """A plot below its code."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "request('enlarge')", "Enlarge", show=False, id="figure.enlarge"),
        Binding("o", "request('open')", "Open", show=False, id="figure.open"),
        Binding("s", "request('save')", "Save", show=False, id="figure.save"),
    ]

    def __init__(self, figure: Figure, images: ImageSettings) -> None:
        super().__init__()
        self._figure = figure
        self._images = images

    def compose(self) -> ComposeResult:
        """Yield the image, its description and the keys."""
        if self._images.protocol != "off":
            yield Plot(self._figure, self._images)
        yield Static(self._format_card(), markup=False, classes="figure--card")
        keys = "Enter enlarge · o open · s save"
        yield Caption(keys, classes="figure--keys")

    def replace_figure(self, figure: Figure) -> None:
        """Show a later state of the plot in its place."""
        self._figure = figure
        for plot in self.query_children(Plot):
            plot.replace_figure(figure)
        self.query_one(".figure--card", Static).update(self._format_card())

    def _format_card(self) -> Content:
        lines = sanitize_text(self._figure.card).strip().split("\n")
        hidden = len(lines) - DESCRIPTION_LINES
        more = [f"… {hidden} more lines"] if hidden > 0 else []
        return Content("\n".join(lines[:DESCRIPTION_LINES] + more))

    def on_click(self) -> None:
        """Enlarge the plot."""
        self.action_request("enlarge")

    def action_request(self, action: Literal["enlarge", "open", "save"]) -> None:
        """Ask to enlarge, open or save the plot."""
        self.post_message(FigureActionRequested(self._figure, action))
