"""Screens over the conversation: a link before it is opened, and a text to read."""

from __future__ import annotations

from typing import ClassVar, Literal
from urllib.parse import urlsplit

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from starchat_tui.sanitize import clean


class LinkDialog(ModalScreen[Literal["open", "copy"] | None]):
    """The whole address of a link, before anything happens with it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("o", "answer('open')", "Open"),
        Binding("c", "answer('copy')", "Copy"),
        Binding("escape,q", "answer('')", "Close"),
    ]

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    @property
    def openable(self) -> bool:
        """Whether the link leads to a web page, and to nothing else on this machine."""
        try:
            return urlsplit(self._url).scheme in ("http", "https")
        except ValueError:  # `https://[your-host]/` is none
            return False

    def compose(self) -> ComposeResult:
        """The address and the keys."""
        keys = "o opens it in the browser   " if self.openable else ""
        with Vertical(classes="dialog"):
            yield Static("A link in the answer", markup=False, classes="dialog--title")
            yield Static(Content(clean(self._url)), markup=False, classes="dialog--url")
            yield Static(f"{keys}c copies it   Esc closes", markup=False, classes="dialog--keys")

    def action_answer(self, choice: str) -> None:
        """Leave with what the reader wants."""
        if choice == "open" and self.openable:
            self.dismiss("open")
        elif choice != "open":
            self.dismiss("copy" if choice == "copy" else None)


class Reader(ModalScreen[None]):
    """A text to read and to scroll."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,f1", "dismiss", "Close")]

    def __init__(self, title: str, text: Content) -> None:
        super().__init__()
        self._title = title
        self._text = text

    def compose(self) -> ComposeResult:
        """The title, the text, the key that closes it."""
        with Vertical(classes="dialog reader"):
            yield Static(Content(clean(self._title)), markup=False, classes="dialog--title")
            with VerticalScroll():
                yield Static(self._text, markup=False)
            yield Static("Esc closes", markup=False, classes="dialog--keys")

    def on_mount(self) -> None:
        """The arrow keys scroll at once."""
        self.query_one(VerticalScroll).focus()
