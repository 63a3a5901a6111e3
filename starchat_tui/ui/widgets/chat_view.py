"""The main screen's content: transcript, error banner, queue, composer, status line."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from starchat_tui.chat.commands import parse_block_number, save_code
from starchat_tui.errors import StarChatError, UsageError
from starchat_tui.execution.run_result import RunResult
from starchat_tui.terminal.image_detection import ImageSettings
from starchat_tui.terminal.input_history import InputHistory
from starchat_tui.ui.messages import (
    BannerDismissed,
    CopyRequested,
    EarlierTurnsRequested,
    ExampleChosen,
    NoticeRequested,
)
from starchat_tui.ui.widgets.banner import Banner, QuestionQueue
from starchat_tui.ui.widgets.composer import Composer
from starchat_tui.ui.widgets.image import HALF_BLOCKS
from starchat_tui.ui.widgets.status import Status, StatusLine
from starchat_tui.ui.widgets.transcript import Transcript
from starchat_tui.ui.widgets.welcome import EXAMPLES, Welcome


class ChatView(Vertical):
    """Everything on the main screen, and what controllers need to act on it."""

    def __init__(
        self,
        welcome: Welcome,
        history: InputHistory,
        *,
        draft: str = "",
        images: ImageSettings = HALF_BLOCKS,
        load_results: Callable[[int], Mapping[int, RunResult]] = lambda turn: {},
        locate_sibling: Callable[[int], tuple[int, int]] = lambda turn: (1, 1),
        warning: str = "",
    ) -> None:
        """Create the view.

        Args:
            welcome: The widget of an empty conversation.
            history: The prompts that the composer recalls.
            draft: The text that the composer starts with.
            images: How plots are drawn.
            load_results: Returns the results of a stored turn's code blocks by their index.
            locate_sibling: Returns the position of a stored answer among those to its question,
                and their number.
            warning: A line that stays at the top of the screen; empty for none.
        """
        super().__init__()
        self._warning = warning
        self.transcript = Transcript(
            welcome, images=images, load_results=load_results, locate_sibling=locate_sibling
        )
        self.banner = Banner()
        self.queue = QuestionQueue()
        self.composer = Composer(history, draft=draft)
        self._status_line = StatusLine()
        self._copied_blocks = 0
        """Code blocks that were copied with one key since the last answer."""

    def compose(self) -> ComposeResult:
        """Yield the widgets from top to bottom."""
        if self._warning:
            yield Static(Content(self._warning), markup=False, classes="danger")
        yield self.transcript
        yield self.banner
        yield self.queue
        yield self.composer
        yield self._status_line

    def on_mount(self) -> None:
        """Focus the composer."""
        self.composer.border_subtitle = "Enter send · Ctrl+J new line"
        self.composer.focus()

    # Status, notes, errors

    @property
    def status(self) -> Status:
        """The content of the status line."""
        return self._status_line.status

    def update_status(self, status: Status) -> None:
        """Replace the content of the status line."""
        self._status_line.status = status

    def show_activity(self, activity: str) -> None:
        """Show the current activity in the status line; empty shows none."""
        self.update_status(replace(self.status, activity=activity))

    def add_note(self, text: str) -> None:
        """Add a line to the transcript that is not part of the conversation."""
        self.run_in_background(partial(self.transcript.add_note, text), group="note")

    def show_notice(self, text: str) -> None:
        """Show a notice that disappears by itself, in place of the one before."""
        self.post_message(NoticeRequested(text))

    def show_error(self, error: StarChatError) -> None:
        """Show an error above the composer."""
        self.banner.show_error(error)

    @contextmanager
    def show_errors(self) -> Iterator[None]:
        """Show the `StarChatError` that the body raises."""
        try:
            yield
        except StarChatError as error:
            self.show_error(error)

    def run_in_background(
        self,
        work: Callable[[], Coroutine[Any, Any, None]],
        *,
        group: str,
        exclusive: bool = False,
    ) -> None:
        """Start `work` in a worker; with `exclusive` cancel what its group still does."""
        self.run_worker(cast(Any, work), group=group, exclusive=exclusive)

    # Drafts and queued questions

    def restore_draft(self, text: str) -> None:
        """Put `text` back into the composer, before what was typed since."""
        draft = self.composer.draft
        self.composer.set_draft(f"{text}\n\n{draft}" if draft.strip() else text)

    def restore_queued(self) -> None:
        """Put the queued questions back into the composer: the user may want to change them."""
        queued = self.queue.take_all()
        if queued:
            self.restore_draft("\n\n".join(queued))

    def on_example_chosen(self, message: ExampleChosen) -> None:
        """Make an example question the draft, unless something else was typed."""
        if not self.composer.text.strip() or self.composer.text in EXAMPLES:
            self.composer.set_draft(message.text)
        self.composer.focus()

    def on_banner_dismissed(self, message: BannerDismissed) -> None:
        """Hide the error."""
        self.banner.hide()

    # Scrolling

    def on_earlier_turns_requested(self, message: EarlierTurnsRequested) -> None:
        """Mount earlier turns, unless some are being mounted."""
        if self.transcript.has_earlier_turns:
            self.run_in_background(self.transcript.show_earlier_turns, group="earlier")

    def scroll_by_page(self, pages: int) -> None:
        """Scroll the conversation one page down, or up if `pages` is negative."""
        transcript = self.transcript
        if pages > 0:
            transcript.loads_all = False
            transcript.scroll_page_down(animate=False)
        elif transcript.scroll_y <= 0 and transcript.has_earlier_turns:
            self.post_message(EarlierTurnsRequested())
        else:
            transcript.scroll_page_up(animate=False)

    def scroll_to_edge(self, side: int) -> None:
        """Scroll the conversation to its end, or to its beginning if `side` is negative."""
        self.transcript.loads_all = side < 0
        if side > 0:
            self.transcript.scroll_end(animate=False)
        else:
            self.run_in_background(self._scroll_to_beginning, group="earlier")

    async def _scroll_to_beginning(self) -> None:
        if await self.transcript.show_all_turns():
            # After the refresh that each page asks for, to keep the reader's place.
            self.call_after_refresh(self.transcript.scroll_home, animate=False)

    # Code blocks

    def reset_copying(self) -> None:
        """Have the next copy key start at the last code block again."""
        self._copied_blocks = 0

    def request_copy(self, argument: str = "") -> None:
        """Copy the numbered block, the last one without a number, or an answer without code."""
        blocks = self.transcript.code_blocks
        if not blocks and not argument and self.transcript.last_answer:
            self.post_message(CopyRequested(self.transcript.last_answer, "the answer"))
            return
        number = parse_block_number(argument, len(blocks))
        self.post_message(CopyRequested(blocks[number - 1].code, f"code block {number}"))

    def request_next_copy(self) -> None:
        """Copy the last block; called again, the block before it."""
        count = len(self.transcript.code_blocks)
        number = count - self._copied_blocks % count if count else 0
        self._copied_blocks += 1
        self.request_copy(str(number) if number else "")

    def save_block(self, argument: str) -> Path:
        """Write a block to the file that `argument` (`n FILE`) names; return its absolute path."""
        number, _, name = argument.partition(" ")
        if not name.strip():
            raise UsageError("`/save` needs a number and a file", "for example `/save 1 a.py`")
        blocks = self.transcript.code_blocks
        index = parse_block_number(number, len(blocks)) - 1
        return save_code(Path(name.strip()), blocks[index].code)
