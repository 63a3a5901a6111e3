"""What a run says, under its code block, as it comes: text, results, plots, errors, its end."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Size
from textual.timer import Timer
from textual.widgets import Static

from starchat_tui.execution.run_result import ended_text, size_text
from starchat_tui.sandbox.outputs import Ended, Failure, Figure, Note, Output, Result, Text, Written
from starchat_tui.sanitize import clean
from starchat_tui.terminal.highlight import TAB
from starchat_tui.ui.messages import FixRequested
from starchat_tui.ui.widgets.column import Column
from starchat_tui.ui.widgets.figure import FigureView
from starchat_tui.ui.widgets.image import Images
from starchat_tui.ui.widgets.lines import Lines, width

REFRESH = 1 / 15
"""Seconds between two drawings of what has come."""
KEPT_LINES = 1000
"""Lines of a stream that can be scrolled back to."""
MOST_COLUMNS = 2000
"""Characters of a line that are shown."""
WAITING = 256 * 1024
"""Characters that wait to be drawn; of more, the oldest are never seen."""
_STYLES = {"stdout": "", "stderr": "decorator", "failure": "deleted"}


class OutputLines(Lines):
    """Text as a program writes it: a carriage return begins its line anew."""

    def __init__(self) -> None:
        super().__init__()
        self._lines = []
        self._open: list[tuple[str, str]] = []
        """The line that has no newline yet: styles and raw texts."""
        self._returned = False
        """Whether the next character begins the open line anew."""
        self._dropped = 0
        self._widest = 0

    def feed(self, text: str, style: str = "", *, skipped: int = 0) -> None:
        """Add text, after `skipped` lines that nobody saw; of very much only the end is drawn."""
        self._dropped += skipped
        if self._open and self._lines:
            self._lines.pop()
        first, *others = text.replace("\r\n", "\n").split("\n")
        self._extend(first, style)
        skipped = max(0, len(others) - KEPT_LINES)
        self._dropped += skipped
        for line in others[skipped:]:
            self._lines.append(self._line())
            self._open, self._returned = [], False
            self._extend(line, style)
        if self._open:
            self._lines.append(self._line())
        self._shorten()
        self._changed()

    def _extend(self, text: str, style: str) -> None:
        """Add to the open line; what follows a carriage return takes the place of what is there."""
        for at, part in enumerate(text.split("\r")):
            self._returned = self._returned or at > 0
            if part and self._returned:
                self._open, self._returned = [], False
            if part and sum(len(one) for _, one in self._open) < MOST_COLUMNS:
                self._open.append((style, part[:MOST_COLUMNS]))

    def _line(self) -> tuple[tuple[str, str], ...]:
        return tuple((style, clean(text).expandtabs(TAB)) for style, text in self._open)

    def _shorten(self) -> None:
        excess = len(self._lines) - KEPT_LINES
        if excess > 0:
            del self._lines[:excess]
            self._dropped += excess
        if self._dropped:
            self._lines[0] = (("comment", f"… {self._dropped + 1:,} earlier lines are not shown"),)

    def _changed(self) -> None:
        following = self.scroll_y >= self.max_scroll_y - 1
        self._strips.clear()
        self._widest = max(self._widest, *map(width, self._lines[-KEPT_LINES:] or [()]))
        self.virtual_size = Size(self._widest, len(self._lines))
        if following:
            self.scroll_end(animate=False, immediate=False)
        self.refresh()


class FixIt(Static, can_focus=True):
    """Sends the error back to the model."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,f", "fix", "Fix it", show=False, id="output.fix")
    ]

    def __init__(self, number: int) -> None:
        super().__init__("fix it: send the error to the model (f)", markup=False)
        self._number = number

    def action_fix(self) -> None:
        """Ask for it."""
        self.post_message(FixRequested(self._number))

    def on_click(self) -> None:
        """Ask for it."""
        self.action_fix()


