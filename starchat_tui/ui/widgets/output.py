"""Output of a run below its code block: text, results, plots, errors, and its end."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Size
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Static

from starchat_tui.execution.run_result import apply_output, format_size
from starchat_tui.sandbox.outputs import (
    Failure,
    Figure,
    Note,
    Output,
    OutputCleared,
    Preparation,
    Result,
    RunEnded,
    StreamText,
    WrittenFile,
)
from starchat_tui.sanitize import sanitize_text
from starchat_tui.terminal.highlight import TAB_SIZE
from starchat_tui.terminal.image_detection import ImageSettings
from starchat_tui.terminal.run_wording import explain_end, summarize_end
from starchat_tui.ui.messages import FixRequested
from starchat_tui.ui.widgets.caption import Caption
from starchat_tui.ui.widgets.column import Column
from starchat_tui.ui.widgets.figure import FigureView
from starchat_tui.ui.widgets.lines import LineView, line_width

REFRESH_INTERVAL = 1 / 15
"""Seconds between two drawings of the output that has arrived."""
MAX_LINES = 1000
"""Lines of output that are kept for scrolling back."""
MAX_COLUMNS = 2000
"""Characters of a line that are shown."""
MAX_PENDING_CHARACTERS = 256 * 1024
"""Characters that may wait to be drawn; the oldest beyond are dropped."""
_STYLES = {"stdout": "", "stderr": "decorator", "failure": "deleted"}


class OutputLines(LineView):
    """Text as a terminal would show it: a carriage return overwrites its line."""

    def __init__(self) -> None:
        super().__init__()
        self._lines = []
        self._open_line: list[tuple[str, str]] = []
        """Styles and raw texts of the line that has no newline yet."""
        self._after_return = False
        """True if the next character overwrites the open line."""
        self._dropped = 0
        self._widest = 0

    def feed(self, text: str, style: str = "", *, skipped: int = 0) -> None:
        """Add text after `skipped` lines that were dropped; of a flood only the end is drawn."""
        self._dropped += skipped
        if self._open_line and self._lines:
            self._lines.pop()
        first, *others = text.replace("\r\n", "\n").split("\n")
        self._append(first, style)
        skipped = max(0, len(others) - MAX_LINES)
        self._dropped += skipped
        for line in others[skipped:]:
            self._lines.append(self._build_line())
            self._open_line, self._after_return = [], False
            self._append(line, style)
        if self._open_line:
            self._lines.append(self._build_line())
        self._trim()
        self._refresh_lines()

    def _append(self, text: str, style: str) -> None:
        """Add to the open line; text after a carriage return replaces what is there."""
        for at, part in enumerate(text.split("\r")):
            self._after_return = self._after_return or at > 0
            if part and self._after_return:
                self._open_line, self._after_return = [], False
            if part and sum(len(one) for _, one in self._open_line) < MAX_COLUMNS:
                self._open_line.append((style, part[:MAX_COLUMNS]))

    def _build_line(self) -> tuple[tuple[str, str], ...]:
        return tuple(
            (style, sanitize_text(text).expandtabs(TAB_SIZE)) for style, text in self._open_line
        )

    def _trim(self) -> None:
        excess = len(self._lines) - MAX_LINES
        if excess > 0:
            del self._lines[:excess]
            self._dropped += excess
        if self._dropped:
            self._lines[0] = (("comment", f"… {self._dropped + 1:,} earlier lines are not shown"),)

    def _refresh_lines(self) -> None:
        following = self.scroll_y >= self.max_scroll_y - 1
        self._strips.clear()
        self._widest = max(self._widest, *map(line_width, self._lines[-MAX_LINES:] or [()]))
        self.virtual_size = Size(self._widest, len(self._lines))
        if following:
            self.scroll_end(animate=False, immediate=False)
        self.refresh()


class FixButton(Caption, can_focus=True):
    """Button that sends the error to the model."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,f", "fix", "Fix it", show=False, id="output.fix")
    ]

    def __init__(self, number: int) -> None:
        super().__init__("Fix it: send the error to the model (Alt+F)")
        self._number = number

    def action_fix(self) -> None:
        """Ask the model for a fix."""
        self.post_message(FixRequested(self._number))

    def on_click(self) -> None:
        """Ask the model for a fix."""
        self.action_fix()


