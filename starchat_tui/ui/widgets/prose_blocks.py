"""Blocks of Markdown as widgets: Textual's, changed where they would not show what was written.

Textual 8.2 joins the lines of a paragraph and runs of spaces, counts an ordered list by itself, and
ignores the alignment of a table's columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from markdown_it.token import Token
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content, Span
from textual.geometry import Size
from textual.highlight import highlight
from textual.style import Style
from textual.widget import Widget
from textual.widgets import Markdown
from textual.widgets import _markdown as textual_markdown
from textual.widgets.markdown import MarkdownBlock, MarkdownFence

from starchat_tui.terminal.highlight import TAB_SIZE
from starchat_tui.terminal.prose_markdown import read_alignment

_STYLES = {"em": ".em", "strong": ".strong", "s": ".s", "code_inline": ".code_inline"}
_CELL_PADDING = 2
"""Columns of padding in a cell; between and around the cells is one column for a line."""
_IMAGE_MARK = "🖼  "


def convert_inline(token: Token) -> Content:
    """Return the content of an inline token, letter for letter."""
    text: list[str] = []
    spans: list[Span] = []
    open_spans: list[tuple[int, Style | str]] = []
    length = 0
    for child in token.children or ():
        kind, shown = child.type, child.content
        if kind == "softbreak":
            shown = "\n"
        elif kind == "image":
            shown = _IMAGE_MARK + _join_text(child)
            spans.append(Span(length, length + len(shown), _link_to(child.attrs.get("src", ""))))
        elif kind == "link_open":
            open_spans.append((length, _link_to(child.attrs.get("href", ""))))
        elif kind == "code_inline":
            spans.append(Span(length, length + len(shown), _STYLES[kind]))
        elif kind.endswith("_open"):
            open_spans.append((length, _STYLES[kind.removesuffix("_open")]))
        elif kind.endswith("_close"):
            start, style = open_spans.pop()
            spans.append(Span(start, length, style))
        text.append(shown)
        length += len(shown)
    return Content("".join(text).expandtabs(TAB_SIZE), spans=spans)


def _link_to(address: Any) -> Style:
    return Style.from_meta({"@click": f"link({str(address)!r})"})


def _join_text(token: Token) -> str:
    return "".join(child.content for child in token.children or ())


def _show_inline(block: MarkdownBlock, token: Token) -> None:
    block.set_content(convert_inline(token))


def _show_letter_for_letter(name: str) -> type[MarkdownBlock]:
    """Return Textual's class of a block with its text as written."""
    base = Markdown.BLOCKS[name]
    # A function, and not a class to inherit from: styles follow the first base class.
    return type(base.__name__, (base,), {"build_from_token": _show_inline})


class QuotedFence(MarkdownFence):
    """A code block inside a quotation, or an indented one: small, so Textual's widget will do."""

    @classmethod
    def highlight(cls, code: str, language: str, ansi: bool = False, dark: bool = False) -> Content:
        """Return the code in colors; without a language it stays plain."""
        # Textual would guess the language, which imports every lexer of Pygments (0.4 s). Tabs are
        # expanded first: its lexer expands them too and would shift every color behind one.
        return highlight(code.expandtabs(TAB_SIZE), language=language or "text")


class BulletItem(textual_markdown.MarkdownUnorderedListItem):
    """An item of an unordered list; a plus sign stays one, as in a difference of two files."""

    def __init__(self, markdown: Markdown, token: Token, bullet: str) -> None:
        super().__init__(markdown, token, "+ " if token.markup == "+" else bullet)


class NumberedItem(textual_markdown.MarkdownOrderedListItem):
    """An item of an ordered list with the number that was written."""

    def __init__(self, markdown: Markdown, token: Token, bullet: str) -> None:
        super().__init__(markdown, token, bullet)
        self.delimiter = token.markup


class NumberedList(textual_markdown.MarkdownOrderedList):
    """An ordered list; an item whose number does not rise is counted."""

    def compose(self) -> ComposeResult:
        """Yield each item behind its number."""
        items = [block for block in self._blocks if isinstance(block, NumberedItem)]
        numbers = list(number_items((item.bullet, item.delimiter) for item in items))
        width = max(map(len, numbers), default=0)
        for number, item in zip(numbers, items, strict=True):
            bullet = textual_markdown.MarkdownBullet()
            bullet.symbol = f"{number.rjust(width)} "
            yield Horizontal(bullet, Vertical(*item._blocks))
        self._blocks.clear()


def number_items(written: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield the numbers of an ordered list, each with its delimiter.

    Numbers are shown as written as long as they rise: `3.` after `1.` says that 2 is left out.
    """
    last = -1
    for number, delimiter in written:
        is_rising = int(number) > last
        last = int(number) if is_rising else last + 1
        yield f"{number if is_rising else last}{delimiter}"


class AlignedHeader(textual_markdown.MarkdownTH):
    """A header of a table, which knows the alignment of its column."""

    def __init__(self, markdown: Markdown, token: Token) -> None:
        super().__init__(markdown, token)
        self.alignment = read_alignment(token)

    build_from_token = _show_inline


class AlignedTableContent(textual_markdown.MarkdownTableContent):
    """The cells of a table, aligned by column."""

    def __init__(
        self, headers: list[Content], rows: list[list[Content]], alignments: list[str]
    ) -> None:
        super().__init__(headers, rows)
        self._alignments = alignments

    def compose(self) -> ComposeResult:
        """Yield the cells row by row."""
        for index, cell in enumerate(super().compose()):
            self._align(cell, index)
            yield cell

    def get_content_width(self, container: Size, viewport: Size) -> int:
        """Return the width that the widest cells need; a grid would fill its container."""
        columns = zip(*[self.headers, *self.rows], strict=False)
        widths = [max(cell.get_optimal_width({}, 0) for cell in column) for column in columns]
        lines = len(widths) + 1
        return int(min(container.width, sum(widths) + _CELL_PADDING * len(widths) + lines))

    async def _update_rows(self, updated_rows: list[list[Content]]) -> None:
        # Called while a table grows. Without this override only the new rows would not be aligned.
        # The last row is among them: it may have been cut.
        self.rows = [*self.rows[:-1], *updated_rows]
        await super()._update_rows(updated_rows)
        for index, cell in enumerate(self.children):
            self._align(cell, index)

    def _align(self, cell: Widget, index: int) -> None:
        cell.styles.text_align = self._alignments[index % len(self._alignments)]  # type: ignore[assignment]


class AlignedTable(textual_markdown.MarkdownTable):
    """A table as wide as its content."""

    def compose(self) -> ComposeResult:
        """Yield the content of the table."""
        self._headers, self._rows = self._get_headers_and_rows()
        alignments = [one.alignment for one in _walk(self) if isinstance(one, AlignedHeader)]
        yield AlignedTableContent(self._headers, self._rows, alignments)


def _walk(block: MarkdownBlock) -> Iterator[MarkdownBlock]:
    for child in block._blocks:
        yield from _walk(child)
        yield child


PROSE_BLOCKS: dict[str, type[MarkdownBlock]] = {
    **Markdown.BLOCKS,
    **{
        name: _show_letter_for_letter(name)
        for name in ("paragraph_open", "h1", "h2", "h3", "h4", "h5", "h6", "td_open")
    },
    "th_open": AlignedHeader,
    "table_open": AlignedTable,
    "list_item_unordered_open": BulletItem,
    "list_item_ordered_open": NumberedItem,
    "ordered_list_open": NumberedList,
    "fence": QuotedFence,
    "code_block": QuotedFence,
}
"""Widgets by the names of their tokens."""
