"""Input area: Enter sends, Ctrl+J starts a new line, a large paste is folded."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.actions import SkipAction
from textual.binding import Binding, BindingType
from textual.widgets import TextArea

from starchat_tui.chat.commands import COMMANDS
from starchat_tui.sanitize import sanitize_text
from starchat_tui.terminal.input_history import InputHistory
from starchat_tui.ui.messages import DraftChanged, Submitted

MAX_PASTE_LINES = 5
"""Lines of the largest paste that is not folded."""
MAX_PASTE_CHARACTERS = 500
"""Characters of the largest paste that is not folded."""
NEWLINE_KEYS = ("ctrl+j", "alt+enter", "shift+enter", "\r", "shift+\r", "alt+\r")
"""The last three are Textual's names for what xterm sends for Enter with a modifier."""


class Composer(TextArea):
    """The draft; it grows with its lines, and Up and Down recall earlier prompts."""

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
        """The pasted text that each placeholder stands for."""
        self._recalled: str | None = None
        self._initial_draft = draft

    def on_mount(self) -> None:
        """Restore the saved draft."""
        if self._initial_draft:
            self.set_draft(self._initial_draft)

    @property
    def draft(self) -> str:
        """The text as it would be sent, with placeholders expanded."""
        text = self.text
        for placeholder, pasted in self._pastes.items():
            text = text.replace(placeholder, pasted)
        return text

    def set_draft(self, text: str) -> None:
        """Replace the draft; text with control sequences is folded, not shown."""
        self.text = text if sanitize_text(text) == text else self._placeholder(text)
        self.move_cursor(self.document.end)

    def clear_draft(self) -> None:
        """Empty the composer; the draft can be recalled with Up."""
        self._history.add(self.draft)
        self.text = ""
        self._pastes.clear()

    async def _on_key(self, event: events.Key) -> None:
        if event.key == "enter":
            self._consume(event)
            self._send()
        elif event.key in NEWLINE_KEYS:
            self._consume(event)
            self.insert("\n")
        elif event.key.startswith("alt+"):
            # A command of the app: Textual would also insert the letter that comes with the key.
            event.prevent_default()

    def _consume(self, event: events.Key) -> None:
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
        # Terminals send a carriage return for each newline of a bracketed paste.
        text = event.text.replace("\r\n", "\n").replace("\r", "\n")
        large = text.count("\n") >= MAX_PASTE_LINES or len(text) > MAX_PASTE_CHARACTERS
        self.insert(self._placeholder(text) if large or sanitize_text(text) != text else text)

    def _placeholder(self, text: str) -> str:
        lines = text.count("\n") + 1
        size = f"{lines} lines" if lines > 1 else f"{len(text)} characters"
        placeholder = f"[pasted {size} #{len(self._pastes) + 1}]"
        self._pastes[placeholder] = text
        return placeholder

    def action_delete_left(self) -> None:
        """Delete a character, the selection, or a whole placeholder."""
        row, column = self.cursor_location
        before = self.document.get_line(row)[:column]
        ending = next((one for one in self._pastes if before.endswith(one)), None)
        if ending is None or not self.selection.is_empty:
            super().action_delete_left()
        else:
            self.delete((row, column - len(ending)), (row, column))

    def action_delete_right(self) -> None:
        """Delete to the right; with an empty draft leave the key to the app (Ctrl+D quits)."""
        if not self.text:
            raise SkipAction
        super().action_delete_right()

    def action_cursor_page_up(self) -> None:
        """Leave the key to the conversation, however long the draft is."""
        raise SkipAction

    def action_cursor_page_down(self) -> None:
        """Leave the key to the conversation, however long the draft is."""
        raise SkipAction

    def action_cursor_up(self, select: bool = False) -> None:
        """Move a row up; from the first one recall an older prompt."""
        if select or not self.navigator.is_first_wrapped_line(self.cursor_location):
            super().action_cursor_up(select)
        else:
            self._recall(self._history.find_older(self.text))

    def action_cursor_down(self, select: bool = False) -> None:
        """Move a row down; from the last one recall a newer prompt."""
        if select or not self.navigator.is_last_wrapped_line(self.cursor_location):
            super().action_cursor_down(select)
        else:
            self._recall(self._history.find_newer(self.text))

    def _recall(self, text: str | None) -> None:
        if text is not None:
            self.set_draft(text)
            self._recalled = self.text

    def action_complete(self) -> None:
        """Complete the suggested command; without one let the key move the focus."""
        if not self.suggestion:
            raise SkipAction
        self.insert(self.suggestion)

    def update_suggestion(self) -> None:
        """Suggest the rest of a slash command."""
        names = (f"/{command.name}" for command in COMMANDS)
        begun = self.text
        fits = (name for name in names if len(begun) > 1 and name.startswith(begun))
        self.suggestion = next(fits, begun)[len(begun) :]

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        """Stop browsing the history once the recalled text was edited."""
        event.stop()
        if self.text != self._recalled:
            self._recalled = None
            self._history.stop_browsing()
        self.post_message(DraftChanged(self.draft))
