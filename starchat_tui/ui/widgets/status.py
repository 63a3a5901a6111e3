"""The last line of the screen: who answers, how full the window is, how fast it goes."""

from __future__ import annotations

from dataclasses import dataclass

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from starchat_tui.sanitize import clean

_EIGHTHS = " ▏▎▍▌▋▊▉"
BAR = 8
"""Cells of the context bar."""
_GAP = "   "


@dataclass(frozen=True, slots=True)
class Status:
    """What the status line shows."""

    model: str = ""
    mode: str = ""
    demo: bool = False
    used: int = 0
    """Tokens the next prompt takes; 0 while it is not known."""
    window: int = 0
    activity: str = ""
    """What goes on just now, or what the last answer took."""
    keys: str = "F1 keys"


class StatusLine(Widget):
    """One row; what is least needed leaves first where the terminal is narrow."""

    status: reactive[Status] = reactive(Status())

    def render(self) -> Content:
        """The parts that fit, the keys at the right end."""
        status, width = self.status, self.size.width
        parts = self._parts(status)
        while len(parts) > 1 and _length(parts) > width:
            parts.pop(_least(parts))
        left = Content(_GAP).join([content for _, content in parts])
        room = width - left.cell_length - len(status.keys)
        if room < 2:
            return left
        return left + Content(" " * room) + Content.styled(status.keys, "$foreground 50%")

    def _parts(self, status: Status) -> list[tuple[int, Content]]:
        """Parts with their rank, 0 the last to leave."""
        name = Content.styled(clean(status.model), "bold $primary")
        parts = [(0, name), (1, Content.styled(clean(status.mode), "$foreground 80%"))]
        if status.demo:
            mark = "demo model" if self.size.width >= 60 else "demo"
            parts.append((3, Content.styled(mark, "$warning")))
        if status.window:
            parts.append((2, _context(status.used, status.window, bar=self.size.width >= 72)))
        if status.activity:
            parts.append((4, Content.styled(clean(status.activity), "$foreground 60%")))
        return parts


def _length(parts: list[tuple[int, Content]]) -> int:
    return sum(content.cell_length for _, content in parts) + len(_GAP) * (len(parts) - 1)


def _least(parts: list[tuple[int, Content]]) -> int:
    return max(range(len(parts)), key=lambda index: parts[index][0])


def _context(used: int, window: int, *, bar: bool) -> Content:
    share = min(1.0, used / window)
    counts = Content.styled(f"{used:,}/{window:,}", "$foreground 80%")
    if not bar:
        return counts
    colour = "$error" if share >= 0.9 else "$warning" if share >= 0.7 else "$success"
    return Content.styled(meter(share, BAR), f"{colour} on $panel") + Content(" ") + counts


def meter(share: float, width: int) -> str:
    """A bar of `width` cells, filled by `share` to an eighth of a cell."""
    eighths = round(max(0.0, min(1.0, share)) * width * 8)
    if share > 0:
        eighths = max(1, eighths)
    full, part = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[part] if part else "")).ljust(width)
