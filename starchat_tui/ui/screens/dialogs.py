"""Dialogs over the conversation: a link before it is followed, and a text to read."""

from __future__ import annotations

from typing import ClassVar, Literal
from urllib.parse import urlsplit

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from starchat_tui.sanitize import sanitize_text
from starchat_tui.ui.textual_overrides import SafeDialog
from starchat_tui.ui.widgets.caption import Caption


class LinkDialog(SafeDialog[Literal["open", "copy"] | None]):
    """Shows the whole address of a link before anything is done with it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("o", "choose('open')", "Open"),
        Binding("c", "choose('copy')", "Copy"),
        Binding("escape,q", "dismiss(None)", "Close"),
    ]

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    @property
    def is_openable(self) -> bool:
        """True if the link leads to a web page, and not to something on this machine."""
        try:
            return urlsplit(self._url).scheme in ("http", "https")
        except ValueError:  # `https://[your-host]/` has no valid host
            return False

    def compose(self) -> ComposeResult:
        """Yield the address and the keys."""
        keys = "o open in the browser · " if self.is_openable else ""
        with Vertical(classes="dialog"):
            yield Caption("A link in the answer", classes="dialog--title")
            yield Static(Content(sanitize_text(self._url)), markup=False, classes="dialog--url")
            yield Caption(f"{keys}c copy · Esc close", classes="dialog--keys")

    def action_choose(self, choice: Literal["open", "copy"]) -> None:
        """Close the dialog with the choice; a link that is not a web page stays closed."""
        if choice == "copy" or self.is_openable:
            self.dismiss(choice)


class TextDialog(SafeDialog[None]):
    """A text to read and scroll."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,f1", "dismiss", "Close")]

    def __init__(self, title: str, text: Content | str) -> None:
        super().__init__()
        self._title = title
        self._text = Content(text) if isinstance(text, str) else text

    def compose(self) -> ComposeResult:
        """Yield the title, the text and the key that closes the dialog."""
        with Vertical(classes="dialog reader"):
            yield Caption(sanitize_text(self._title), classes="dialog--title")
            with VerticalScroll():
                yield Static(self._text, markup=False)
            yield Caption("Esc close", classes="dialog--keys")

    def on_mount(self) -> None:
        """Focus the text: the arrow keys scroll it."""
        self.query_one(VerticalScroll).focus()
