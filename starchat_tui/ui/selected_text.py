"""Text that is selected with the mouse, as it was written: blocks apart, lists and tables in lines.

Textual 8.2 ends the text of every widget with a newline, so that blank lines and indentation are
lost, each cell of a table is a line, and titles and buttons are part of the text.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from textual.containers import Horizontal
from textual.selection import Selection
from textual.widget import Widget
from textual.widgets._markdown import MarkdownBullet, MarkdownList, MarkdownTableContent


def join_selected_text(selections: Mapping[Widget, Selection]) -> str:
    """Return the selected text of all widgets in their order on the screen."""
    present = [widget for widget in selections if widget.is_attached and widget.allow_select]
    joined = ""
    before: Widget | None = None
    for widget in sorted(present, key=_find_position):
        text = _read_text(widget, selections[widget])
        if text is None or not (text.strip() or _find_table(widget)):
            continue
        indent = " " * _measure_indent(widget)
        if before is not None:
            separator = _find_separator(before, widget)
            joined += separator + (indent if separator.endswith("\n") else "")
        joined += text.replace("\n", f"\n{indent}") if indent else text
        before = widget
    return joined.rstrip("\n")


def _find_position(widget: Widget) -> list[int]:
    """Return the position of a widget in the tree, which orders widgets from top to bottom."""
    position = []
    node = widget
    while isinstance(parent := node.parent, Widget):
        position.append(parent.children.index(node))
        node = parent
    return position[::-1]


def _read_text(widget: Widget, selection: Selection) -> str | None:
    if isinstance(widget, MarkdownBullet):
        return _write_bullet(widget)
    # The text may have changed since it was selected.
    with suppress(LookupError, ValueError):
        found = widget.get_selection(selection)
        return None if found is None else found[0].strip("\n")
    return None


def _write_bullet(bullet: MarkdownBullet) -> str:
    """Return the marker of a list item as it is written in Markdown."""
    mark = bullet.symbol.strip()
    return f"{mark} " if mark[:1].isdigit() or mark == "+" else "- "


def _measure_indent(widget: Widget) -> int:
    """Return the columns that the items around a widget take for their markers."""
    bullets = [
        row.children[0]
        for row in widget.ancestors
        if isinstance(row, Horizontal) and row.children and row is not widget.parent
    ]
    return sum(len(_write_bullet(one)) for one in bullets if isinstance(one, MarkdownBullet))


def _find_separator(before: Widget, after: Widget) -> str:
    """Return what stands between the texts of two widgets."""
    if isinstance(before, MarkdownBullet):
        return ""
    table = _find_table(after)
    if table is not None and table is _find_table(before):
        rows = {table.children.index(one) // len(table.headers) for one in (before, after)}
        return "\t" if len(rows) == 1 else "\n"
    if isinstance(after, MarkdownBullet) and _find_list(before) is _find_list(after):
        return "\n"
    return "\n\n"


def _find_table(widget: Widget) -> MarkdownTableContent | None:
    return widget.parent if isinstance(widget.parent, MarkdownTableContent) else None


def _find_list(widget: Widget) -> MarkdownList | None:
    """Return the outermost list around a widget."""
    lists = [one for one in widget.ancestors if isinstance(one, MarkdownList)]
    return lists[-1] if lists else None
