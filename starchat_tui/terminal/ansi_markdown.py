"""An answer for a terminal that only appends: prose as it comes, code highlighted line by line."""

from __future__ import annotations

from starchat_tui.codeblocks import Closed, Code, Event, Fences, Opened
from starchat_tui.sanitize import clean

_DIM, _PLAIN = "\x1b[2m", "\x1b[0m"


class Painter:
    """Turns pieces of an answer into text that is safe to print, with colour where wanted."""

    def __init__(self, *, color: bool) -> None:
        self._color = color
        self._fences = Fences()
        self._language = ""
        self._code = ""
        """The code block so far: a line's colours depend on the lines before it."""
        self._line = ""

    def feed(self, text: str) -> str:
        """What can be printed after `text` came."""
        if not self._color:
            return clean(text)
        return "".join(map(self._painted, self._fences.feed(text)))

    def finish(self) -> str:
        """What was held back."""
        if not self._color:
            return ""
        return "".join(map(self._painted, self._fences.finish())) + self._flush()

    def _painted(self, event: Event) -> str:
        if isinstance(event, Opened):
            self._language, self._code, self._line = event.language, "", ""
            return f"{_DIM}```{clean(event.language)}{_PLAIN}\n"
        if isinstance(event, Closed):
            return f"{self._flush()}{_DIM}```{_PLAIN}\n"
        if not isinstance(event, Code):
            return clean(event.text)
        *whole, self._line = (self._line + event.text).split("\n")
        return "".join(self._highlighted(f"{line}\n") for line in whole)

    def _flush(self) -> str:
        line, self._line = self._line, ""
        return self._highlighted(line) if line else ""

    def _highlighted(self, line: str) -> str:
        from pygments import highlight
        from pygments.formatters import TerminalFormatter
        from pygments.lexers import get_lexer_by_name
        from pygments.util import ClassNotFound

        self._code += clean(line)
        try:
            lexer = get_lexer_by_name(self._language or "python", stripnl=False, ensurenl=False)
        except ClassNotFound:
            return clean(line)
        painted: list[str] = highlight(self._code, lexer, TerminalFormatter()).split("\n")
        ended = line.endswith("\n")
        return painted[-2] + "\n" if ended else painted[-1]
