"""Prose of answers as Markdown that cannot open links, hide text or emit control sequences."""

from __future__ import annotations

import re

from textual.await_complete import AwaitComplete
from textual.widgets import Markdown

from starchat_tui.sanitize import ProseSanitizer
from starchat_tui.terminal.prose_markdown import create_prose_parser
from starchat_tui.ui.messages import LinkClicked
from starchat_tui.ui.widgets.prose_blocks import PROSE_BLOCKS

# A line of markers alone may become a rule, a bullet, a heading, an underline, a quotation or a row
# of a table, and a number that of a list. The next character decides what a delimiter is.
_MARKER_LINE = r"(?:(?<=\n)|\A)[ \t]*(?:[-*_=#>|:~+ \t]+|\d{1,9}[.)]?[ \t]*)"
_DELIMITERS = r"[*_~`]+[.,:;!?)\]}\"'*_~`]{0,3}"
_UNDECIDED = re.compile(rf"(?:{_MARKER_LINE}|{_DELIMITERS})\Z")
_LONGEST_UNDECIDED = 200


class Prose(Markdown):
    """Prose between two code blocks; shows no character that a later one could take back.

    An exception is an opening delimiter or bracket: it is text until its partner arrives.
    """

    BLOCKS = PROSE_BLOCKS

    def __init__(self) -> None:
        super().__init__(parser_factory=create_prose_parser, open_links=False)
        self._sanitizer = ProseSanitizer()
        self._undecided = ""

    def append(self, markdown: str) -> AwaitComplete:
        """Add text at the end, and show what is certain of it."""
        text = self._undecided + self._sanitizer.feed(markdown)
        # The pattern's beginning of a line is that of the text.
        margin = "" if self.source[-1:] in ("", "\n") else "x"
        found = _UNDECIDED.search(margin + text, max(0, len(text) - _LONGEST_UNDECIDED))
        end = found.start() - len(margin) if found else len(text)
        self._undecided = text[end:]
        return super().append(text[:end])

    def finish(self) -> AwaitComplete:
        """Show the whole text."""
        source = self.source + self._undecided + self._sanitizer.finish()
        self._undecided = ""
        # Textual's incremental parser may leave a stale line in a list that grew in pieces
        # (ggozad/oterm#308): the whole text is parsed once more.
        return self.update(source)

    def on_markdown_link_clicked(self, event: Markdown.LinkClicked) -> None:
        """Report the click; nothing is opened from here."""
        event.stop()
        self.post_message(LinkClicked(event.href))
