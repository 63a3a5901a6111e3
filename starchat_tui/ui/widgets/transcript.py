"""The conversation on the screen: questions, answers, and notes between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from starchat_tui.chat.store import StoredTurn
from starchat_tui.codeblocks import CodeBlock, blocks
from starchat_tui.execution.run_result import Outcome
from starchat_tui.sanitize import clean
from starchat_tui.terminal.wording import ENDINGS
from starchat_tui.ui.messages import EarlierRequested
from starchat_tui.ui.widgets.answer_view import Answer
from starchat_tui.ui.widgets.code_cell import CodeCell
from starchat_tui.ui.widgets.column import ScrolledColumn
from starchat_tui.ui.widgets.image import Images

TAIL = 20
"""Turns of a resumed conversation that are mounted at once."""
FOLDED = 24
"""Lines of a question that are shown before it is unfolded."""


class Question(Static):
    """What the user asked, as typed; a long one is folded until it is clicked."""

    def __init__(self, text: str) -> None:
        lines = clean(text).expandtabs(4).split("\n")
        self._whole = "\n".join(lines)
        self._folded = len(lines) > FOLDED
        more = f"\n… {len(lines) - FOLDED + 4} more lines (click to unfold)"
        shown = "\n".join(lines[: FOLDED - 4]) + more if self._folded else self._whole
        super().__init__(Content(shown), markup=False)

    def on_click(self) -> None:
        """Unfold."""
        if self._folded:
            self._folded = False
            self.update(Content(self._whole))


class Note(Static):
    """A line between turns: what changed, what an answer took."""

    def __init__(self, text: str, *, classes: str = "") -> None:
        super().__init__(Content(clean(text)), markup=False, classes=classes)


class Unseen(Note):
    """The border between the turns that the model no longer sees and the others."""

    def __init__(self, turns: int) -> None:
        are = "turn" if turns == 1 else f"{turns} turns"
        super().__init__(f"the model no longer sees the {are} above")


class Earlier(Note):
    """Stands for the turns that are not mounted."""

    def __init__(self, turns: int) -> None:
        super().__init__(f"↑ load {turns} earlier turns")

    def on_click(self) -> None:
        """Ask for them."""
        self.post_message(EarlierRequested())


class Transcript(ScrolledColumn, can_focus=False):
    """The turns in order; follows the newest line until the reader scrolls up."""

    def __init__(
        self,
        welcome: Widget,
        *,
        images: Images = Images(),  # noqa: B008
        outcomes: Callable[[int], Mapping[int, Outcome]] = lambda turn: {},
    ) -> None:
        super().__init__(welcome)
        self._images = images
        self._outcomes = outcomes
        """What the code blocks of a stored turn came to."""
        self._welcome: Widget | None = welcome
        self._turns: list[Widget] = []
        """One widget a turn, for those that are mounted."""
        self._hidden: tuple[StoredTurn, ...] = ()
        """Turns before those."""
        self._hidden_blocks: list[CodeBlock] = []
        self._unseen: Unseen | None = None

    def watch_virtual_size(self) -> None:
        """Keep to the end once there is more than fits; a short conversation stays at the top."""
        if not self.is_anchored:
            self._follow()

    def _follow(self) -> None:
        if self.virtual_size.height > self.size.height > 0:
            self.anchor()

    @property
    def code_blocks(self) -> list[CodeBlock]:
        """All code blocks in the order of the numbers they are labelled with."""
        mounted = [cell.block for answer in self.query(Answer) for cell in answer.cells]
        return [*self._hidden_blocks, *mounted]

    async def cell(self, number: int) -> tuple[Answer, int, CodeCell]:
        """The numbered code block, its answer and its place there; older turns are mounted."""
        while number <= len(self._hidden_blocks):
            await self.show_earlier()
        for answer in self.query(Answer):
            for place, cell in enumerate(answer.cells):
                if cell.number == number:
                    return answer, place, cell
        raise LookupError(number)

    def reveal(self, widget: Widget) -> None:
        """Scroll until the end of what has grown is in view, where it is not."""
        self.call_after_refresh(self.scroll_to_widget, widget, animate=False, force=True)

    @property
    def last_answer(self) -> str:
        """The newest answer's text, empty where there is none."""
        answers = [turn.text for turn in self._turns if isinstance(turn, Answer)]
        return answers[-1] if answers else ""

    async def ask(self, text: str) -> None:
        """Show a question, after what is being shown: another conversation may be on its way."""
        async with self.lock:
            await self._leave_welcome()
            await self._mount_turn(Question(text))
        self._follow()

    async def answer(self) -> Answer:
        """An empty answer at the end."""
        async with self.lock:
            answer = Answer(number=len(self.code_blocks) + 1, images=self._images)
            await self._mount_turn(answer)
        return answer

    async def _mount_turn(self, turn: Widget) -> None:
        self._turns.append(turn)
        await self.mount(turn)

    async def note(self, text: str, *, classes: str = "", before: Widget | None = None) -> None:
        """Show a line at the end, or before a turn."""
        await self.mount(Note(text, classes=classes), before=before)

    async def _leave_welcome(self) -> None:
        if self._welcome is not None:
            await self._welcome.remove()
            self._welcome = None

    async def take_back(self, *, question: bool) -> None:
        """What was to be answered was never asked: the empty answer goes, and the question."""
        await self._turns.pop().remove()
        if question:
            await self._turns.pop().remove()

    def set_aside(self) -> None:
        """A sibling of the last answer, if there is one, stays readable, but is no turn."""
        if len(self._turns) > 1 and isinstance(self._turns[-2], Answer):
            self._turns.pop(-2).add_class("set-aside")

    async def unseen(self, dropped: int) -> None:
        """Mark that the oldest `dropped` turns are no longer sent."""
        if self._unseen is not None:
            await self._unseen.remove()
            self._unseen = None
        place = dropped - len(self._hidden)
        if dropped and 0 <= place < len(self._turns):
            self._unseen = Unseen(dropped)
            await self.mount(self._unseen, before=self._turns[place])

    async def show(self, turns: Sequence[StoredTurn], *, welcome: Widget | None = None) -> None:
        """Show these turns in place of all that is there, only the last `TAIL` at first."""
        async with self.batch():
            await self.remove_children()
            self._turns, self._unseen, self._welcome = [], None, welcome
            first = max(0, len(turns) - TAIL)
            self._hide(turns[:first])
            if welcome is not None:
                await self.mount(welcome)
            if self._hidden:
                await self.mount(Earlier(len(self._hidden)))
            self._turns = await self._mount_all(turns[first:], before=None)
        self.anchor(False)
        self.scroll_home(animate=False)
        self.call_after_refresh(self._follow)

    async def show_earlier(self) -> None:
        """Mount the next older turns above the others, and keep the reader's place."""
        below = self.virtual_size.height - self.scroll_offset.y
        first = max(0, len(self._hidden) - TAIL)
        page = self._hidden[first:]
        self._hide(self._hidden[:first])
        async with self.batch():
            await self.query(Earlier).remove()
            if self._hidden:
                await self.mount(Earlier(len(self._hidden)), before=0)
            self._turns[:0] = await self._mount_all(page, before=self._turns[0])
        self.call_after_refresh(
            lambda: self.scroll_to(y=self.virtual_size.height - below, animate=False)
        )

    def _hide(self, turns: Sequence[StoredTurn]) -> None:
        self._hidden = tuple(turns)
        answers = (one.turn.text for one in turns if one.turn.role == "assistant")
        self._hidden_blocks = [block for text in answers for block in blocks(text)]

    async def _mount_all(
        self, turns: Sequence[StoredTurn], *, before: Widget | None
    ) -> list[Widget]:
        number = len(self._hidden_blocks) + 1
        mounted: list[Widget] = []
        for stored in turns:
            turn = stored.turn
            widget = (
                Question(turn.text)
                if turn.role == "user"
                else Answer(number=number, turn=stored.id, images=self._images)
            )
            await self.mount(widget, before=before)
            if isinstance(widget, Answer):
                await widget.finish(turn.text)
                number += len(widget.cells)
                for place, outcome in self._outcomes(stored.id).items():
                    if place < len(widget.cells):
                        await widget.cells[place].show(outcome)
            if stored.state in ENDINGS:
                await self.note(ENDINGS[stored.state], classes="state", before=before)
            mounted.append(widget)
        return mounted
