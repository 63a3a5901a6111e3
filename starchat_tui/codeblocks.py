"""Code blocks in Markdown that arrives in pieces.

CommonMark's fences: backticks or tildes, at least three, closed by as many or more of the same. A
fence may stand in a list item, as deep as the item's text. Quoted ones (`> `) stay prose.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Prose:
    """Text outside code blocks."""

    text: str


@dataclass(frozen=True, slots=True)
class Opened:
    """A code block begins; `language` is the first word of its info string, in lower case."""

    language: str


@dataclass(frozen=True, slots=True)
class Code:
    """Text inside a code block, without the fence's indent."""

    text: str


@dataclass(frozen=True, slots=True)
class Closed:
    """The code block's closing fence has come."""


Event = Prose | Opened | Code | Closed


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """One code block; `complete` says whether its closing fence has come."""

    language: str
    code: str
    complete: bool = False


@dataclass(frozen=True, slots=True)
class _Fence:
    mark: str
    indent: int
    """Its column; as much is taken off each line."""
    item: int
    """The column where the list item it stands in begins; 0 outside lists."""


_MARKER = r"(?P<lead>[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]+)?"
_OPENING = re.compile(
    rf"{_MARKER}(?P<indent>[ \t]*)(?P<mark>`{{3,}}(?=[^`]*$)|~{{3,}})(?P<info>.*)"
)
_MAYBE_OPENING = re.compile(
    r"[ \t]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+|[-*+]|\d{1,9}[.)]?)?[ \t]*"
    r"(?:`{0,2}|~{0,2}|`{3,}[^`]*|~{3,}.*)"
)
_ITEM = re.compile(r"[ \t]*(?:[-*+]|\d{1,9}[.)])(?:[ \t]+|$)")


class Fences:
    """Splits a stream of Markdown into prose and code, the same way wherever it is cut."""

    def __init__(self) -> None:
        self._line = ""
        """The part of the current line that may still become a fence."""
        self._passing = False
        """Whether the rest of the current line is plain text."""
        self._open: _Fence | None = None
        self._item = 0
        """The column where the text of the current list item begins."""

    def feed(self, text: str) -> list[Event]:
        """What is certain after `text`; neighbours of one kind are joined."""
        events: list[Event] = []
        for part in re.findall(r"[^\n]*\n|[^\n]+", text):
            self._take(part, events)
        return joined(events)

    def finish(self) -> list[Event]:
        """What was held back at the end of the text: a last line without its newline."""
        events: list[Event] = []
        if self._line:
            self._end_line(events)
        return joined(events)

    def _take(self, part: str, events: list[Event]) -> None:
        if self._passing:
            events.append(self._text(part))
            self._passing = not part.endswith("\n")
            return
        self._line += part
        if part.endswith("\n"):
            self._end_line(events)
        elif not self._undecided(self._line):
            self._passing = True
            self._plain(events)

    def _end_line(self, events: list[Event]) -> None:
        line = self._line.rstrip("\r\n")
        if self._open is not None:
            self._end_code_line(line, self._open, events)
        elif (opening := _OPENING.fullmatch(line)) and self._reaches(opening):
            self._begin(opening, events)
        else:
            self._plain(events)

    def _end_code_line(self, line: str, fence: _Fence, events: list[Event]) -> None:
        mark = line.strip(" \t")
        closes = len(mark) >= len(fence.mark) and not mark.strip(fence.mark[0])
        if not closes or _indent(line) > fence.item + 3:
            self._plain(events)
            return
        self._open, self._line = None, ""
        events.append(Closed())

    def _reaches(self, opening: re.Match[str]) -> bool:
        """Whether the fence is not indented so far that it would be text."""
        return bool(opening["lead"]) or _columns(opening["indent"]) <= self._item + 3

    def _begin(self, opening: re.Match[str], events: list[Event]) -> None:
        lead = opening["lead"] or ""
        if lead:
            events.append(Prose(lead.rstrip() + "\n"))
            self._item = _columns(lead)
        column = _columns(lead + opening["indent"])
        item = self._item if column >= self._item else 0
        self._open = _Fence(opening["mark"], column, item)
        self._line = ""
        events.append(Opened(_language(opening["info"])))

    def _plain(self, events: list[Event]) -> None:
        """Let the held part of the line go as text."""
        line, self._line = self._line, ""
        if self._open is not None:
            line = _dedented(line, self._open.indent)
        elif item := _ITEM.match(line):
            self._item = _columns(item[0].rstrip("\n"))
        elif line.strip() and not line[0].isspace():
            self._item = 0
        events.append(self._text(line))

    def _text(self, text: str) -> Event:
        return Prose(text) if self._open is None else Code(text)

    def _undecided(self, line: str) -> bool:
        if self._open is None:
            return _MAYBE_OPENING.fullmatch(line) is not None
        return not line.strip(" \t\r").strip(self._open.mark[0])


def joined(events: Iterable[Event]) -> list[Event]:
    """The events with neighbouring texts of one kind made one, and empty ones left out."""
    result: list[Event] = []
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


def events(text: str) -> list[Event]:
    """The whole of `text` in prose and code."""
    fences = Fences()
    return joined([*fences.feed(text), *fences.finish()])


def blocks(text: str) -> list[CodeBlock]:
    """The code blocks of `text` in order; the last one may be incomplete, but not empty then."""
    found: list[CodeBlock] = []
    for event in events(text):
        if isinstance(event, Opened):
            found.append(CodeBlock(event.language, ""))
        elif isinstance(event, Code):
            found[-1] = replace(found[-1], code=event.text)
        elif isinstance(event, Closed):
            found[-1] = replace(found[-1], complete=True)
    return [block for block in found if block.code or block.complete]


def _language(info: str) -> str:
    words = info.split()
    return words[0].strip("{}.").lower() if words else ""


def _columns(space: str) -> int:
    return len(space.expandtabs(4))


def _indent(line: str) -> int:
    return _columns(line[: len(line) - len(line.lstrip(" \t"))])


def _dedented(line: str, columns: int) -> str:
    """`line` without at most `columns` columns of leading white space."""
    while columns > 0 and line[:1] in (" ", "\t") and line[:1]:
        columns -= 1 if line[0] == " " else 4
        line = line[1:]
    return line
