"""The question before code runs: the code itself, its sandbox, the addresses it names."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from starchat_tui.chat.consent import Choice, ConsentAnswer, ConsentRequest
from starchat_tui.sanitize import sanitize_text
from starchat_tui.terminal.highlight import TAB_SIZE
from starchat_tui.ui.textual_overrides import SafeDialog
from starchat_tui.ui.widgets.caption import Caption

if TYPE_CHECKING:
    from starchat_tui.sandbox.isolation.probe import Capability

_SANDBOXES = {
    "isolated": "It runs in a sandbox (bubblewrap): no network, none of your files.",
    "restricted": "It runs in the weaker sandbox (Landlock): no network, none of your files, but "
    "it can see the names of files and processes.",
    "unsafe": "THERE IS NO SANDBOX: it can read, change and send whatever you can.",
}


class ConsentDialog(SafeDialog[ConsentAnswer | None]):
    """Asks a `ConsentRequest` and returns its answer; None if the user cancels."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,o", "answer('once')", "Run once"),
        Binding("a", "answer('always')", "Always here"),
        Binding("n", "answer('never')", "Never here"),
        Binding("d", "toggle_download", "Download"),
        Binding("escape,q", "dismiss(None)", "Cancel"),
    ]

    def __init__(
        self, request: ConsentRequest, probe_sandbox: Callable[[], Awaitable[Capability]]
    ) -> None:
        super().__init__()
        self._request = request
        self._probe_sandbox = probe_sandbox
        self._downloads = False
        """True if the user agreed to the downloads."""
        self._knows_sandbox = False
        """True once the sandbox is shown: before that, nobody can agree to it."""

    def compose(self) -> ComposeResult:
        """Yield the sandbox, the code, its invisible characters, its addresses, the keys."""
        # The code wraps: a line that ran out of the window could hide its end.
        code = Content(sanitize_text(self._request.code).expandtabs(TAB_SIZE))
        with Vertical(classes="dialog consent"):
            yield Caption("Run this code?", classes="dialog--title")
            yield Static("checking the sandbox …", markup=False, classes="consent--wall")
            with VerticalScroll():
                yield Static(code, markup=False, classes="consent--code")
            if warning := self._request.warning:
                yield Static(Content(warning), markup=False, classes="consent--warning")
            yield Static("", markup=False, classes="consent--urls")
            keys = "Enter run once · a always here · n never here · Esc cancel"
            yield Caption(keys, classes="dialog--keys")

    def on_mount(self) -> None:
        """Probe the sandbox, and focus the code: the arrow keys scroll it."""
        self.query_one(VerticalScroll).focus()
        self._show_urls()
        self.run_worker(self._show_sandbox())

    async def _show_sandbox(self) -> None:
        capability = await self._probe_sandbox()
        line = self.query_one(".consent--wall", Static)
        if capability.level == "off":
            # Nothing can run, so there is nothing to ask: the run itself explains why.
            self.dismiss(ConsentAnswer("once"))
            return
        line.update(Content(_SANDBOXES[capability.level]))
        line.set_class(capability.level == "unsafe", "consent--unsafe")
        self._knows_sandbox = True

    def _show_urls(self) -> None:
        urls = self._request.urls
        line = self.query_one(".consent--urls", Static)
        line.display = bool(urls)
        if urls:
            listed = "\n".join(f"  {sanitize_text(url)}" for url in urls)
            hosts = sanitize_text(", ".join(self._request.hosts))
            mark = "x" if self._downloads else " "
            keys = f"[{mark}] d: download from {hosts} for this run"
            line.update(Content(f"The code has no network, but names addresses:\n{listed}\n{keys}"))

    def action_toggle_download(self) -> None:
        """Agree to the downloads, or take the agreement back."""
        self._downloads = bool(self._request.urls) and not self._downloads
        self._show_urls()

    def action_answer(self, choice: Choice) -> None:
        """Close the dialog with the answer."""
        if self._knows_sandbox or choice == "never":
            downloads = self._request.urls if self._downloads else ()
            self.dismiss(ConsentAnswer(choice, downloads))
