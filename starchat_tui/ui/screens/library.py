"""The stored conversations: type to search, Enter to go on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from starchat_tui.chat.store import Summary
from starchat_tui.errors import StarChatError
from starchat_tui.sanitize import clean

SHOWN = 200
"""Conversations in the list."""


class Library(ModalScreen[str | None]):
    """Ends with the id of the chosen conversation, or with None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Close"),
        Binding("down", "move(1)", "Down", show=False),
        Binding("up", "move(-1)", "Up", show=False),
    ]

    def __init__(
        self, find: Callable[[str], Sequence[Summary]], *, now: float, query: str = ""
    ) -> None:
        super().__init__()
        self._find = find
        self._now = now
        """Seconds since the epoch."""
        self._query = query

    def compose(self) -> ComposeResult:
        """A search field over the list."""
        with Vertical(classes="dialog library"):
            yield Input(self._query, placeholder="Search what was said", select_on_focus=False)
            yield OptionList(markup=False)
            yield Static("Enter goes on with it   Esc closes", markup=False, classes="dialog--keys")

    def on_mount(self) -> None:
        """Show what there is."""
        self._show(self._query)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Narrow the list."""
        self._show(event.value)

    def on_input_submitted(self) -> None:
        """Take the highlighted one."""
        options = self.query_one(OptionList)
        if options.highlighted is not None:
            self.dismiss(options.get_option_at_index(options.highlighted).id)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Take the clicked one."""
        self.dismiss(event.option_id)

    def action_move(self, step: int) -> None:
        """Move the highlight while the search field has the keys."""
        options = self.query_one(OptionList)
        if options.option_count:
            at = options.highlighted if options.highlighted is not None else -step
            options.highlighted = (at + step) % options.option_count

    def _show(self, query: str) -> None:
        options = self.query_one(OptionList)
        options.clear_options()
        try:
            found = list(self._find(query.strip()))[:SHOWN]
        except StarChatError as error:
            options.add_option(Option(Content(clean(error.message)), disabled=True))
            return
        options.add_options([Option(_row(one, self._now), id=one.id) for one in found])
        if found:
            options.highlighted = 0
        else:
            options.add_option(Option(Content("nothing found"), disabled=True))


def _row(summary: Summary, now: float) -> Content:
    turns = "1 turn" if summary.turns == 1 else f"{summary.turns} turns"
    about = f"{ago(now - summary.updated)} · {turns} · {clean(summary.model)} · {summary.mode}"
    return Content.assemble(clean(summary.title) or "untitled", "\n", (about, "$foreground 55%"))


def ago(seconds: float) -> str:
    """A stretch of time before now, in its largest unit."""
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"
