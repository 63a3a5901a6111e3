"""What an empty conversation shows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from starchat_tui.sanitize import clean
from starchat_tui.ui.messages import ExampleChosen

EXAMPLES = (
    "Write a function that checks whether a number is prime.",
    "Draw a bar chart of apples 12, pears 7 and plums 9.",
    "Explain what a list comprehension does.",
)


class Example(Static, can_focus=True):
    """A question to begin with; Enter or a click takes it into the composer."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "choose", "Take", show=False)]

    def __init__(self, text: str) -> None:
        super().__init__(Content(f"› {text}"), markup=False)
        self._text = text

    def action_choose(self) -> None:
        """Take it."""
        self.post_message(ExampleChosen(self._text))

    def on_click(self) -> None:
        """Take it."""
        self.action_choose()


class Welcome(Vertical):
    """Who answers, what to try, and how to get a larger model where this one is a demo."""

    def __init__(self, *, model: str, demo: bool, advice: Callable[[], str] | None = None) -> None:
        super().__init__()
        self._model = model
        self._demo = demo
        self._advice = advice
        """Which real model this machine can hold."""

    def compose(self) -> ComposeResult:
        """A heading, the demo's own words, three questions."""
        name = Content.styled(clean(self._model), "bold $primary")
        heading = Content.styled("★ StarChat", "bold $accent")
        yield Static(heading + Content("   ") + name, markup=False, classes="welcome--heading")
        yield Static(_DEMO if self._demo else _PLAIN, markup=False, classes="welcome--text")
        yield Static("Try", markup=False, classes="welcome--try")
        for text in EXAMPLES:
            yield Example(text)
        # The last line: it comes when the machine has been asked, and must move nothing.
        yield Static("", markup=False, classes="welcome--fits")

    def on_mount(self) -> None:
        """Ask the machine what fits it, beside the first frame: that may take a moment."""
        if self._demo and self._advice is not None:
            self.run_worker(self._advise(self._advice))

    async def _advise(self, advice: Callable[[], str]) -> None:
        text = clean(await asyncio.to_thread(advice))
        for line in self.query(".welcome--fits").results(Static):  # none, where it left meanwhile
            line.update(Content(text))


_PLAIN = Content("Ask about code. Everything stays on this machine.")
_DEMO = Content.assemble(
    ("This is a demo model", "bold $warning"),
    ": very small, it comes with the package and answers simple Python questions.\n"
    "For a real one, start with ",
    ("starchat --model starchat-beta", "bold"),
    ", the path of a model's folder, or any Hub id (OWNER/NAME).",
)
