"""The question before code is run: the code itself, the wall, what it would fetch."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal
from urllib.parse import urlsplit

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from starchat_tui.sanitize import clean, hidden
from starchat_tui.terminal.highlight import TAB

if TYPE_CHECKING:
    from starchat_tui.sandbox.isolation.probe import Verdict

_WALLS = {
    "isolated": "It runs in a sandbox (bubblewrap): no network, none of your files.",
    "restricted": "It runs in the weaker sandbox (Landlock): no network, none of your files, but "
    "it sees that other processes and file names exist.",
    "unsafe": "THERE IS NO SANDBOX: it can read, change and send whatever you can.",
}


@dataclass(frozen=True, slots=True)
class Consent:
    """What the reader decided."""

    choice: Literal["once", "always", "never"]
    download: bool = False
    """Whether the addresses in the code are fetched for it."""


class RunDialog(ModalScreen[Consent | None]):
    """Ends with a `Consent`, or with None for not now."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,o", "decide('once')", "Once"),
        Binding("a", "decide('always')", "Always here"),
        Binding("n", "decide('never')", "Never here"),
        Binding("d", "download", "Download"),
        Binding("escape,q", "dismiss(None)", "Not now"),
    ]

    def __init__(
        self, code: str, wall: Callable[[], Awaitable[Verdict]], urls: Sequence[str]
    ) -> None:
        super().__init__()
        self._code = code
        self._wall = wall
        self._urls = urls
        self._download = False
        self._ready = False
        """Whether the wall is known: before that, nobody can agree to it."""

    def compose(self) -> ComposeResult:
        """The wall, the code, what is unseen in it, the addresses, the keys."""
        # Wrapped: a line that ran out of the window could hide its end.
        code = Content(clean(self._code).expandtabs(TAB))
        with Vertical(classes="dialog consent"):
            yield Static("Run this code?", markup=False, classes="dialog--title")
            yield Static("looking for the sandbox …", markup=False, classes="consent--wall")
            with VerticalScroll():
                yield Static(code, markup=False, classes="consent--code")
            if unseen := hidden(self._code):
                text = f"It holds characters one cannot see, shown above as {_marks(unseen)}."
                yield Static(Content(text), markup=False, classes="consent--warning")
            yield Static("", markup=False, classes="consent--urls")
            keys = "Enter once   a always in this conversation   n never in it   Esc not now"
            yield Static(keys, markup=False, classes="dialog--keys")

    def on_mount(self) -> None:
        """Look for the wall; the arrow keys scroll the code."""
        self.query_one(VerticalScroll).focus()
        self._show_urls()
        self.run_worker(self._look())

    async def _look(self) -> None:
        verdict = await self._wall()
        line = self.query_one(".consent--wall", Static)
        if verdict.level == "off":
            self.dismiss(Consent("once"))  # nothing is run, and the run says why
            return
        line.update(Content(_WALLS[verdict.level]))
        line.set_class(verdict.level == "unsafe", "consent--unsafe")
        self._ready = True

    def _show_urls(self) -> None:
        line = self.query_one(".consent--urls", Static)
        line.display = bool(self._urls)
        if self._urls:
            listed = "\n".join(f"  {clean(url)}" for url in self._urls)
            hosts = ", ".join(sorted({clean(urlsplit(url).hostname or "?") for url in self._urls}))
            mark = "x" if self._download else " "
            ask = f"[{mark}] d: download from {hosts} for this run"
            line.update(Content(f"The code names addresses, and has no network:\n{listed}\n{ask}"))

    def action_download(self) -> None:
        """Agree to the downloads, or take it back."""
        self._download = bool(self._urls) and not self._download
        self._show_urls()

    def action_decide(self, choice: Literal["once", "always", "never"]) -> None:
        """Leave with the decision."""
        if self._ready or choice == "never":
            self.dismiss(Consent(choice, self._download))


def _marks(unseen: list[str]) -> str:
    shown = ", ".join(unseen[:6])
    return shown if len(unseen) <= 6 else f"{shown} and {len(unseen) - 6} more"
