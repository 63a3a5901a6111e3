"""Dialog that shows the prompt as it is sent: its text or its token ids, and its counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar, Protocol

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from starchat_tui.sanitize import sanitize_text
from starchat_tui.ui.messages import CopyRequested
from starchat_tui.ui.screens.dialogs import TextDialog
from starchat_tui.ui.widgets.caption import Caption

_STYLES = {
    "control": "bold reverse",
    "control_id": "bold reverse",
    "lookalike": "underline $text-warning",
}
_LEGEND = "inverse: control token · with a backslash: text that is spelled like one"


class Part(Protocol):
    """A part of a prompt."""

    @property
    def kind(self) -> str:
        """Return text, control, lookalike or control_id."""

    @property
    def text(self) -> str:
        """Return the text as it is sent."""

    @property
    def marked(self) -> str:
        """Return the text with a mark that needs no color."""


class PromptDialog(TextDialog):
    """A prompt to read, scroll and copy."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("i", "toggle_ids", "Token ids"),
        Binding("c", "copy", "Copy"),
    ]

    def __init__(
        self, title: str, *, text: Iterable[Part], ids: Iterable[Part], rows: Mapping[str, str]
    ) -> None:
        """Create the dialog.

        Args:
            title: The model and the length of the prompt.
            text: The prompt as text.
            ids: The prompt as token ids.
            rows: Names and values of its counts.
        """
        self._parts, self._id_parts, self._rows = tuple(text), tuple(ids), rows
        self._shows_ids = False
        super().__init__(title, _mark_parts(self._parts))

    def compose(self) -> ComposeResult:
        """Yield the title, the text, the counts and the keys."""
        counts = "\n".join(f"{name:<11} {value}" for name, value in self._rows.items())
        with Vertical(classes="dialog reader"):
            yield Caption(sanitize_text(self._title), classes="dialog--title")
            with VerticalScroll():
                yield Static(self._text, markup=False, classes="prompt--text")
            yield Static(Content(sanitize_text(counts)), markup=False, classes="prompt--counts")
            keys = f"{_LEGEND}\ni token ids · c copy · Esc close"
            yield Caption(keys, classes="dialog--keys")

    def action_toggle_ids(self) -> None:
        """Show the token ids in place of the text, or the text again."""
        self._shows_ids = not self._shows_ids
        parts = self._id_parts if self._shows_ids else self._parts
        self.query_one(".prompt--text", Static).update(
            _mark_parts(parts, " " if self._shows_ids else "")
        )

    def action_copy(self) -> None:
        """Copy what is shown, without marks."""
        if self._shows_ids:
            text, subject = " ".join(part.text for part in self._id_parts), "the token ids"
        else:
            text, subject = "".join(part.text for part in self._parts), "the prompt"
        self.post_message(CopyRequested(text, subject))


def _mark_parts(parts: Iterable[Part], separator: str = "") -> Content:
    shown = [(sanitize_text(part.marked), _STYLES.get(part.kind, "")) for part in parts]
    return Content(separator).join(Content.styled(text, style) for text, style in shown)
