"""Prose of answers as Markdown that cannot open links, hide text or emit control sequences."""

from __future__ import annotations

from typing import Any

from markdown_it import MarkdownIt
from textual.content import Content
from textual.highlight import highlight
from textual.widgets import Markdown
from textual.widgets.markdown import MarkdownFence

from starchat_tui.sanitize import sanitize_text
from starchat_tui.terminal.highlight import TAB_SIZE
from starchat_tui.ui.messages import LinkClicked


class QuotedFence(MarkdownFence):
    """A code block inside a quotation, or an indented one: small, so Textual's widget will do."""

    @classmethod
    def highlight(cls, code: str, language: str, ansi: bool = False, dark: bool = False) -> Content:
        """Return the code in colors; without a language it stays plain."""
        # Textual would guess the language, which imports every lexer of Pygments (0.4 s). Tabs are
        # expanded first: its lexer expands them too and would shift every color behind one.
        return highlight(code.expandtabs(TAB_SIZE), language=language or "text")


class Prose(Markdown):
    """Prose between two code blocks."""

    BLOCKS = {  # noqa: RUF012 (as Markdown has it)
        **Markdown.BLOCKS,
        "fence": QuotedFence,
        "code_block": QuotedFence,
    }

    def __init__(self) -> None:
        super().__init__(parser_factory=create_parser, open_links=False)

    def on_markdown_link_clicked(self, event: Markdown.LinkClicked) -> None:
        """Report the click; nothing is opened from here."""
        event.stop()
        self.post_message(LinkClicked(event.href))


def create_parser() -> MarkdownIt:
    """Return a Markdown parser without HTML, which Textual would drop, and without autolinks."""
    # No `linkify`: it would make a link of `main.py`, which is a domain in Paraguay.
    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    parser.core.ruler.push("sanitize", _sanitize_tokens)
    return parser


def _sanitize_tokens(state: Any) -> None:
    """Sanitize tokens after parsing: entities such as `&#x202E;` are decoded only by then."""
    pending = list(state.tokens)
    while pending:
        token = pending.pop()
        token.content, token.info = sanitize_text(token.content), sanitize_text(token.info)
        token.attrs = {
            key: sanitize_text(value) if isinstance(value, str) else value
            for key, value in token.attrs.items()
        }
        pending += token.children or []
