"""One answer on the screen, written while it arrives."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from textual.timer import Timer
from textual.widgets import Static

from starchat_tui.codeblocks import Closed, Code, Event, Fences, Opened
from starchat_tui.sanitize import clean
from starchat_tui.ui.widgets.code_cell import CodeCell
from starchat_tui.ui.widgets.column import Column
from starchat_tui.ui.widgets.image import Images

if TYPE_CHECKING:
    from starchat_tui.ui.widgets.prose import Prose

REFRESH = 1 / 15
"""Seconds between two drawings of what has arrived."""


class Answer(Column):
    """Prose and code blocks in the order they were written; `number` is that of its first block."""

    def __init__(self, *, number: int, turn: int = 0, images: Images = Images()) -> None:  # noqa: B008
        super().__init__()
        self.turn = turn
        """Its id in the history; 0 until the question is committed."""
        self._images = images
        self._next_number = number
        self._fences = Fences()
        self._pending: list[str] = []
        self._drawing = asyncio.Lock()
        self._prose: Prose | None = None
        self._cell: CodeCell | None = None
        self._waiting = Static("", markup=False, classes="answer--waiting")
        self._pace: Timer | None = None
        self.whole = False
        """Whether no more comes; a finished answer costs no time."""
        self.cells: list[CodeCell] = []
        self.text = ""
        """The answer as the model wrote it."""

    def on_mount(self) -> None:
        """Draw what arrives at a steady pace, however fast it comes."""
        self._pace = self.set_interval(REFRESH, self.draw, pause=self.whole)

    def waiting(self, text: str) -> None:
        """Say what the engine does before the first word."""
        if self.text:
            return
        if not self._waiting.is_attached:
            self.mount(self._waiting)
        self._waiting.update(clean(text))

    def feed(self, text: str) -> None:
        """Add text at the end; it is drawn within `REFRESH`."""
        self.text += text
        self._pending.append(text)

    async def draw(self) -> None:
        """Draw what has arrived; nothing where that is being done."""
        if self._pending and not self._drawing.locked():
            await self._flush()

    async def _flush(self) -> None:
        async with self._drawing:
            text = "".join(self._pending)
            self._pending.clear()
            if text and self._waiting.is_attached:
                await self._waiting.remove()
            await self._show(self._fences.feed(text))

    async def _show(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Opened):
                await self._end_prose()
                await self._open_cell(event.language)
            elif isinstance(event, Code):
                assert self._cell is not None
                self._cell.feed(event.text)
            elif isinstance(event, Closed):
                self._end_cell()
            elif self._prose is not None or event.text.strip():
                await self._write(event.text)

    async def _write(self, text: str) -> None:
        # Markdown brings its parser along: what only asks need not wait for it.
        from starchat_tui.ui.widgets.prose import Prose

        if self._prose is None:
            self._prose = Prose()
            await self.mount(self._prose)
        await self._prose.append(clean(text))

    async def _end_prose(self) -> None:
        """Parse the run once more: a list that grew in pieces may hold a stale line."""
        if self._prose is not None:
            prose, self._prose = self._prose, None
            await prose.update(prose.source)

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
        """No more comes; where `text` differs from what arrived (a trimmed overrun) it is drawn."""
        async with self._drawing:  # stopping the pace cancels a drawing that it has begun
            self.whole = True
            if self._pace is not None:
                self._pace.stop()
        await self._flush()
        if text != self.text:
            await self._again(text)
        async with self._drawing:
            if self._waiting.is_attached:
                await self._waiting.remove()
            await self._show(self._fences.finish())
            if self._cell is not None and not self._cell.block.code:
                await self.cells.pop().remove()  # stopped right after the opening fence
                self._cell = None
            self._end_cell()
            await self._end_prose()

    async def _again(self, text: str) -> None:
        async with self._drawing, self.batch():
            await self.remove_children()
            self._next_number -= len(self.cells)
            self.cells.clear()
            self._fences, self._prose, self._cell = Fences(), None, None
            self.text = text
            await self._show(self._fences.feed(text))


def preload() -> None:
    """Import what the first answer and its run need, while the user reads the first frame."""
    from starchat_tui.terminal.highlight import lexer_of
    from starchat_tui.ui.screens import consent_dialog  # noqa: F401
    from starchat_tui.ui.widgets import output, prose  # noqa: F401

    prose.parser()
    lexer_of("python")
