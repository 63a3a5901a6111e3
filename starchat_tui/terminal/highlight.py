"""Code as coloured lines, lexed a line at a time while it is being written.

Pygments starts over from the states it was in at the end of the line before. A token that only one
regular expression over many lines can match (a docstring) is coloured as its beginning reads, until
`whole` lexes the finished block at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len

from starchat_tui.sanitize import clean

if TYPE_CHECKING:
    from pygments.lexer import Lexer

Token = tuple[str, str]
"""A style name (one of `STYLES`, or empty) and its text."""
Line = tuple[Token, ...]

STYLES = (
    *("comment", "keyword", "constant", "builtin", "function", "class", "decorator"),
    *("string", "number", "operator", "inserted", "deleted", "heading"),
)
TAB = 4
"""Columns between tab stops."""

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


def language_of(named: str, first_line: str) -> str:
    """The language to lex: the named one, else Python where the first line reads like it."""
    if named:
        return named
    return "python" if _PYTHON.match(first_line) else "text"


def lexer_of(language: str) -> Lexer:
    """Pygments' lexer of that name, or the one that leaves text as it is."""
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    try:
        return get_lexer_by_name(language, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return get_lexer_by_name("text", stripnl=False, ensurenl=False)


class Highlighter:
    """Lexes one block's lines in order."""

    def __init__(self, language: str) -> None:
        self._lexer = lexer_of(language)
        self._stack = ["root"] if _restartable(self._lexer) else []
        """The lexer's states at the start of the next line; empty where it cannot be restarted."""

    def feed(self, line: str) -> Line:
        """The next whole line, without its newline."""
        tokens, stack = self._lex(line)
        if not any(kind == "Error" for kind, _ in tokens):
            self._stack = stack
        return _styled(tokens)

    def peek(self, line: str) -> Line:
        """A line that is still growing, coloured as far as it reads."""
        return _styled(self._lex(line)[0])

    def whole(self, lines: Iterable[str]) -> list[Line]:
        """All lines of a finished block, lexed at once."""
        text = "\n".join(lines)
        found = self._lexer.get_tokens_unprocessed(text + "\n")
        tokens = [(_kind(kind), value) for _, kind, value in found]
        if "".join(value for _, value in tokens) != text + "\n":
            tokens = [("", text + "\n")]  # a lexer that drops something
        return [_styled(line) for line in _split(tokens)][:-1]

    def _lex(self, line: str) -> tuple[list[Token], list[str]]:
        """The tokens of `line`, and the lexer's states at its end."""
        if not self._stack:
            return [("", line)], []
        from pygments.lexer import ExtendedRegexLexer, LexerContext

        context = LexerContext(line + "\n", 0, self._stack.copy())
        lex: Any = ExtendedRegexLexer.get_tokens_unprocessed
        try:
            found = [(_kind(kind), text) for _, kind, text in lex(self._lexer, context=context)]
        except TypeError:  # a callback that takes no context: this lexer cannot be restarted
            self._stack = []
            return [("", line)], []
        return [(kind, text.replace("\n", "")) for kind, text in found], context.stack


def _restartable(lexer: Lexer) -> bool:
    """Whether it is a machine of states (an extended one may keep more than its states)."""
    from pygments.lexer import ExtendedRegexLexer, RegexLexer

    own = type(lexer).get_tokens_unprocessed
    if isinstance(lexer, ExtendedRegexLexer):
        return own is ExtendedRegexLexer.get_tokens_unprocessed
    return isinstance(lexer, RegexLexer)


def _kind(kind: Any) -> str:
    return ".".join(kind)


def _style(kind: str) -> str:
    while kind:
        if kind in _STYLE_OF:
            return _STYLE_OF[kind]
        kind = kind.rpartition(".")[0]
    return ""


def _split(tokens: Iterable[Token]) -> Iterator[list[Token]]:
    line: list[Token] = []
    for kind, value in tokens:
        first, *others = value.split("\n")
        line.append((kind, first))
        for part in others:
            yield line
            line = [(kind, part)]
    yield line


def _styled(tokens: Iterable[Token]) -> Line:
    """Neighbours of one style joined, made safe for the terminal, tabs as spaces."""
    parts: list[Token] = []
    column = 0
    for kind, value in tokens:
        if not value:
            continue
        style, text = _style(kind), clean(value)
        if "\t" in text:
            text = (" " * column + text).expandtabs(TAB)[column:]
        column += cell_len(text)
        if parts and parts[-1][0] == style:
            parts[-1] = (style, parts[-1][1] + text)
        else:
            parts.append((style, text))
    return tuple(parts)
