"""List of the stored conversations: type to search, Enter opens one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from starchat_tui.chat.store import Summary
from starchat_tui.errors import StarChatError
from starchat_tui.sanitize import sanitize_text
from starchat_tui.ui.textual_overrides import MAX_QUERY_CHARACTERS, SafeDialog
from starchat_tui.ui.widgets.caption import Caption

MAX_ROWS = 200
"""Conversations that are listed."""


class ConversationLibrary(SafeDialog[str | None]):
    """Returns the id of the chosen conversation, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Close"),
        Binding("down", "move(1)", "Down", show=False),
        Binding("up", "move(-1)", "Up", show=False),
    ]

    def __init__(
        self, search: Callable[[str], Sequence[Summary]], *, now: float, query: str = ""
    ) -> None:
        super().__init__()
        self._search = search
        self._now = now
        """Seconds since the epoch."""
        self._query = query

    def compose(self) -> ComposeResult:
        """Yield a search field above the list."""
        with Vertical(classes="dialog library"):
            # Not selected on focus: the next key is to narrow the query, not to replace it.
            yield Input(
                self._query,
                placeholder="Search your conversations",
                select_on_focus=False,
                max_length=MAX_QUERY_CHARACTERS,
            )
            yield OptionList(markup=False)
            yield Caption("Enter open · Esc close", classes="dialog--keys")

    def on_mount(self) -> None:
        """List the conversations that the initial query finds."""
        self._list_conversations(self._query)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Narrow the list to the words typed."""
        self._list_conversations(event.value)

    def on_input_submitted(self) -> None:
        """Open the highlighted conversation."""
        options = self.query_one(OptionList)
        if options.highlighted is not None:
            self.dismiss(options.get_option_at_index(options.highlighted).id)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Open the clicked conversation."""
        self.dismiss(event.option_id)

    def action_move(self, step: int) -> None:
        """Move the highlight; the search field keeps the focus."""
        options = self.query_one(OptionList)
        if options.option_count:
            at = options.highlighted if options.highlighted is not None else -step
            options.highlighted = (at + step) % options.option_count

    def _list_conversations(self, query: str) -> None:
        options = self.query_one(OptionList)
        options.clear_options()
        try:
            found = list(self._search(query.strip()))[:MAX_ROWS]
        except StarChatError as error:
            options.add_option(Option(Content(sanitize_text(error.message)), disabled=True))
            return
        options.add_options([Option(_build_row(one, self._now), id=one.id) for one in found])
        if found:
            options.highlighted = 0
        else:
            options.add_option(Option(Content("No conversation found"), disabled=True))


def _build_row(summary: Summary, now: float) -> Content:
    count = "1 question" if summary.questions == 1 else f"{summary.questions} questions"
    age, model = format_age(now - summary.updated), sanitize_text(summary.model)
    about = f"{age} · {count} · {model} · {summary.mode}"
    return Content.assemble(
        sanitize_text(summary.title) or "untitled", "\n", (about, "$foreground 55%")
    )


def format_age(seconds: float) -> str:
    """Return a duration before now in its largest unit, such as `3 hours ago`."""
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"
