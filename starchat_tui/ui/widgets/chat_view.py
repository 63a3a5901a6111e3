"""The main screen's widgets, and what they do among themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from starchat_tui.chat.commands import block_number, save_new
from starchat_tui.errors import UsageError
from starchat_tui.execution.run_result import Outcome
from starchat_tui.terminal.input_history import InputHistory
from starchat_tui.ui.messages import (
    BannerClosed,
    CopyRequested,
    EarlierRequested,
    ExampleChosen,
)
from starchat_tui.ui.widgets.banner import Banner, Queue
from starchat_tui.ui.widgets.composer import Composer
from starchat_tui.ui.widgets.image import Images
from starchat_tui.ui.widgets.status import StatusLine
from starchat_tui.ui.widgets.transcript import Transcript
from starchat_tui.ui.widgets.welcome import EXAMPLES, Welcome


class Stage(Vertical):
    """The conversation, what is wrong, what waits, the draft, the status."""

    def __init__(
        self,
        welcome: Welcome,
        typed: InputHistory,
        *,
        draft: str = "",
        images: Images = Images(),  # noqa: B008
        outcomes: Callable[[int], Mapping[int, Outcome]] = lambda turn: {},
        danger: str = "",
    ) -> None:
        super().__init__()
        self._danger = danger
        """What has to be seen all the time."""
        self.transcript = Transcript(welcome, images=images, outcomes=outcomes)
        self.banner = Banner()
        self.queue = Queue()
        self.composer = Composer(typed, draft=draft)
        self._status = StatusLine()
        self._copies = 0
        """Code blocks copied by one key since the last answer."""

    def compose(self) -> ComposeResult:
        """From top to bottom."""
        if self._danger:
            yield Static(Content(self._danger), markup=False, classes="danger")
        yield self.transcript
        yield self.banner
        yield self.queue
        yield self.composer
        yield self._status

    def on_mount(self) -> None:
        """The draft has the keys."""
        self.composer.border_subtitle = "Enter sends · Ctrl+J new line"
        self.composer.focus()

    def status(self, **changes: Any) -> None:
        """Change fields of the status line."""
        self._status.status = replace(self._status.status, **changes)

    def give_back(self, text: str) -> None:
        """Make `text` the user's draft again, before what he typed since."""
        draft = self.composer.draft
        self.composer.put(f"{text}\n\n{draft}" if draft.strip() else text)

    def unqueue(self) -> None:
        """Give back the questions that waited: the user may think differently now."""
        waiting = self.queue.take_all()
        if waiting:
            self.give_back("\n\n".join(waiting))

    def on_example_chosen(self, message: ExampleChosen) -> None:
        """An example question becomes the draft, where nothing else was typed."""
        if not self.composer.text.strip() or self.composer.text in EXAMPLES:
            self.composer.put(message.text)
        self.composer.focus()

    def on_banner_closed(self, message: BannerClosed) -> None:
        """Hide the error."""
        self.banner.close()

    async def on_earlier_requested(self, message: EarlierRequested) -> None:
        """Mount older turns."""
        await self.transcript.show_earlier()

    def page(self, pages: int) -> None:
        """Scroll the conversation by pages."""
        move = self.transcript.scroll_page_down if pages > 0 else self.transcript.scroll_page_up
        move(animate=False)

    def end(self, side: int) -> None:
        """Scroll the conversation to its beginning or its end."""
        move = self.transcript.scroll_end if side > 0 else self.transcript.scroll_home
        move(animate=False)

    # Code blocks

    def answering(self) -> None:
        """A new answer begins: copying starts over at the last block."""
        self._copies = 0

    def copy(self, argument: str = "") -> None:
        """Copy the numbered block, the last one without a number, or an answer without code."""
        blocks = self.transcript.code_blocks
        if not blocks and not argument and self.transcript.last_answer:
            self.post_message(CopyRequested(self.transcript.last_answer, "the answer"))
            return
        number = block_number(argument, len(blocks))
        self.post_message(CopyRequested(blocks[number - 1].code, f"code block {number}"))

    def copy_next(self) -> None:
        """Copy the last block; repeated, the ones before it."""
        count = len(self.transcript.code_blocks)
        number = count - self._copies % count if count else 0
        self._copies += 1
        self.copy(str(number) if number else "")

    def save(self, argument: str) -> Path:
        """Write the block to the file that `argument` (`n FILE`) names; its absolute path."""
        number, _, name = argument.partition(" ")
        if not name.strip():
            raise UsageError("`/save` needs a number and a file", "give `/save 1 example.py`")
        blocks = self.transcript.code_blocks
        return save_new(Path(name.strip()), blocks[block_number(number, len(blocks)) - 1].code)
