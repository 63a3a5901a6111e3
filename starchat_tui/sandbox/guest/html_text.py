"""HTML and SVG as text: tables with aligned columns, and the names of what cannot be shown."""

from __future__ import annotations

import re
from collections import Counter
from html.parser import HTMLParser
from xml.etree import ElementTree

MAX_CHARS = 4_000_000
"""Characters of HTML that are read."""
_SKIPPED = {"script", "style", "head", "title", "svg", "button", "select", "label", "template"}
_VOID = {"img", "input", "br", "hr", "source", "meta", "link"}
_BLOCKS = {"p", "div", "li", "ul", "ol", "pre", "section", "figure", "form"} | {
    f"h{level}" for level in range(1, 7)
}
_NAMES = {
    "img": "picture",
    "video": "video",
    "audio": "audio",
    "iframe": "embedded page",
    "canvas": "canvas",
    "svg": "SVG picture",
    "script": "script",
}
"""Elements that have no text, and what they are called."""
_OPAQUE = re.compile(r"<[^<>\n]* at 0x[0-9a-fA-F]+>|<[\w.]+ object>")
_DATA_URL = re.compile(r"data:[\w/+.-]*;base64,[A-Za-z0-9+/=\s\\]*")
_NUMBER = re.compile(r"[-+−]?[\d.,]+(e[-+]?\d+)?%?|nan", re.IGNORECASE)


def is_opaque(text: str) -> bool:
    """Return whether the text of an object is only its class, and perhaps its address."""
    return _OPAQUE.fullmatch(text.strip()) is not None


def convert_html(html: str) -> str:
    """Return the text of HTML, and a sentence about what it has besides."""
    reader = _TextReader()
    # Pictures in the text would take most of the time to parse.
    reader.feed(_DATA_URL.sub("data:", html)[:MAX_CHARS])
    reader.finish()
    text = "\n".join(reader.lines)
    if not reader.unseen:
        return text
    names = ", ".join(_count_names(reader.unseen))
    return f"{text}\n[HTML with {names}, which a terminal cannot show]".strip("\n")


class _TextReader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.lines: list[str] = []
        self.unseen: Counter[str] = Counter()
        """Elements that a terminal cannot show, by their names."""
        self._line = ""
        self._skipped: list[str] = []
        """Open elements whose text is left out."""
        self._rows: list[list[str]] | None = None
        """Cells of the open table, by row."""
        self._span = 1

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _NAMES and not self._skipped:
            self.unseen[_NAMES[tag]] += 1
        if tag in _SKIPPED and tag not in _VOID:
            self._skipped.append(tag)
        elif tag == "table":
            self.end_line()
            self._rows = []
        elif tag == "tr" and self._rows is not None:
            self._rows.append([])
        elif tag in ("td", "th"):
            self._line = ""
            span = dict(attrs).get("colspan") or "1"
            self._span = min(int(span), 100) if span.isdigit() else 1
        elif tag in _BLOCKS or tag in ("br", "hr"):
            self.end_line()
            self._line = "- " if tag == "li" else ""

    def handle_endtag(self, tag: str) -> None:
        if self._skipped:
            if tag == self._skipped[-1]:
                self._skipped.pop()
        elif tag in ("td", "th") and self._rows:
            self._rows[-1] += [self._line.strip(), *[""] * (self._span - 1)]
            self._line = ""
        elif tag == "table" and self._rows is not None:
            self.lines += _align_rows(self._rows)
            self._rows = None
        elif tag in _BLOCKS:
            self.end_line()

    def handle_data(self, data: str) -> None:
        if not self._skipped:
            words = " ".join(data.split())
            before = " " if data[:1].isspace() and self._line.strip() else ""
            after = " " if data[-1:].isspace() and words else ""
            self._line += f"{before}{words}{after}" if words else before

    def finish(self) -> None:
        """Read what is left, and close what is open."""
        self.close()
        for tag in ("td", "table") if self._rows is not None else ():
            self.handle_endtag(tag)
        self.end_line()

    def end_line(self) -> None:
        """Begin another line, unless the open one is a cell of a table."""
        if self._rows is None and self._line.strip():
            self.lines.append(self._line.rstrip())
            self._line = ""


def _align_rows(rows: list[list[str]]) -> list[str]:
    """Return the rows of a table as lines; columns of numbers are aligned to the right."""
    count = max(map(len, rows), default=0)
    full = [[*row, *[""] * (count - len(row))] for row in rows if any(row)]
    columns = list(zip(*full, strict=True))
    widths = [max(map(len, column)) for column in columns]
    is_number = [all(_NUMBER.fullmatch(cell) for cell in column[1:] if cell) for column in columns]
    return [
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, is_number, strict=True)
        ).rstrip()
        for row in full
    ]


def describe_svg(svg: str) -> str:
    """Return what an SVG picture contains, in words."""
    try:
        root = ElementTree.fromstring(svg)
    except ElementTree.ParseError as error:
        return f"SVG that cannot be read: {error}"
    elements = [(str(one.tag).rpartition("}")[2], one) for one in root.iter()]
    shapes = Counter(
        tag
        for tag, _ in elements
        if tag in ("path", "rect", "circle", "ellipse", "line", "polyline", "polygon", "image")
    )
    width, height = root.get("width"), root.get("height")
    size = f" {width} × {height}" if width and height else ""
    contents = f": {', '.join(_count_names(shapes))}" if shapes else ""
    texts = [" ".join("".join(one.itertext()).split()) for tag, one in elements if tag == "text"]
    words = "".join(f'\n  text "{text}"' for text in texts[:40] if text)
    return f"SVG picture{size}{contents}{words}"


def _count_names(counts: Counter[str]) -> list[str]:
    return [f"{count} {name}{'s' * (count > 1)}" for name, count in counts.items()]
