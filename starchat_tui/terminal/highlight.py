"""Incremental syntax highlighting: a code block is lexed line by line as it arrives.

Pygments resumes from the state stack saved at the end of the previous line, so a line costs the
same however long its block is. A token that only a multi-line regular expression can match (a
docstring) is colored as its beginning reads until `lex_whole` processes the finished block.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len

from starchat_tui.sanitize import sanitize_text

if TYPE_CHECKING:
    from pygments.lexer import Lexer

PygmentsToken = tuple[Any, str]
"""A token type of Pygments (a tuple of names) and its text."""
Token = tuple[str, str]
"""A style name (one of `STYLES`, or empty) and its text."""
Line = tuple[Token, ...]

STYLES = (
    *("comment", "keyword", "constant", "builtin", "function", "class", "decorator"),
    *("string", "number", "operator", "inserted", "deleted", "heading"),
)
TAB_SIZE = 4
"""Columns between tab stops."""
CONTEXT_LINES = 40
"""Preceding lines that are lexed again with each line where a lexer cannot resume."""

_STYLE_OF = {
    "Comment": "comment",
    "Keyword": "keyword",
    "Keyword.Constant": "constant",
    "Keyword.Type": "class",
    "Literal.String": "string",
    "Literal.Number": "number",
    "Name.Attribute": "function",
    "Name.Builtin": "builtin",
    "Name.Builtin.Pseudo": "constant",
    "Name.Class": "class",
    "Name.Constant": "constant",
    "Name.Decorator": "decorator",
    "Name.Exception": "class",
    "Name.Function": "function",
    "Name.Tag": "keyword",
    "Operator": "operator",
    "Operator.Word": "keyword",
    "Generic.Inserted": "inserted",
    "Generic.Deleted": "deleted",
    "Generic.Heading": "heading",
    "Generic.Subheading": "heading",
    "Generic.Output": "comment",
    "Generic.Prompt": "decorator",
}
_PYTHON = re.compile(
    r"\s*(?:def |class |import |from \w|with |for .+ in |while .+:|if .+:|print\(|@\w|#|\"\"\""
    r"|return\b|[\w.\[\], ]+ [-+*/]?= |[\w.]+\()"
)


def choose_language(named: str, first_line: str) -> str:
    """Return the language to lex: the named one, else Python if the first line looks like it."""
    # Never `guess_lexer`: it imports every lexer of Pygments, 0.4 s in the middle of an answer.
    if named:
        return named
    return "python" if _PYTHON.match(first_line) else "text"


def find_lexer(language: str) -> Lexer:
    """Return Pygments' lexer of that name, or its plain-text lexer for an unknown one."""
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    try:
        return get_lexer_by_name(language, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return get_lexer_by_name("text", stripnl=False, ensurenl=False)


class LineLexer:
    """Lexes the lines of one code block in order, at a cost that does not grow."""

    def __init__(self, language: str) -> None:
        self._lexer = find_lexer(language)
        self._stack = ["root"] if _is_resumable(self._lexer) else []
        """The lexer's states at the start of the next line; empty if it cannot resume."""
        self._context: deque[str] = deque(maxlen=CONTEXT_LINES)

    def feed(self, line: str) -> list[PygmentsToken]:
        """Return the tokens of the next complete line (given without its newline)."""
        tokens, stack = self._lex(line)
        # After an error the stack may be anywhere: resuming from it would miscolor the rest.
        if not any(_kind(token_type) == "Error" for token_type, _ in tokens):
            self._stack = stack
        self._context.append(line)
        return tokens

    def peek(self, line: str) -> list[PygmentsToken]:
        """Return the tokens of a line that is still growing."""
        return self._lex(line)[0]

    def lex_whole(self, lines: Iterable[str]) -> list[list[PygmentsToken]]:
        """Return the tokens of each line of a finished block, lexed at once."""
        return _split_lines(self._lex_text("\n".join(lines)))

    def _lex(self, line: str) -> tuple[list[PygmentsToken], list[str]]:
        """Return the tokens of `line` and the lexer's states at its end."""
        if not self._stack:
            return self._lex_in_context(line), []
        from pygments.lexer import ExtendedRegexLexer, LexerContext

        context = LexerContext(line + "\n", 0, self._stack.copy())
        # The one method of Pygments that takes a state stack and returns the one at the end. It is
        # called unbound: a plain RegexLexer has the same tables, but no way to resume.
        lex: Any = ExtendedRegexLexer.get_tokens_unprocessed
        try:
            found = [(kind, text) for _, kind, text in lex(self._lexer, context=context)]
        except TypeError:  # a callback without a context parameter: this lexer cannot resume
            self._stack = []
            return self._lex_in_context(line), []
        return found, context.stack

    def _lex_in_context(self, line: str) -> list[PygmentsToken]:
        """Lex `line` after the lines before it, as many of them as are kept."""
        return _split_lines(self._lex_text("\n".join([*self._context, line])))[-1]

    def _lex_text(self, text: str) -> list[PygmentsToken]:
        from pygments.token import Text

        text += "\n"
        tokens = [(kind, part) for _, kind, part in self._lexer.get_tokens_unprocessed(text)]
        if "".join(part for _, part in tokens) != text:
            return [(Text, text)]  # a lexer that drops something
        return tokens


class Highlighter:
    """Turns the lines of one code block into styled lines that are safe for a terminal."""

    def __init__(self, language: str) -> None:
        self._lexer = LineLexer(language)

    def feed(self, line: str) -> Line:
        """Return the next complete line (given without its newline)."""
        return _style_line(self._lexer.feed(line))

    def peek(self, line: str) -> Line:
        """Return a line that is still growing, colored as far as it reads."""
        return _style_line(self._lexer.peek(line))

    def highlight_whole(self, lines: Iterable[str]) -> list[Line]:
        """Return all lines of a finished block, lexed at once."""
        return [_style_line(tokens) for tokens in self._lexer.lex_whole(lines)]


def _is_resumable(lexer: Lexer) -> bool:
    """Return whether the stack is all of the lexer's state.

    A lexer with a loop of its own may keep more, or change the tokens of the standard one.
    """
    from pygments.lexer import ExtendedRegexLexer, RegexLexer

    standard = (RegexLexer.get_tokens_unprocessed, ExtendedRegexLexer.get_tokens_unprocessed)
    return isinstance(lexer, RegexLexer) and type(lexer).get_tokens_unprocessed in standard


def _kind(token_type: Any) -> str:
    return ".".join(token_type)


def _find_style(kind: str) -> str:
    while kind:
        if kind in _STYLE_OF:
            return _STYLE_OF[kind]
        kind = kind.rpartition(".")[0]
    return ""


def _split_lines(tokens: Iterable[PygmentsToken]) -> list[list[PygmentsToken]]:
    """Split tokens after each newline, which stays with its line; the text ends with one."""
    lines: list[list[PygmentsToken]] = [[]]
    for token_type, text in tokens:
        # Not `splitlines`: it would also break at separators that `sanitize_text` makes visible.
        *complete, rest = text.split("\n")
        for part in complete:
            lines[-1].append((token_type, f"{part}\n"))
            lines.append([])
        if rest:
            lines[-1].append((token_type, rest))
    return lines[:-1]


def _style_line(tokens: Sequence[PygmentsToken]) -> Line:
    """Join neighbors of one style, make them safe for the terminal, and expand tabs."""
    parts: list[Token] = []
    column = 0
    for token_type, value in tokens:
        style, text = _find_style(_kind(token_type)), sanitize_text(value.rstrip("\n"))
        if not text:
            continue
        if "\t" in text:
            text = (" " * column + text).expandtabs(TAB_SIZE)[column:]
        column += cell_len(text)
        if parts and parts[-1][0] == style:
            parts[-1] = (style, parts[-1][1] + text)
        else:
            parts.append((style, text))
    return tuple(parts)
