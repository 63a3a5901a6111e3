"""Where the user types: Enter sends, ^J begins a new line, a large paste is folded."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.actions import SkipAction
from textual.binding import Binding, BindingType
from textual.widgets import TextArea

from starchat_tui.chat.commands import COMMANDS
from starchat_tui.sanitize import clean
from starchat_tui.terminal.input_history import InputHistory
from starchat_tui.ui.messages import DraftChanged, Submitted

PASTE_LINES = 5
"""A paste of more lines than this is folded."""
PASTE_CHARACTERS = 500
"""A paste of more characters than this is folded."""
NEWLINE = ("ctrl+j", "alt+enter", "shift+enter", "\r", "shift+\r", "alt+\r")
"""The last three are how Textual names what xterm sends for Enter with a modifier."""


class Composer(TextArea):
    """The draft; it grows with its lines, and Up and Down leave it for what was typed before."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "complete", "Complete", show=False, id="composer.complete"),
    ]

    def __init__(self, history: InputHistory, *, draft: str = "") -> None:
        super().__init__(
            soft_wrap=True,
            show_line_numbers=False,
            highlight_cursor_line=False,
            placeholder="Ask about code",
        )
        self._history = history
        self._pastes: dict[str, str] = {}
        """What each placeholder stands for."""
        self._recalled: str | None = None
        self._first = draft

    def on_mount(self) -> None:
        """Begin with the draft that was left behind."""
        if self._first:
            self.put(self._first)

    @property
    def draft(self) -> str:
        """The text as it would be sent: placeholders unfolded."""
        text = self.text
        for placeholder, pasted in self._pastes.items():
            text = text.replace(placeholder, pasted)
        return text

    def put(self, text: str) -> None:
        """Replace the draft; what a terminal would obey is folded away, not shown."""
        self.text = text if clean(text) == text else self._placeholder(text)
        self.move_cursor(self.document.end)

    def clear_draft(self) -> None:
        """Empty the composer; the draft can be recalled with Up."""
        self._history.add(self.draft)
        self.text = ""
        self._pastes.clear()

    async def _on_key(self, event: events.Key) -> None:
        if event.key == "enter":
            self._take(event)
            self._send()
        elif event.key in NEWLINE:
            self._take(event)
            self.insert("\n")
        elif event.key.startswith("alt+"):
            event.prevent_default()  # a command of the app's, not the letter that comes with it

    def _take(self, event: events.Key) -> None:
        event.stop()
        event.prevent_default()

    def _send(self) -> None:
        text = self.draft
        if text.strip():
            self.clear_draft()
            self.post_message(Submitted(text))

    async def _on_paste(self, event: events.Paste) -> None:
        event.stop()
        event.prevent_default()
        text = event.text.replace("\r\n", "\n").replace("\r", "\n")
        large = text.count("\n") >= PASTE_LINES or len(text) > PASTE_CHARACTERS
        self.insert(self._placeholder(text) if large or clean(text) != text else text)

    def _placeholder(self, text: str) -> str:
        lines = text.count("\n") + 1
        size = f"{lines} lines" if lines > 1 else f"{len(text)} characters"
        placeholder = f"[pasted {size} #{len(self._pastes) + 1}]"
        self._pastes[placeholder] = text
        return placeholder

    def action_delete_left(self) -> None:
        """Delete a character, a selection, or the whole of a placeholder."""
        row, column = self.cursor_location
        before = self.document.get_line(row)[:column]
        ending = next((one for one in self._pastes if before.endswith(one)), None)
        if ending is None or not self.selection.is_empty:
            super().action_delete_left()
        else:
            self.delete((row, column - len(ending)), (row, column))

    def action_delete_right(self) -> None:
        """Delete to the right; with an empty draft the key means something else to the app."""
        if not self.text:
            raise SkipAction
        super().action_delete_right()

    def action_cursor_page_up(self) -> None:
        """The key belongs to the conversation, however long the draft is."""
        raise SkipAction

    def action_cursor_page_down(self) -> None:
        """The key belongs to the conversation, however long the draft is."""
        raise SkipAction

    def action_cursor_up(self, select: bool = False) -> None:
        """A row up; from the first one to the line that was typed before."""
        if select or not self.navigator.is_first_wrapped_line(self.cursor_location):
            super().action_cursor_up(select)
        else:
            self._recall(self._history.back(self.text))

    def action_cursor_down(self, select: bool = False) -> None:
        """A row down; from the last one to the line that was typed after."""
        if select or not self.navigator.is_last_wrapped_line(self.cursor_location):
            super().action_cursor_down(select)
        else:
            self._recall(self._history.forward(self.text))

    def _recall(self, text: str | None) -> None:
        if text is not None:
            self.put(text)
            self._recalled = self.text

    def action_complete(self) -> None:
        """Take the suggested command; without one the key moves the focus on."""
        if not self.suggestion:
            raise SkipAction
        self.insert(self.suggestion)

    def update_suggestion(self) -> None:
        """The rest of a slash command that has been begun."""
        names = (f"/{command.name}" for command in COMMANDS)
        begun = self.text
        fits = (name for name in names if len(begun) > 1 and name.startswith(begun))
        self.suggestion = next(fits, begun)[len(begun) :]

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        """Leave the walk through the history where the text is no longer the recalled one."""
        event.stop()
        if self.text != self._recalled:
            self._recalled = None
            self._history.leave()
        self.post_message(DraftChanged(self.draft))
