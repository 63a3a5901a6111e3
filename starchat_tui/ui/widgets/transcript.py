"""The conversation on the screen: questions, answers, and notes between them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from starchat_tui.chat.store import StoredTurn
from starchat_tui.codeblocks import CodeBlock, parse_code_blocks
from starchat_tui.execution.run_result import RunResult
from starchat_tui.sanitize import sanitize_text
from starchat_tui.terminal.image_detection import ImageSettings
from starchat_tui.terminal.status_text import ANSWER_END_TEXTS
from starchat_tui.ui.messages import EarlierTurnsRequested
from starchat_tui.ui.widgets.answer_view import AnswerView
from starchat_tui.ui.widgets.code_cell import CodeCell
from starchat_tui.ui.widgets.column import ScrolledColumn
from starchat_tui.ui.widgets.image import HALF_BLOCKS
from starchat_tui.ui.widgets.sibling_bar import SiblingBar

PAGE_TURNS = 20
"""Turns of a resumed conversation that are mounted at a time."""
FOLD_LINES = 24
"""Lines of the longest question that is not folded."""


class Question(Static):
    """A question as typed; a long one is folded until it is clicked."""

    def __init__(self, text: str) -> None:
        lines = sanitize_text(text).expandtabs(4).split("\n")
        self._whole = "\n".join(lines)
        self._folded = len(lines) > FOLD_LINES
        more = f"\n… {len(lines) - FOLD_LINES + 4} more lines (click to show)"
        shown = "\n".join(lines[: FOLD_LINES - 4]) + more if self._folded else self._whole
        super().__init__(Content(shown), markup=False)

    def on_click(self) -> None:
        """Show all lines."""
        if self._folded:
            self._folded = False
            self.update(Content(self._whole))


class Note(Static):
    """A line between turns that is not part of the conversation."""

    def __init__(self, text: str, *, classes: str = "") -> None:
        super().__init__(Content(sanitize_text(text)), markup=False, classes=classes)


class ContextBoundary(Note):
    """The border below the turns that the model no longer sees."""

    def __init__(self, turns: int) -> None:
        are = "turn" if turns == 1 else f"{turns} turns"
        super().__init__(f"the model no longer sees the {are} above")


class EarlierTurns(Note):
    """Stands for the turns that are not mounted."""

    ALLOW_SELECT = False

    def __init__(self, turns: int) -> None:
        super().__init__(f"↑ load {turns} earlier turns")

    def on_click(self) -> None:
        """Ask for these turns."""
        self.post_message(EarlierTurnsRequested())


class Transcript(ScrolledColumn, can_focus=False):
    """Turns in order; follows the newest line until the user scrolls up."""

    def __init__(
        self,
        welcome: Widget,
        *,
        images: ImageSettings = HALF_BLOCKS,
        load_results: Callable[[int], Mapping[int, RunResult]] = lambda turn: {},
        locate_sibling: Callable[[int], tuple[int, int]] = lambda turn: (1, 1),
    ) -> None:
        super().__init__(welcome)
        self._locate_sibling = locate_sibling
        """Returns the position of a stored answer among its siblings, and their number."""
        self._images = images
        self._load_results = load_results
        """Returns the results of a stored turn's code blocks by their index."""
        self._welcome: Widget | None = welcome
        self._turns: list[Widget] = []
        """The widget of each mounted turn."""
        self._hidden: tuple[StoredTurn, ...] = ()
        """Turns before the mounted ones."""
        self._hidden_blocks: list[CodeBlock] = []
        self._context_boundary: ContextBoundary | None = None
        self._loading = asyncio.Lock()
        """Held while earlier turns are mounted: a second page would be mounted in between."""
        self.loads_all = False
        """True while the user wants to see the beginning."""

    def on_mouse_scroll_up(self) -> None:
        """Ask for earlier turns once the wheel has reached the top."""
        if self.scroll_y <= 0 and self.has_earlier_turns:
            self.post_message(EarlierTurnsRequested())

    @property
    def has_earlier_turns(self) -> bool:
        """True if turns above the first one can be mounted, and are not being mounted now."""
        return bool(self._hidden) and not self._loading.locked()

    def watch_virtual_size(self) -> None:
        """Follow the end once there is more than fits; a short conversation stays at the top."""
        if not self.is_anchored:
            self._anchor_if_full()

    def _anchor_if_full(self) -> None:
        if self.virtual_size.height > self.size.height > 0:
            self.anchor()

    @property
    def code_blocks(self) -> list[CodeBlock]:
        """All code blocks in the order of their numbers."""
        mounted = [cell.block for answer in self.query(AnswerView) for cell in answer.cells]
        return [*self._hidden_blocks, *mounted]

    async def find_cell(self, number: int) -> tuple[AnswerView, int, CodeCell]:
        """Return the answer, the index in it and the cell of a code block.

        Turns that are not mounted yet are, as far back as needed.
        """
        while number <= len(self._hidden_blocks):
            await self.show_earlier_turns()
        for answer in self.query(AnswerView):
            for index, cell in enumerate(answer.cells):
                if cell.number == number:
                    return answer, index, cell
        raise LookupError(number)

    def reveal(self, widget: Widget) -> None:
        """Scroll a widget into view, after the layout of what was just mounted."""
        self.call_after_refresh(self.scroll_to_widget, widget, animate=False, force=True)

    @property
    def last_answer(self) -> str:
        """Text of the newest answer; empty if there is none."""
        answers = [turn.text for turn in self._turns if isinstance(turn, AnswerView)]
        return answers[-1] if answers else ""

    async def add_question(self, text: str) -> None:
        """Add a question at the end."""
        # The lock: `show_turns` may be replacing the conversation, and removes all that is here.
        async with self.lock:
            await self._remove_welcome()
            await self._mount_turn(Question(text))
        self._anchor_if_full()

    async def add_answer(self) -> AnswerView:
        """Add an empty answer at the end and return it."""
        async with self.lock:
            answer = AnswerView(number=len(self.code_blocks) + 1, images=self._images)
            await self._mount_turn(answer)
        return answer

    async def _mount_turn(self, turn: Widget) -> None:
        self._turns.append(turn)
        await self.mount(turn)

    async def add_note(self, text: str, *, classes: str = "", before: Widget | None = None) -> None:
        """Add a line at the end, or before a turn."""
        await self.mount(Note(text, classes=classes), before=before)

    async def show_siblings(self, turn: int, *, before: Widget | None = None) -> None:
        """Add the bar of an answer that has siblings."""
        position, count = self._locate_sibling(turn)
        if count > 1:
            await self.mount(SiblingBar(turn, position, count), before=before)

    async def _remove_welcome(self) -> None:
        if self._welcome is not None:
            await self._welcome.remove()
            self._welcome = None

    async def remove_unanswered(self, *, question: bool) -> None:
        """Remove an empty answer and, with `question`, the question that was not stored."""
        await self._turns.pop().remove()
        if question:
            await self._turns.pop().remove()

    def dim_previous_answer(self) -> None:
        """Dim the answer that a new one replaces; it stays readable but is no turn."""
        if len(self._turns) > 1 and isinstance(self._turns[-2], AnswerView):
            self._turns.pop(-2).add_class("set-aside")

    async def mark_context_boundary(self, dropped: int) -> None:
        """Mark that the oldest `dropped` turns no longer fit into the prompt."""
        if self._context_boundary is not None:
            await self._context_boundary.remove()
            self._context_boundary = None
        index = dropped - len(self._hidden)
        if dropped and 0 <= index < len(self._turns):
            self._context_boundary = ContextBoundary(dropped)
            await self.mount(self._context_boundary, before=self._turns[index])

    async def show_turns(
        self, turns: Sequence[StoredTurn], *, welcome: Widget | None = None
    ) -> None:
        """Replace the conversation; only the last `PAGE_TURNS` turns are mounted at first."""
        async with self.batch():
            await self.remove_children()
            self._turns, self._context_boundary, self._welcome = [], None, welcome
            first = max(0, len(turns) - PAGE_TURNS)
            self._set_hidden(turns[:first])
            if welcome is not None:
                await self.mount(welcome)
            if self._hidden:
                await self.mount(EarlierTurns(len(self._hidden)))
            self._turns = await self._mount_turns(turns[first:], before=None)
        self.anchor(False)
        self.scroll_home(animate=False)
        self.call_after_refresh(self._anchor_if_full)

    async def show_earlier_turns(self) -> None:
        """Mount the next older turns above the others and keep the scroll position."""
        async with self._loading:
            await self._mount_earlier_turns()

    async def show_all_turns(self) -> bool:
        """Mount earlier turns page by page while `loads_all`; return whether all are mounted."""
        conversation = self._turns
        while self._hidden and self.loads_all and self._turns is conversation:
            await self.show_earlier_turns()
        return self.loads_all and self._turns is conversation

    async def _mount_earlier_turns(self) -> None:
        # All of it in the batch: before, `show_turns` may be replacing the conversation.
        async with self.batch():
            below = self.virtual_size.height - self.scroll_offset.y
            first = max(0, len(self._hidden) - PAGE_TURNS)
            page = self._hidden[first:]
            self._set_hidden(self._hidden[:first])
            if not page:
                return
            await self.query(EarlierTurns).remove()
            if self._hidden:
                await self.mount(EarlierTurns(len(self._hidden)), before=0)
            self._turns[:0] = await self._mount_turns(page, before=self._turns[0])
        # After the refresh: only then are the heights of the new widgets known.
        self.call_after_refresh(
            lambda: self.scroll_to(y=self.virtual_size.height - below, animate=False)
        )

    def _set_hidden(self, turns: Sequence[StoredTurn]) -> None:
        self._hidden = tuple(turns)
        answers = (one.turn.text for one in turns if one.turn.role == "assistant")
        self._hidden_blocks = [block for text in answers for block in parse_code_blocks(text)]

    async def _mount_turns(
        self, turns: Sequence[StoredTurn], *, before: Widget | None
    ) -> list[Widget]:
        number = len(self._hidden_blocks) + 1
        mounted: list[Widget] = []
        for stored in turns:
            turn = stored.turn
            widget = (
                Question(turn.text)
                if turn.role == "user"
                else AnswerView(number=number, turn=stored.id, images=self._images)
            )
            await self.mount(widget, before=before)
            if isinstance(widget, AnswerView):
                await widget.finish(turn.text)
                number += len(widget.cells)
                for index, result in self._load_results(stored.id).items():
                    if index < len(widget.cells):
                        await widget.cells[index].show_result(result)
            if isinstance(widget, AnswerView):
                await self.show_siblings(stored.id, before=before)
            if stored.state in ANSWER_END_TEXTS:
                await self.add_note(ANSWER_END_TEXTS[stored.state], classes="state", before=before)
            mounted.append(widget)
        return mounted
