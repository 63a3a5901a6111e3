"""Status line: the model, how full its window is, and the current activity."""

from __future__ import annotations

from dataclasses import dataclass

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from starchat_tui.sanitize import sanitize_text

_EIGHTHS = " ▏▎▍▌▋▊▉"
METER_WIDTH = 8
"""Cells of the context meter."""
_GAP = "   "


@dataclass(frozen=True, slots=True)
class Status:
    """Content of the status line."""

    model: str = ""
    mode: str = ""
    demo: bool = False
    used: int = 0
    """Tokens of the next prompt."""
    window: int = 0
    """Tokens of the model's window; 0 while it is not known."""
    activity: str = ""
    """Current activity, or the speed of the last answer."""
    keys: str = "F1 keys"


class StatusLine(Widget):
    """One row; a narrow terminal loses the least important parts first."""

    ALLOW_SELECT = False
    status: reactive[Status] = reactive(Status())

    def render(self) -> Content:
        """Render the parts that fit, and the keys at the right end."""
        status, width = self.status, self.size.width
        parts = self._build_parts(status)
        while len(parts) > 1 and _total_width(parts) > width:
            parts.pop(_find_least_important(parts))
        left = Content(_GAP).join([content for _, content in parts])
        room = width - left.cell_length - len(status.keys)
        if room < 2:
            return left
        return left + Content(" " * room) + Content.styled(status.keys, "$foreground 50%")

    def _build_parts(self, status: Status) -> list[tuple[int, Content]]:
        """Return the parts with their rank; 0 is kept longest."""
        name = Content.styled(sanitize_text(status.model), "bold $primary")
        parts = [(0, name), (1, Content.styled(sanitize_text(status.mode), "$foreground 80%"))]
        if status.demo:
            mark = "demo model" if self.size.width >= 60 else "demo"
            parts.append((3, Content.styled(mark, "$warning")))
        if status.window:
            parts.append(
                (2, _render_context(status.used, status.window, bar=self.size.width >= 72))
            )
        if status.activity:
            parts.append((4, Content.styled(sanitize_text(status.activity), "$foreground 60%")))
        return parts


def _total_width(parts: list[tuple[int, Content]]) -> int:
    return sum(content.cell_length for _, content in parts) + len(_GAP) * (len(parts) - 1)


def _find_least_important(parts: list[tuple[int, Content]]) -> int:
    return max(range(len(parts)), key=lambda index: parts[index][0])


def _render_context(used: int, window: int, *, bar: bool) -> Content:
    share = min(1.0, used / window)
    counts = Content.styled(f"{used:,}/{window:,}", "$foreground 80%")
    if not bar:
        return counts
    color = "$error" if share >= 0.9 else "$warning" if share >= 0.7 else "$success"
    return (
        Content.styled(render_meter(share, METER_WIDTH), f"{color} on $panel")
        + Content(" ")
        + counts
    )


def render_meter(share: float, width: int) -> str:
    """Return a bar of `width` cells, filled by `share` to an eighth of a cell."""
    eighths = round(max(0.0, min(1.0, share)) * width * 8)
    if share > 0:
        eighths = max(1, eighths)
    full, part = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[part] if part else "")).ljust(width)
