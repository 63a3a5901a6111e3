"""What went wrong and what to do next; and the questions that wait their turn."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static

from starchat_tui.errors import StarChatError
from starchat_tui.sanitize import clean
from starchat_tui.ui.messages import BannerClosed


class Banner(Static):
    """One error: its message, its hint, and how to be rid of it."""

    def __init__(self) -> None:
        super().__init__("", markup=False)
        self.display = False

    def show(self, error: StarChatError) -> None:
        """Say what happened."""
        message = Content.styled(clean(error.message), "bold $text-error")
        hint = Content(f"\n{clean(error.hint)}") if error.hint else Content("")
        self.update(message + hint + Content.styled("   Esc closes", "$foreground 50%"))
        self.display = True

    def close(self) -> None:
        """Hide it."""
        self.display = False

    def on_click(self) -> None:
        """A click dismisses it."""
        self.post_message(BannerClosed())


class Queue(Static):
    """Questions that were sent while an answer was being written, one row each."""

    def __init__(self) -> None:
        super().__init__("", markup=False)
        self.display = False
        self._questions: list[str] = []

    def put(self, text: str) -> None:
        """One more, at the end."""
        self._questions.append(text)
        self._show()

    def take(self) -> str:
        """The first one, which leaves; empty where none waits."""
        text = self._questions.pop(0) if self._questions else ""
        self._show()
        return text

    def take_all(self) -> list[str]:
        """All of them, which leave."""
        questions, self._questions = self._questions, []
        self._show()
        return questions

    def _show(self) -> None:
        rows = [clean(text).strip().split("\n", 1)[0] for text in self._questions]
        self.update(Content("\n".join(f"next: {row}" for row in rows)))
        self.display = bool(rows)