class RunOutput(Column):
    """The outputs of one run, in order."""

    def __init__(self, number: int, images: Images) -> None:
        super().__init__()
        self._number = number
        self._images = images
        self._pending: list[Output] = []
        self._waiting = 0
        """Characters in what is pending."""
        self._unseen = 0
        """Lines that came too fast to be drawn."""
        self._lines: OutputLines | None = None
        self._notes: list[str] = []
        self._files: dict[str, Written] = {}
        self._footer = Static(
            "running · Esc interrupts", markup=False, classes="output--footer", id="footer"
        )
        self._drawing = asyncio.Lock()
        self._pace: Timer | None = None
        self.failure: Failure | None = None
        """The exception that ended it."""
        self.ended: Ended | None = None

    def compose(self) -> ComposeResult:
        """What comes stands above its footer."""
        yield self._footer

    def on_mount(self) -> None:
        """Draw at a steady pace, however fast it comes."""
        self._pace = self.set_interval(REFRESH, self._tick, pause=self.ended is not None)

    def take(self, output: Output) -> None:
        """One more output; it is drawn within `REFRESH`."""
        self._pending.append(output)
        if isinstance(output, Text):
            self._waiting += len(output.text)
            if self._waiting > 2 * WAITING:
                self._let_go()
        elif isinstance(output, Ended):
            self.ended = output

    def _let_go(self) -> None:
        """Forget the oldest text that nobody would have time to see."""
        kept: list[Output] = []
        size = 0
        for one in reversed(self._pending):
            if isinstance(one, Text):
                if size >= WAITING:
                    self._unseen += one.text.count("\n")
                    continue
                size += len(one.text)
            kept.append(one)
        self._pending, self._waiting = kept[::-1], size

    async def _tick(self) -> None:
        if self._pending and not self._drawing.locked():
            await self.draw()

    async def draw(self) -> None:
        """Draw what has come."""
        async with self._drawing:
            pending, self._pending, self._waiting = self._pending, [], 0
            async with self.batch():
                for output in _joined(pending):
                    await self._show(output)
        if self.ended is not None and self._pace is not None:
            self._pace.stop()

    async def _show(self, output: Output) -> None:
        if isinstance(output, Text):
            await self._write(output.text, _STYLES[output.stream])
        elif isinstance(output, Result):
            await self._write(clean(output.text).rstrip("\n") + "\n")
        elif isinstance(output, Figure):
            self._lines = None
            await self.mount(FigureView(output, self._images), before=self._footer)
        elif isinstance(output, Failure):
            self.failure = output
            await self._write(clean(output.traceback).rstrip("\n") + "\n", _STYLES["failure"])
        elif isinstance(output, Written):
            self._files[output.name] = output
        elif isinstance(output, Note):
            self._notes.append(output.text)
        else:
            await self._end(output)

    async def _write(self, text: str, style: str = "") -> None:
        if self._lines is None:
            self._lines = OutputLines()
            await self.mount(self._lines, before=self._footer)
        self._lines.feed(text, style, skipped=self._unseen)
        self._unseen = 0

    async def _end(self, ended: Ended) -> None:
        """How it ended, what it left behind, what was provided, and a way out of an error."""
        calm = ended.status == "ok" and ended.level == "isolated"
        colour = "$foreground 55%" if calm else "$text-warning"
        if ended.level == "unsafe" and ended.status != "no-sandbox":
            colour = "$text-error"
        lines = [Content.styled(ended_text(ended), colour)]
        if ended.reason:
            lines.append(Content.styled(clean(ended.reason), "$text-warning"))
        if self._files:
            files = ", ".join(f"{one.name} ({size_text(one.size)})" for one in self._files.values())
            lines.append(Content(f"wrote {clean(files)}: /savefile NAME keeps one"))
        lines += [Content(clean(note)) for note in self._notes]
        self._footer.update(Content("\n").join(lines))
        if self.failure is not None:
            await self.mount(FixIt(self._number))


def _joined(outputs: list[Output]) -> list[Output]:
    """The outputs with neighbouring pieces of one stream made one."""
    joined: list[Output] = []
    pieces: list[str] = []
    for at, one in enumerate(outputs):
        if not isinstance(one, Text):
            joined.append(one)
            continue
        pieces.append(one.text)
        following = outputs[at + 1] if at + 1 < len(outputs) else None
        if not (isinstance(following, Text) and following.stream == one.stream):
            joined.append(Text(one.stream, "".join(pieces)))
            pieces = []
    return joined