class RunOutput(Column):
    """Outputs of one run, in order."""

    def __init__(self, number: int, images: ImageSettings) -> None:
        super().__init__()
        self._number = number
        self._images = images
        self._pending: list[Output] = []
        self._pending_size = 0
        """Characters of text in `_pending`."""
        self._skipped_lines = 0
        """Lines that were dropped before they were drawn."""
        self._lines: OutputLines | None = None
        self._replaceable: dict[int, Widget] = {}
        """Widgets of the outputs that can be replaced, by their keys."""
        self.notes: list[Note] = []
        """Remarks on the run, the hint on its error included."""
        self._files: dict[str, WrittenFile] = {}
        self._footer = Static(
            "running · Esc interrupts", markup=False, classes="output--footer", id="footer"
        )
        self._drawing = asyncio.Lock()
        self._timer: Timer | None = None
        self.failure: Failure | None = None
        """Exception that ended the run."""
        self.ended: RunEnded | None = None

    def compose(self) -> ComposeResult:
        """Yield the footer; outputs are mounted above it."""
        yield self._footer

    def on_mount(self) -> None:
        """Start drawing at a steady pace, however fast output arrives."""
        self._timer = self.set_interval(REFRESH_INTERVAL, self._tick, pause=self.ended is not None)

    def add_output(self, output: Output) -> None:
        """Add an output; it is drawn within `REFRESH_INTERVAL`."""
        self._pending.append(output)
        if isinstance(output, StreamText):
            self._pending_size += len(output.text)
            if self._pending_size > 2 * MAX_PENDING_CHARACTERS:
                self._drop_oldest()
        elif isinstance(output, RunEnded):
            self.ended = output

    def _drop_oldest(self) -> None:
        """Drop the oldest text, which would scroll away unseen."""
        kept: list[Output] = []
        size = 0
        for one in reversed(self._pending):
            if isinstance(one, StreamText):
                if size >= MAX_PENDING_CHARACTERS:
                    self._skipped_lines += one.text.count("\n")
                    continue
                size += len(one.text)
            kept.append(one)
        self._pending, self._pending_size = kept[::-1], size

    async def _tick(self) -> None:
        if self._pending and not self._drawing.locked():
            await self.draw()

    async def draw(self) -> None:
        """Draw what has arrived."""
        async with self._drawing:
            pending, self._pending, self._pending_size = self._pending, [], 0
            pending = drop_replaced(pending)
            async with self.batch():
                for output in merge_stream_text(pending):
                    await self._show_output(output)
        if self.ended is not None and self._timer is not None:
            self._timer.stop()

    async def _show_output(self, output: Output) -> None:
        if isinstance(output, StreamText):
            await self._append_text(output.text, _STYLES[output.stream])
        elif isinstance(output, Result) and not output.key:
            await self._append_text(_format_result(output))
        elif isinstance(output, Result | Figure):
            await self._show_widget(output)
        elif isinstance(output, OutputCleared):
            await self._clear()
        elif isinstance(output, Failure):
            self.failure = output
            await self._append_text(
                sanitize_text(output.traceback).rstrip("\n") + "\n", _STYLES["failure"]
            )
        elif isinstance(output, WrittenFile):
            self._files[output.name] = output
        elif isinstance(output, Note):
            self.notes.append(output)
        elif isinstance(output, Preparation):
            self._footer.update(Content(f"{sanitize_text(output.text)} · Esc cancels"))
        elif isinstance(output, RunEnded):
            await self._show_end(output)

    async def _show_widget(self, output: Result | Figure) -> None:
        """Show an output in a widget of its own, which replaces that of the same key."""
        self._lines = None
        earlier = self._replaceable.get(output.key)
        widget: Widget
        if isinstance(output, Figure):
            if isinstance(earlier, FigureView):
                earlier.replace_figure(output)
                return
            widget = FigureView(output, self._images)
        else:
            widget = OutputLines()
        await self.mount(widget, before=self._footer)
        if isinstance(widget, OutputLines) and isinstance(output, Result):
            widget.feed(_format_result(output))
        if earlier is not None:
            self.move_child(widget, before=earlier)
            await earlier.remove()
        if output.key:
            self._replaceable[output.key] = widget

    async def _clear(self) -> None:
        """Remove the text and the plots, and keep what the end of the run shows."""
        self._lines, self._skipped_lines = None, 0
        self._replaceable.clear()
        await self.query_children("OutputLines, FigureView").remove()

    async def _append_text(self, text: str, style: str = "") -> None:
        if self._lines is None:
            self._lines = OutputLines()
            await self.mount(self._lines, before=self._footer)
        self._lines.feed(text, style, skipped=self._skipped_lines)
        self._skipped_lines = 0

    async def _show_end(self, ended: RunEnded) -> None:
        """Show how the run ended, the files it wrote, notes, and a button after an error."""
        calm = ended.status == "ok" and ended.level == "isolated"
        color = "$foreground 55%" if calm else "$text-warning"
        if ended.level == "unsafe" and ended.status != "no-sandbox":
            color = "$text-error"
        lines = [Content.styled(summarize_end(ended), color)]
        if ended.reason:
            lines.append(Content.styled(sanitize_text(explain_end(ended)), "$text-warning"))
        if self._files:
            files = ", ".join(
                f"{one.name} ({format_size(one.size)})" for one in self._files.values()
            )
            lines.append(Content(f"wrote {sanitize_text(files)} · /savefile NAME saves one"))
        lines += [Content(sanitize_text(note.text)) for note in self.notes]
        self._footer.update(Content("\n").join(lines))
        if self.failure is not None:
            await self.mount(FixButton(self._number))


def drop_replaced(outputs: list[Output]) -> list[Output]:
    """Return the outputs without those that later ones remove or replace."""
    kept: list[Output] = []
    for one in outputs:
        apply_output(kept, one)
        if isinstance(one, OutputCleared):
            # It removes what was drawn before, too.
            kept.append(one)
    return kept


def _format_result(result: Result) -> str:
    # Sanitized before it is split: in a result a carriage return is text, not an overwrite.
    return sanitize_text(result.text).rstrip("\n") + "\n"


def merge_stream_text(outputs: list[Output]) -> list[Output]:
    """Return the outputs with adjacent pieces of one stream merged."""
    joined: list[Output] = []
    pieces: list[str] = []
    for at, one in enumerate(outputs):
        if not isinstance(one, StreamText):
            joined.append(one)
            continue
        pieces.append(one.text)
        following = outputs[at + 1] if at + 1 < len(outputs) else None
        if not (isinstance(following, StreamText) and following.stream == one.stream):
            joined.append(StreamText(one.stream, "".join(pieces)))
            pieces = []
    return joined
