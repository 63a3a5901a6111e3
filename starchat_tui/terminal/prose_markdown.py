"""Markdown parser for the prose of a coding assistant, which takes no letter out of code.

CommonMark with tables and strikethrough, and less of what code in prose looks like:

- no backslash escapes, entities, HTML, reference definitions, and no bare addresses as links;
- emphasis as in `emphasis`;
- a link or image needs an address with a scheme, a slash, an anchor or a document's name, and
  stands behind no letter, digit or bracket: `handlers[i](x)` is a call;
- `>` begins a quotation if a space and text follow: `>>> x` is a prompt, `>=` an operator;
- a line of at least three `=` or `-` makes a heading of one line above it, never of more;
- `* * * * *` is a schedule, neither a rule nor bullets in bullets;
- line breaks and spaces stay.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.rules_block import (
    StateBlock,
    blockquote,
    heading,
    hr,
    lheading,
    list_block,
    paragraph,
)
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline, image, link
from markdown_it.token import Token

from starchat_tui.sanitize import sanitize_prose, sanitize_text
from starchat_tui.terminal.emphasis import install_emphasis

_DISABLED = ("escape", "entity", "html_inline", "html_block", "reference")
_PARAGRAPH_ENDERS = ["paragraph", "reference", "blockquote", "list"]
"""Rules that a quotation or a rule may interrupt, as markdown-it has it.

A list or a heading may interrupt all but a list."""
_ADDRESS = re.compile(
    r"[a-z][a-z0-9+.-]+:|/|\.{1,2}/|#[\w-]|www\.|[\w.-]+/"
    r"|[\w.-]+\.(?:md|rst|html?|txt|pdf|ipynb|png|jpe?g|gif|svg)$",
    re.IGNORECASE,
)
_AUTOLINK = re.compile(r"<((?:https?|ftp|mailto|file):[^<>\s]+)>", re.IGNORECASE)
_QUOTE = re.compile(r">[ \t]+[^\s]")
_MARKERS_ONLY = re.compile(r"(\S)(?:[ \t]+\1){3,}(?:\s|$)")
_TWO_BULLETS = re.compile(r"([*+-])[ \t]+\1(?:\s|$)")
_HEADING = re.compile(r"#+[ \t]+\S")
_UNDERLINE = re.compile(r"(?:={3,}|-{3,})\s*")
_CODE_TOKENS = {"code_inline", "code_block", "fence"}


def create_prose_parser() -> MarkdownIt:
    """Return the parser; its tokens hold sanitized text."""
    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    parser.disable(list(_DISABLED))
    install_emphasis(parser)
    inline, block = parser.inline.ruler, parser.block.ruler
    inline.at("newline", _keep_line_break)
    inline.at("link", _require_address(link, prefix=""))
    inline.at("image", _require_address(image, prefix="!"))
    inline.at("autolink", _link_autolink)
    block.at("blockquote", _quote_text, {"alt": _PARAGRAPH_ENDERS})
    block.at("heading", _head_text, {"alt": _PARAGRAPH_ENDERS[:3]})
    block.at("hr", _rule_off, {"alt": _PARAGRAPH_ENDERS})
    block.at("list", _list_items, {"alt": _PARAGRAPH_ENDERS[:3]})
    block.at("lheading", _underline_one_line)
    block.at("paragraph", _keep_spaces)
    parser.core.ruler.push("sanitize", _sanitize_tokens)
    return parser


def _keep_line_break(state: StateInline, silent: bool) -> bool:
    if state.src[state.pos] != "\n":
        return False
    if not silent:
        state.push("softbreak", "br", 0)
    state.pos += 1
    return True


def _require_address(
    rule: Callable[[StateInline, bool], bool], *, prefix: str
) -> Callable[[StateInline, bool], bool]:
    """Return the rule, applied only to what has an address."""

    def apply(state: StateInline, silent: bool) -> bool:
        bracket = state.pos + len(prefix)
        if not state.src.startswith(f"{prefix}[", state.pos):
            return False
        before = state.src[state.pos - 1 : state.pos] if state.pos else ""
        if not prefix and (before.isalnum() or before in ("_", ")", "]")):
            return False
        label_end = state.md.helpers.parseLinkLabel(state, bracket, not prefix)
        if label_end < 0 or not state.src.startswith("](", label_end):
            return False
        start = label_end + 2
        while start < state.posMax and state.src[start].isspace():
            start += 1
        target = state.md.helpers.parseLinkDestination(state.src, start, state.posMax)
        return bool(target.ok and _ADDRESS.match(target.str)) and rule(state, silent)

    return apply


def _link_autolink(state: StateInline, silent: bool) -> bool:
    """Make `<https://…>` a link; its brackets stay."""
    found = _AUTOLINK.match(state.src, state.pos, state.posMax)
    if found is None or not state.md.validateLink(address := state.md.normalizeLink(found[1])):
        return False
    if not silent:
        state.push("link_open", "a", 1).attrs = {"href": address}
        state.push("text", "", 0).content = found[0]
        state.push("link_close", "a", -1)
    state.pos = found.end()
    return True


def _get_line(state: StateBlock, line: int) -> str:
    return state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]]


def _quote_text(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    return bool(_QUOTE.match(_get_line(state, start))) and blockquote(state, start, end, silent)


def _head_text(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    return bool(_HEADING.match(_get_line(state, start))) and heading(state, start, end, silent)


def _rule_off(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    return not _MARKERS_ONLY.match(_get_line(state, start)) and hr(state, start, end, silent)


def _list_items(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    line = _get_line(state, start)
    return not _TWO_BULLETS.match(line) and list_block(state, start, end, silent)


def _underline_one_line(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    is_underlined = start + 1 < end and _UNDERLINE.fullmatch(_get_line(state, start + 1))
    return bool(is_underlined) and lheading(state, start, end, silent)


def _keep_spaces(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Parse a paragraph and keep its spaces, but for the indent of its first line."""
    if not paragraph(state, start, end, silent):
        return False
    lines = state.getLines(start, state.line, state.blkIndent, False).rstrip("\n").split("\n")
    indent = len(lines[0]) - len(lines[0].lstrip(" \t"))
    state.tokens[-2].content = "\n".join(
        line[min(indent, len(line) - len(line.lstrip(" \t"))) :] for line in lines
    )
    return True


def _sanitize_tokens(state: StateCore) -> None:
    """Sanitize the tokens: an address may have characters that its escapes stood for."""
    pending = list(state.tokens)
    while pending:
        token = pending.pop()
        sanitize = sanitize_text if token.type in _CODE_TOKENS else sanitize_prose
        token.content, token.info = sanitize(token.content), sanitize_text(token.info)
        token.attrs = {key: _sanitize_attribute(value) for key, value in token.attrs.items()}
        pending += token.children or []


def _sanitize_attribute(value: Any) -> Any:
    return sanitize_text(value) if isinstance(value, str) else value


def read_alignment(token: Token) -> str:
    """Return the alignment of a table's cell: left, center or right."""
    return str(token.attrs.get("style", "text-align:left")).removeprefix("text-align:")
