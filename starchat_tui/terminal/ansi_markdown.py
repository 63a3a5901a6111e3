"""An answer for a terminal that only appends: prose as it comes, code highlighted line by line.

Prose keeps its Markdown: it reads well as it is, and what is printed cannot be changed when a
delimiter finds its partner.
"""

from __future__ import annotations

import io

from starchat_tui.codeblocks import BlockClosed, BlockOpened, Code, CodeBlockParser, MarkdownEvent
from starchat_tui.sanitize import ProseSanitizer, sanitize_text
from starchat_tui.terminal.highlight import LineLexer

_DIM, _PLAIN = "\x1b[2m", "\x1b[0m"


class AnsiMarkdownRenderer:
    """Renders pieces of an answer as text that is safe to print, with ANSI colors if wanted.

    What is printed cannot be colored again, so a line of code is held back until it is complete.
    """

    def __init__(self, *, color: bool) -> None:
        self._color = color
        self._fences = CodeBlockParser()
        self._prose = ProseSanitizer()
        self._lexer: LineLexer | None = None
        """The lexer of the open code block; Pygments is imported with the first one."""
        self._line = ""
        """Its last line, as long as it is incomplete."""

    def feed(self, text: str) -> str:
        """Add text to the answer and return what can be printed now."""
        if not self._color:
            return self._prose.feed(text)
        return "".join(map(self._render, self._fences.feed(text)))

    def finish(self) -> str:
        """End the answer and return the text that was held back."""
        rest = "" if not self._color else "".join(map(self._render, self._fences.finish()))
        return rest + self._flush_line() + self._prose.finish()

    def _render(self, event: MarkdownEvent) -> str:
        if isinstance(event, BlockOpened):
            rest, self._prose = self._prose.finish(), ProseSanitizer()
            self._lexer, self._line = LineLexer(event.language or "python"), ""
            return f"{rest}{_DIM}```{sanitize_text(event.language)}{_PLAIN}\n"
        if isinstance(event, BlockClosed):
            return f"{self._flush_line()}{_DIM}```{_PLAIN}\n"
        if not isinstance(event, Code):
            return self._prose.feed(event.text)
        *complete, self._line = (self._line + event.text).split("\n")
        return "".join(f"{self._highlight_line(line)}\n" for line in complete)

    def _flush_line(self) -> str:
        line, self._line = self._line, ""
        return self._highlight_line(line) if line else ""

    def _highlight_line(self, line: str) -> str:
        from pygments.formatters import TerminalFormatter

        assert self._lexer is not None
        # Cleaned first: the formatter must find no escape sequence but its own.
        file = io.StringIO()
        TerminalFormatter().format(self._lexer.feed(sanitize_text(line)), file)
        return file.getvalue().removesuffix("\n")
