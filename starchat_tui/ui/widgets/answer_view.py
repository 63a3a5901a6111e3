"""One answer on the screen, drawn while it arrives."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from textual.timer import Timer
from textual.widgets import Static

from starchat_tui.codeblocks import BlockClosed, BlockOpened, Code, CodeBlockParser, MarkdownEvent
from starchat_tui.sanitize import sanitize_text
from starchat_tui.terminal.image_detection import ImageSettings
from starchat_tui.ui.widgets.code_cell import CodeCell
from starchat_tui.ui.widgets.column import Column
from starchat_tui.ui.widgets.image import HALF_BLOCKS

if TYPE_CHECKING:
    from starchat_tui.ui.widgets.prose import Prose

REFRESH_INTERVAL = 1 / 15
"""Seconds between two drawings of the text that has arrived."""


class AnswerView(Column):
    """Prose and code blocks of an answer, in order."""

    def __init__(self, *, number: int, turn: int = 0, images: ImageSettings = HALF_BLOCKS) -> None:
        """Create an empty answer whose first code block gets `number`."""
        super().__init__()
        self.turn_id = turn
        """Id of the stored turn; 0 until the question is committed."""
        self._images = images
        self._next_number = number
        self._fences = CodeBlockParser()
        self._pending: list[str] = []
        self._drawing = asyncio.Lock()
        self._prose: Prose | None = None
        self._cell: CodeCell | None = None
        self._waiting = Static("", markup=False, classes="answer--waiting")
        self._timer: Timer | None = None
        self.is_complete = False
        """True if no more text arrives."""
        self.cells: list[CodeCell] = []
        self.text = ""
        """The answer as the model wrote it."""

    def on_mount(self) -> None:
        """Start drawing at a steady pace, however fast text arrives."""
        self._timer = self.set_interval(REFRESH_INTERVAL, self.draw, pause=self.is_complete)

    def show_waiting(self, text: str) -> None:
        """Show the engine's progress in place of the answer until its first word."""
        if self.text:
            return
        if not self._waiting.is_attached:
            self.mount(self._waiting)
        self._waiting.update(sanitize_text(text))

    def feed(self, text: str) -> None:
        """Add text at the end; it is drawn within `REFRESH_INTERVAL`."""
        self.text += text
        self._pending.append(text)

    async def draw(self) -> None:
        """Draw what has arrived, unless a drawing is in progress."""
        if self._pending and not self._drawing.locked():
            await self._flush()

    async def _flush(self) -> None:
        async with self._drawing:
            text = "".join(self._pending)
            self._pending.clear()
            if text and self._waiting.is_attached:
                await self._waiting.remove()
            await self._handle_events(self._fences.feed(text))

    async def _handle_events(self, events: list[MarkdownEvent]) -> None:
        for event in events:
            if not self.is_attached or self._pruning:
                # The user has left the conversation while its answer ended.
                return
            if isinstance(event, BlockOpened):
                await self._end_prose()
                await self._open_cell(event.language)
            elif isinstance(event, Code):
                assert self._cell is not None
                self._cell.feed(event.text)
            elif isinstance(event, BlockClosed):
                self._end_cell()
            elif self._prose is not None or event.text.strip():
                await self._append_prose(event.text)

    async def _append_prose(self, text: str) -> None:
        # Importing Markdown also imports its parser, which the first frame does without.
        from starchat_tui.ui.widgets.prose import Prose

        if self._prose is None:
            self._prose = Prose()
            await self.mount(self._prose)
        await self._prose.append(text)

    async def _end_prose(self) -> None:
        """Parse the finished prose once more."""
        if self._prose is not None:
            prose, self._prose = self._prose, None
            await prose.finish()

    async def _open_cell(self, language: str) -> None:
        self._cell = CodeCell(language, self._next_number, self._images)
        self._next_number += 1
        self.cells.append(self._cell)
        await self.mount(self._cell)

    def _end_cell(self) -> None:
        if self._cell is not None:
            self._cell.finish()
            self._cell = None

    async def finish(self, text: str) -> None:
        """End the answer; `text` replaces what arrived if it differs (an overrun was trimmed)."""
        # Under the lock: stopping a timer cancels the callback it has started, a drawing half done.
        async with self._drawing:
            self.is_complete = True
            if self._timer is not None:
                self._timer.stop()
        await self._flush()
        if text != self.text:
            await self._redraw(text)
        async with self._drawing:
            if self._waiting.is_attached:
                await self._waiting.remove()
            await self._handle_events(self._fences.finish())
            if self._cell is not None and not self._cell.block.code:
                # Stopped right after the opening fence: an empty block would get a number.
                await self.cells.pop().remove()
                self._cell = None
            self._end_cell()
            await self._end_prose()

    async def _redraw(self, text: str) -> None:
        async with self._drawing, self.batch():
            await self.remove_children()
            self._next_number -= len(self.cells)
            self.cells.clear()
            self._fences, self._prose, self._cell = CodeBlockParser(), None, None
            self.text = text
            await self._handle_events(self._fences.feed(text))
