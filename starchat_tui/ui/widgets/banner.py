"""The error banner, and the queue of questions below it."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static

from starchat_tui.errors import StarChatError
from starchat_tui.sanitize import sanitize_text
from starchat_tui.ui.messages import BannerDismissed


class Banner(Static):
    """One error: its message, its hint, and the key that closes it.

    Esc is the key that stops an answer or a run, which the hint of an error may name.
    """

    def __init__(self) -> None:
        super().__init__("", markup=False)
        self.display = False

    def show_error(self, error: StarChatError) -> None:
        """Show an error in place of the one before."""
        message = Content.styled(sanitize_text(error.message), "bold $text-error")
        hint = Content(f"\n{sanitize_text(error.hint)}") if error.hint else Content("")
        self.update(message + hint + Content.styled("   Ctrl+L close", "$foreground 50%"))
        self.display = True

    def hide(self) -> None:
        """Hide the banner."""
        self.display = False

    def on_click(self) -> None:
        """Dismiss the error."""
        self.post_message(BannerDismissed())


class QuestionQueue(Static):
    """Questions that were sent while an answer was being written, one row each."""

    def __init__(self) -> None:
        super().__init__("", markup=False)
        self.display = False
        self._questions: list[str] = []

    def add(self, text: str) -> None:
        """Add a question at the end."""
        self._questions.append(text)
        self._refresh_rows()

    def take_first(self) -> str:
        """Remove and return the first question; empty if there is none."""
        text = self._questions.pop(0) if self._questions else ""
        self._refresh_rows()
        return text

    def take_all(self) -> list[str]:
        """Remove and return all questions."""
        questions, self._questions = self._questions, []
        self._refresh_rows()
        return questions

    def _refresh_rows(self) -> None:
        rows = [sanitize_text(text).strip().split("\n", 1)[0] for text in self._questions]
        self.update(Content("\n".join(f"next: {row}" for row in rows)))
        self.display = bool(rows)
