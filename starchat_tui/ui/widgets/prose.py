"""Answers' prose as Markdown that cannot open links, hide text or forge a control sequence."""

from __future__ import annotations

from typing import Any

from markdown_it import MarkdownIt
from textual.content import Content
from textual.highlight import highlight
from textual.widgets import Markdown
from textual.widgets.markdown import MarkdownFence

from starchat_tui.sanitize import clean
from starchat_tui.terminal.highlight import TAB
from starchat_tui.ui.messages import LinkOpened


class QuotedFence(MarkdownFence):
    """A code block inside a quotation, or an indented one: small, so the stock widget serves."""

    @classmethod
    def highlight(cls, code: str, language: str, ansi: bool = False, dark: bool = False) -> Content:
        """The code in colours; without a language it stays plain, guessing loads every lexer."""
        return highlight(code.expandtabs(TAB), language=language or "text")


class Prose(Markdown):
    """One run of prose between code blocks."""

    BLOCKS = {  # noqa: RUF012 (as Markdown has it)
        **Markdown.BLOCKS,
        "fence": QuotedFence,
        "code_block": QuotedFence,
    }

    def __init__(self) -> None:
        super().__init__(parser_factory=parser, open_links=False)

    def on_markdown_link_clicked(self, event: Markdown.LinkClicked) -> None:
        """Say it; nothing is opened from here."""
        event.stop()
        self.post_message(LinkOpened(event.href))


def parser() -> MarkdownIt:
    """Markdown without HTML (Textual would drop it) and without guessing links (`main.py`)."""
    made = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    made.core.ruler.push("clean", _clean_tokens)
    return made


def _clean_tokens(state: Any) -> None:
    """Entities such as `&#x202E;` are written out by now, so what they made is judged here."""
    pending = list(state.tokens)
    while pending:
        token = pending.pop()
        token.content, token.info = clean(token.content), clean(token.info)
        token.attrs = {
            key: clean(value) if isinstance(value, str) else value
            for key, value in token.attrs.items()
        }
        pending += token.children or []
