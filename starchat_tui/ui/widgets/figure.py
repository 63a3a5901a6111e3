"""A plot on the screen: the picture, the same in words, and what can be done with it."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Static

from starchat_tui.sandbox.outputs import Figure
from starchat_tui.sanitize import clean
from starchat_tui.terminal.images import NoPicture, Row, decoded, fit, half_blocks, shades
from starchat_tui.ui.messages import FigureWanted
from starchat_tui.ui.widgets.column import Column
from starchat_tui.ui.widgets.image import Images, picture_widget

MOST_ROWS = 24
"""Rows of a plot in the conversation."""
LARGE = 4.0
"""How many times its own pixels an enlarged plot may take."""
COARSE = 2.0
"""The same for half-blocks anywhere: a cell shows two pixels, so more cells show more."""
CARD_LINES = 8
"""Lines of its card there; all of them stand under the enlarged one."""


class HalfBlocks(Widget):
    """Rows of half-blocks, two pixels a cell."""

    def __init__(self, rows: list[Row]) -> None:
        super().__init__()
        self._rows = rows
        self._strips: dict[int, Strip] = {}
        self.styles.width, self.styles.height = len(rows[0]), len(rows)

    def render_line(self, y: int) -> Strip:
        """One row."""
        if y >= len(self._rows):
            return Strip.blank(self.size.width)
        if y not in self._strips:
            self._strips[y] = Strip(
                [
                    Segment(
                        "▀", Style(color=Color.from_rgb(*upper), bgcolor=Color.from_rgb(*lower))
                    )
                    for upper, lower in self._rows[y]
                ]
            )
        return self._strips[y].crop(0, self.size.width)


class Plot(Vertical):
    """The picture alone, as large as its place allows, and at most `most` times its pixels."""

    def __init__(
        self, figure: Figure, images: Images, *, most_rows: int = MOST_ROWS, most: float = 1.0
    ) -> None:
        super().__init__()
        self._figure = figure
        self._images = images
        self._most_rows = most_rows
        self._most = most if images.kind in ("kitty", "sixel") else COARSE * most
        self._drawn = (0, 0)

    def on_resize(self, event: events.Resize) -> None:
        """Draw it in its new width."""
        size = fit(
            self._figure.width,
            self._figure.height,
            event.size.width,
            self._most_rows,
            self._images.cell,
            most=self._most,
        )
        if event.size.width and size != self._drawn and self._images.kind != "off":
            self._drawn = size
            self.run_worker(self._draw(*size), exclusive=True)

    async def _draw(self, columns: int, rows: int) -> None:
        try:
            drawn = await asyncio.to_thread(self._made, columns, rows)
        except NoPicture as error:
            drawn = Static(f"{error.message}; {error.hint}", markup=False)
        async with self.batch():
            await self.remove_children()
            await self.mount(drawn)

    def _made(self, columns: int, rows: int) -> Widget:
        """The widget; made in a thread, because decoding takes its time."""
        image = decoded(self._figure.png)
        if self._images.kind == "half":
            return HalfBlocks(half_blocks(image, columns, rows))
        if self._images.kind == "unicode":
            return Static(Content("\n".join(shades(image, columns, rows))), markup=False)
        drawn = picture_widget(image, self._images)
        drawn.styles.width, drawn.styles.height = columns, rows
        return drawn


class FigureView(Column, can_focus=True):
    """A plot under its code."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "want('enlarge')", "Enlarge", show=False, id="figure.enlarge"),
        Binding("o", "want('open')", "Open", show=False, id="figure.open"),
        Binding("s", "want('save')", "Save", show=False, id="figure.save"),
    ]

    def __init__(self, figure: Figure, images: Images) -> None:
        super().__init__()
        self._figure = figure
        self._images = images

    def compose(self) -> ComposeResult:
        """The picture, the card, the keys."""
        if self._images.kind != "off":
            yield Plot(self._figure, self._images)
        lines = clean(self._figure.card).strip().split("\n")
        more = [f"… {len(lines) - CARD_LINES} more lines"] if len(lines) > CARD_LINES else []
        card = "\n".join(lines[:CARD_LINES] + more)
        yield Static(Content(card), markup=False, classes="figure--card")
        keys = "Enter enlarges   o opens   s saves"
        yield Static(keys, markup=False, classes="figure--keys")

    def on_click(self) -> None:
        """A click enlarges."""
        self.action_want("enlarge")

    def action_want(self, how: str) -> None:
        """Say what the reader wants with it."""
        ways = {"enlarge": "enlarge", "open": "open", "save": "save"}
        self.post_message(FigureWanted(self._figure, ways[how]))  # type: ignore[arg-type]


class Enlarged(ModalScreen[None]):
    """A plot as large as the screen, with its whole card."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter", "dismiss", "Close"),
        Binding("o", "want('open')", "Open"),
        Binding("s", "want('save')", "Save"),
    ]

    def __init__(self, figure: Figure, images: Images, rows: int) -> None:
        super().__init__()
        self._figure = figure
        self._images = images
        self._rows = rows
        """Rows of the screen."""

    def compose(self) -> ComposeResult:
        """The picture, the card below it, the keys."""
        lines = clean(self._figure.card).strip()
        room = max(4, self._rows - 7 - min(10, lines.count("\n") + 1))
        with Vertical(classes="dialog enlarged"):
            yield Plot(self._figure, self._images, most_rows=room, most=LARGE)
            with VerticalScroll():
                yield Static(Content(lines), markup=False)
            keys = "o opens   s saves   Esc closes"
            yield Static(keys, markup=False, classes="dialog--keys")

    def on_mount(self) -> None:
        """The arrow keys scroll the card at once."""
        self.query_one(VerticalScroll).focus()

    def action_want(self, how: str) -> None:
        """Say what the reader wants with it."""
        self.post_message(FigureWanted(self._figure, "open" if how == "open" else "save"))
