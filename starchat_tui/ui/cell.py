"""A code block on the screen: only visible lines are rendered, only new lines are lexed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip
from textual.widgets import Static

from starchat_tui.clean import clean
from starchat_tui.fences import CodeBlock
from starchat_tui.ui.column import Column
from starchat_tui.ui.highlight import STYLES, Highlighter, Line, language_of
from starchat_tui.ui.messages import CopyRequested


class CodeLines(ScrollView, can_focus=True):
    """The lines of a code block, coloured as they arrive; the last one may be incomplete."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"code--{style}" for style in STYLES}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "scroll_left", "Scroll left", show=False),
        Binding("right", "scroll_right", "Scroll right", show=False),
        Binding("home", "scroll_home", "Line start", show=False),
        Binding("end", "scroll_end_of_line", "Line end", show=False),
        Binding("c", "copy", "Copy", show=False, id="cell.copy"),
    ]

    def __init__(self, language: str = "") -> None:
        super().__init__()
        self._named = language
        self._highlighter: Highlighter | None = None
        self._raw: list[str] = [""]
        """The lines as the model wrote them."""
        self._lines: list[Line] = [()]
        self._strips: dict[int, Strip] = {}
        """Rows as they were drawn in `_view`."""
        self._view = (0, 0)
        """The columns that are scrolled away, and the width of the rest."""
        self._widest = 0

    @property
    def code(self) -> str:
        """The block's text as the model wrote it."""
        return "\n".join(self._raw)

    def feed(self, text: str) -> None:
        """Add text at the end; costs no more than the lines it touches."""
        first, *others = text.replace("\r\n", "\n").split("\n")
        begun = len(self._raw) - 1
        self._raw[-1] += first
        for line in others:
            self._lines[-1] = self._lexer().feed(self._raw[-1])
            self._raw.append(line)
            self._lines.append(())
        self._lines[-1] = self._lexer().peek(self._raw[-1])
        self._changed(begun)

    def finish(self) -> None:
        """Lex the whole block once more: some tokens are known only from their end."""
        while len(self._raw) > 1 and not self._raw[-1].strip():
            del self._raw[-1], self._lines[-1]
        if any(self._raw):
            self._lines = self._lexer().whole(self._raw)
        self._widest = 0
        self._changed(0)

    def _lexer(self) -> Highlighter:
        if self._highlighter is None or not any(self._raw[:-1]):
            first = next((line for line in self._raw if line.strip()), "")
            self._highlighter = Highlighter(language_of(self._named, first))
        return self._highlighter

    def _changed(self, first: int) -> None:
        """Lines from `first` on are new."""
        for y in range(first, len(self._lines)):
            self._strips.pop(y, None)
            self._widest = max(self._widest, _width(self._lines[y]))
        self.virtual_size = Size(self._widest, self._height())
        self.refresh_lines(first, len(self._lines) - first)

    def _height(self) -> int:
        """Rows; a last line that is still empty has none."""
        return max(1, len(self._lines) - (self._raw[-1] == ""))

    def notify_style_update(self) -> None:
        """Draw with the new theme's colours."""
        self._strips.clear()
        super().notify_style_update()

    def render_line(self, y: int) -> Strip:
        """One row, as far as it is scrolled into view."""
        view = (round(self.scroll_x), self.size.width)
        if view != self._view:
            self._view = view
            self._strips.clear()
        if y >= len(self._lines):
            return Strip.blank(view[1], self.rich_style)
        if (selected := self._selected(y)) is not None:
            return selected
        if y not in self._strips:
            self._strips[y] = self._in_view(Strip(list(self._segments(self._lines[y]))), y)
        return self._strips[y]

    def _in_view(self, strip: Strip, y: int) -> Strip:
        scroll, width = self._view
        return strip.crop_extend(scroll, scroll + width, self.rich_style).apply_offsets(scroll, y)

    def _segments(self, line: Line) -> Iterator[Segment]:
        for style, text in line:
            name = f"code--{style}"
            yield Segment(text, self.get_component_rich_style(name) if style else self.rich_style)

    def _selected(self, y: int) -> Strip | None:
        """The row with the selected part marked; None where nothing of it is selected."""
        selection = self.text_selection
        span = selection.get_span(y) if selection is not None else None
        if span is None:
            return None
        line = Strip(list(self._segments(self._lines[y])))
        text = line.text
        start, end = cell_len(text[: span[0]]), cell_len(text[: span[1]] if span[1] >= 0 else text)
        mark = Style(bgcolor=self.screen.get_component_rich_style("screen--selection").bgcolor)
        chosen = Strip(Segment.apply_style(line.crop(start, end), post_style=mark))
        return self._in_view(Strip.join([line.crop(0, start), chosen, line.crop(end)]), y)

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """The selected text as it is seen, without the padding of the rows."""
        shown = "\n".join("".join(text for _, text in line) for line in self._lines)
        return selection.extract(shown), "\n"

    def action_scroll_end_of_line(self) -> None:
        """Scroll to the end of the longest line."""
        self.scroll_to(x=self.max_scroll_x, animate=False)

    def action_copy(self) -> None:
        """Ask for this block in the clipboard."""
        self.post_message(CopyRequested(self.code, "the code block"))


class CodeCell(Column):
    """A code block with its language, its number and a way to copy it."""

    def __init__(self, language: str, number: int) -> None:
        super().__init__()
        self._language = language
        self.number = number
        self._complete = False
        self._body = CodeLines(language)

    def compose(self) -> ComposeResult:
        """A title row over the lines."""
        with Horizontal(classes="cell--title"):
            yield Static(clean(self._language) or "code", markup=False, classes="cell--language")
            yield Static(Content(f"copy {self.number}"), markup=False, classes="cell--copy")
        yield self._body

    @property
    def block(self) -> CodeBlock:
        """What the model wrote, as far as it has come."""
        return CodeBlock(self._language, self._body.code, self._complete)

    def feed(self, text: str) -> None:
        """Add code at the end."""
        self._body.feed(text)

    def finish(self) -> None:
        """The block is whole, or nothing more will come."""
        self._complete = True
        self._body.finish()

    def on_click(self, event: object) -> None:
        """A click on the title's right end copies."""
        widget = getattr(event, "widget", None)
        if widget is not None and widget.has_class("cell--copy"):
            self.post_message(CopyRequested(self._body.code, f"code block {self.number}"))


def _width(line: Line) -> int:
    return sum(cell_len(text) for _, text in line)
