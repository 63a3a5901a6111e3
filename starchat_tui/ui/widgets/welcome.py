"""The screen of an empty conversation."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from starchat_tui.sanitize import sanitize_text
from starchat_tui.terminal.status_text import format_destination
from starchat_tui.ui.messages import ExampleChosen
from starchat_tui.ui.widgets.caption import Caption

EXAMPLES = (
    "Write a function that checks whether a number is prime.",
    "Draw a bar chart of apples 12, pears 7 and plums 9.",
    "Explain what a list comprehension does.",
)


class Example(Caption, can_focus=True):
    """An example question; Enter or a click puts it into the composer."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "choose", "Take", show=False)]

    def __init__(self, text: str) -> None:
        super().__init__(f"› {text}")
        self._text = text

    def action_choose(self) -> None:
        """Put the question into the composer."""
        self.post_message(ExampleChosen(self._text))

    def on_click(self) -> None:
        """Put the question into the composer."""
        self.action_choose()


class Welcome(Vertical):
    """The model's name, example questions, and how to get a larger model than the demo."""

    def __init__(
        self,
        *,
        model: str,
        demo: bool,
        server: str = "",
        get_advice: Callable[[], str] | None = None,
    ) -> None:
        """Create the widget.

        Args:
            model: Name of the model.
            demo: Whether it is one that comes with the package.
            server: Host that the questions go to; empty for this machine.
            get_advice: Returns one line about the models that this machine can run.
        """
        super().__init__()
        self._server = server
        self._model = model
        self._demo = demo
        self._get_advice = get_advice

    def compose(self) -> ComposeResult:
        """Yield a heading, an introduction and the example questions."""
        name = Content.styled(sanitize_text(self._model), "bold $primary")
        heading = Content.styled("★ StarChat", "bold $accent")
        yield Static(heading + Content("   ") + name, markup=False, classes="welcome--heading")
        plain = Content(f"Ask about code. {sanitize_text(format_destination(self._server))}")
        yield Static(_DEMO if self._demo else plain, markup=False, classes="welcome--text")
        yield Caption("Try", classes="welcome--try")
        for text in EXAMPLES:
            yield Example(text)
        # Last, because it is filled in later and must not move the lines above.
        yield Static("", markup=False, classes="welcome--fits")

    def on_mount(self) -> None:
        """Look up which models fit this machine, after the first frame: it may take a moment."""
        if self._demo and self._get_advice is not None:
            self.run_worker(self._show_advice(self._get_advice))

    async def _show_advice(self, advice: Callable[[], str]) -> None:
        text = sanitize_text(await asyncio.to_thread(advice))
        for line in self.query(".welcome--fits").results(
            Static
        ):  # none if it was removed meanwhile
            line.update(Content(text))


_DEMO = Content.assemble(
    ("This is a demo model", "bold $warning"),
    ": tiny, included in the package, good for simple Python questions.\n"
    "For a full-size model, start with ",
    ("starchat --model starchat-beta", "bold"),
    ", a model folder, or a Hub id (OWNER/NAME).",
)
