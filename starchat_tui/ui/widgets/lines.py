"""Lines of styled text in a scroll view that draws only visible rows and can be selected."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip

from starchat_tui.terminal.highlight import STYLES, Line


class LineView(ScrollView, can_focus=True):
    """Rows of styled text that is safe for the terminal.

    Textual's line API is used in place of `render`: an answer of 800 lines of code costs no more a
    frame than one of 25.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"code--{style}" for style in STYLES}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "scroll_left", "Scroll left", show=False),
        Binding("right", "scroll_right", "Scroll right", show=False),
        Binding("home", "scroll_home", "Line start", show=False),
        Binding("end", "scroll_end_of_line", "Line end", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[Line] = [()]
        self._strips: dict[int, Strip] = {}
        """Rows as drawn for the current `_view`."""
        self._view = (0, 0)
        """First visible column and number of visible columns."""
        self._plain_style: Style | None = None
        """Cached `rich_style`: computing it costs more than drawing a row."""

    def notify_style_update(self) -> None:
        """Discard the rows drawn in the colors of the last theme."""
        self._strips.clear()
        self._plain_style = None
        super().notify_style_update()

    @property
    def plain_style(self) -> Style:
        """Style of a token that has none of its own."""
        if self._plain_style is None:
            self._plain_style = self.rich_style
        return self._plain_style

    def render_line(self, y: int) -> Strip:
        """Render the visible part of one row."""
        view = (round(self.scroll_x), self.size.width)
        if view != self._view:
            self._view = view
            self._strips.clear()
        row = y + round(self.scroll_y)
        if row >= len(self._lines):
            return Strip.blank(view[1], self.plain_style)
        if (selected := self._render_selected(row)) is not None:
            return selected
        if row not in self._strips:
            self._strips[row] = self._crop_to_view(
                Strip(list(self._build_segments(self._lines[row]))), row
            )
        return self._strips[row]

    def _crop_to_view(self, strip: Strip, row: int) -> Strip:
        scroll, width = self._view
        # The offsets are how Textual maps a mouse position to the text that is selected; they count
        # characters, of which some take two columns.
        hidden = len(strip.crop(0, scroll).text)
        return strip.crop_extend(scroll, scroll + width, self.plain_style).apply_offsets(
            hidden, row
        )

    def _build_segments(self, line: Line) -> Iterator[Segment]:
        for style, text in line:
            name = f"code--{style}"
            yield Segment(text, self.get_component_rich_style(name) if style else self.plain_style)

    def _render_selected(self, row: int) -> Strip | None:
        """Return the row with its selected part marked; None if nothing of it is selected."""
        selection = self.text_selection
        span = selection.get_span(row) if selection is not None else None
        if span is None:
            return None
        line = Strip(list(self._build_segments(self._lines[row])))
        text = line.text
        start, end = cell_len(text[: span[0]]), cell_len(text[: span[1]] if span[1] >= 0 else text)
        mark = Style(bgcolor=self.screen.get_component_rich_style("screen--selection").bgcolor)
        chosen = Strip(Segment.apply_style(line.crop(start, end), post_style=mark))
        return self._crop_to_view(Strip.join([line.crop(0, start), chosen, line.crop(end)]), row)

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """Return the selected text without the padding of the rows."""
        first, start = (selection.start.y, selection.start.x) if selection.start else (0, 0)
        count = len(self._lines)
        last, end = (selection.end.y, selection.end.x) if selection.end else (count, None)
        rows = range(max(0, first), min(last + 1, count))
        copied = (
            self._copy_row(row, start if row == first else 0, end if row == last else None)
            for row in rows
        )
        return "\n".join(copied), "\n"

    def _copy_row(self, row: int, start: int, end: int | None) -> str:
        """Return the text of a row between two positions in what is shown; None is the end."""
        return "".join(text for _, text in self._lines[row])[start:end]

    def action_scroll_end_of_line(self) -> None:
        """Scroll to the end of the longest line."""
        self.scroll_to(x=self.max_scroll_x, animate=False)


def line_width(line: Line) -> int:
    """Return the number of columns that a line takes."""
    return sum(cell_len(text) for _, text in line)
