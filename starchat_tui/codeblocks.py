"""Parser for the code blocks of Markdown that arrives in pieces.

Fenced code blocks of CommonMark (spec.commonmark.org, section 4.5): at least three backticks or
tildes, closed by at least as many of the same. A fence may stand in a list item, as deep as the
item's text. Not covered: fences in block quotes (`> `) and indented code blocks; both are prose.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

PYTHON_LANGUAGES = ("python", "py", "python3", "ipython", "pycon", "jupyter")
"""Languages of code blocks that hold Python: those that run, and become cells of a notebook."""


@dataclass(frozen=True, slots=True)
class Prose:
    """Text outside code blocks."""

    text: str


@dataclass(frozen=True, slots=True)
class BlockOpened:
    """Start of a code block; `language` is the first word of its info string, in lower case."""

    language: str


@dataclass(frozen=True, slots=True)
class Code:
    """Text inside a code block, without the indent of its fence."""

    text: str


@dataclass(frozen=True, slots=True)
class BlockClosed:
    """Closing fence of a code block."""


MarkdownEvent = Prose | BlockOpened | Code | BlockClosed


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """One code block."""

    language: str
    code: str
    complete: bool = False
    """True if its closing fence has arrived."""


@dataclass(frozen=True, slots=True)
class _Fence:
    mark: str
    """The backticks or tildes that opened the block."""
    column: int
    """Column of the fence; up to that many columns are removed from each line of code."""
    item_column: int
    """Column of the text of the list item around it; 0 outside lists."""


_MARKER = r"(?P<lead>[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]+)?"
# The info string after backticks has no backtick: ```` ```x``` ```` is inline code.
_OPENING = re.compile(
    rf"{_MARKER}(?P<indent>[ \t]*)(?P<mark>`{{3,}}(?=[^`]*$)|~{{3,}})(?P<info>.*)"
)
# The start of a line that may still become an opening fence. Everything else is passed on at once.
_MAYBE_OPENING = re.compile(
    r"[ \t]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+|[-*+]|\d{1,9}[.)]?)?[ \t]*"
    r"(?:`{0,2}|~{0,2}|`{3,}[^`]*|~{3,}.*)"
)
_ITEM = re.compile(r"[ \t]*(?:[-*+]|\d{1,9}[.)])(?:[ \t]+|$)")
_MAX_FENCE_INDENT = 3
"""Columns beyond those of the list item; from four on, CommonMark has an indented code block."""


class CodeBlockParser:
    """Splits a stream of Markdown into prose and code, the same way wherever it is cut."""

    def __init__(self) -> None:
        self._held_line = ""
        """Start of the current line, held back while it may become a fence."""
        self._line_is_text = False
        """True if the rest of the current line is plain text."""
        self._open_fence: _Fence | None = None
        self._item_column = 0
        """Column of the text of the current list item; 0 outside lists."""

    def feed(self, text: str) -> list[MarkdownEvent]:
        """Return the events that are certain after `text`; adjacent ones of a kind are joined."""
        events: list[MarkdownEvent] = []
        for part in re.findall(r"[^\n]*\n|[^\n]+", text):
            self._take_part(part, events)
        return coalesce_events(events)

    def finish(self) -> list[MarkdownEvent]:
        """Return the events of the last line, which was held back if it has no newline."""
        events: list[MarkdownEvent] = []
        if self._held_line:
            self._end_line(events)
        return coalesce_events(events)

    def _take_part(self, part: str, events: list[MarkdownEvent]) -> None:
        """Take a line, or a part of one without its newline."""
        if self._line_is_text:
            events.append(self._text_event(part))
            self._line_is_text = not part.endswith("\n")
            return
        self._held_line += part
        if part.endswith("\n"):
            self._end_line(events)
        elif not self._may_be_fence(self._held_line):
            self._line_is_text = True
            self._emit_held_line(events)

    def _end_line(self, events: list[MarkdownEvent]) -> None:
        line = self._held_line.rstrip("\r\n")
        if self._open_fence is not None:
            self._end_code_line(line, self._open_fence, events)
        elif (opening := _OPENING.fullmatch(line)) and self._is_fence_position(opening):
            self._open_block(opening, events)
        else:
            self._emit_held_line(events)

    def _end_code_line(self, line: str, fence: _Fence, events: list[MarkdownEvent]) -> None:
        mark = line.strip(" \t")
        closes = len(mark) >= len(fence.mark) and not mark.strip(fence.mark[0])
        if not closes or _measure_indent(line) > fence.item_column + _MAX_FENCE_INDENT:
            self._emit_held_line(events)
            return
        self._open_fence, self._held_line = None, ""
        events.append(BlockClosed())

    def _is_fence_position(self, opening: re.Match[str]) -> bool:
        """Return whether the fence is not indented so far that it would be text."""
        indent = _count_columns(opening["indent"])
        return bool(opening["lead"]) or indent <= self._item_column + _MAX_FENCE_INDENT

    def _open_block(self, opening: re.Match[str], events: list[MarkdownEvent]) -> None:
        lead = opening["lead"] or ""
        if lead:
            events.append(Prose(lead.rstrip() + "\n"))
            self._item_column = _count_columns(lead)
        column = _count_columns(lead + opening["indent"])
        # A fence to the left of the item's text ends the item.
        item_column = self._item_column if column >= self._item_column else 0
        self._open_fence = _Fence(opening["mark"], column, item_column)
        self._held_line = ""
        events.append(BlockOpened(_parse_language(opening["info"])))

    def _emit_held_line(self, events: list[MarkdownEvent]) -> None:
        """Emit the held part of the line as text."""
        line, self._held_line = self._held_line, ""
        if self._open_fence is not None:
            line = _dedent_line(line, self._open_fence.column)
        elif item := _ITEM.match(line):
            self._item_column = _count_columns(item[0].rstrip("\n"))
        elif line.strip() and not line[0].isspace():
            # Text in the first column ends the list.
            self._item_column = 0
        events.append(self._text_event(line))

    def _text_event(self, text: str) -> MarkdownEvent:
        return Prose(text) if self._open_fence is None else Code(text)

    def _may_be_fence(self, line: str) -> bool:
        if self._open_fence is None:
            return _MAYBE_OPENING.fullmatch(line) is not None
        return not line.strip(" \t\r").strip(self._open_fence.mark[0])


def coalesce_events(events: Iterable[MarkdownEvent]) -> list[MarkdownEvent]:
    """Return the events with adjacent texts of one kind joined, and empty ones left out."""
    result: list[MarkdownEvent] = []
    for event in events:
        last = result[-1] if result else None
        if isinstance(event, Prose | Code) and not event.text:
            continue
        if isinstance(event, Prose) and isinstance(last, Prose):
            result[-1] = Prose(last.text + event.text)
        elif isinstance(event, Code) and isinstance(last, Code):
            result[-1] = Code(last.text + event.text)
        else:
            result.append(event)
    return result


def parse_events(text: str) -> list[MarkdownEvent]:
    """Return the events of a whole text."""
    parser = CodeBlockParser()
    return coalesce_events([*parser.feed(text), *parser.finish()])


def parse_code_blocks(text: str) -> list[CodeBlock]:
    """Return the code blocks of `text`; the last one may be incomplete, but is then not empty."""
    blocks: list[CodeBlock] = []
    for event in parse_events(text):
        if isinstance(event, BlockOpened):
            blocks.append(CodeBlock(event.language, ""))
        elif isinstance(event, Code):
            blocks[-1] = replace(blocks[-1], code=event.text)
        elif isinstance(event, BlockClosed):
            blocks[-1] = replace(blocks[-1], complete=True)
    return [block for block in blocks if block.code or block.complete]


def fence_code(code: str, language: str) -> str:
    """Return `code` as a Markdown code block, without a newline at its end.

    The fence has more backticks than any in the code, so that nothing in it closes the block.
    """
    longest = max(map(len, re.findall(r"`{3,}", code)), default=2)
    fence = "`" * (longest + 1)
    newline = "" if code.endswith("\n") else "\n"
    return f"{fence}{language}\n{code}{newline}{fence}"


def _parse_language(info: str) -> str:
    # Pandoc writes the info string as `{.python title="x"}`.
    words = info.split()
    return words[0].strip("{}.").lower() if words else ""


def _count_columns(space: str) -> int:
    # CommonMark's tab stops.
    return len(space.expandtabs(4))


def _measure_indent(line: str) -> int:
    return _count_columns(line[: len(line) - len(line.lstrip(" \t"))])


def _dedent_line(line: str, columns: int) -> str:
    """Return `line` without at most `columns` columns of leading white space."""
    while columns > 0 and line[:1] in (" ", "\t") and line[:1]:
        columns -= 1 if line[0] == " " else 4
        line = line[1:]
    return line
