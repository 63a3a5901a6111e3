"""An app that holds one code cell, and the rows that it shows."""

from __future__ import annotations

from textual.app import App, ComposeResult
from textual.containers import VerticalScroll

from starchat_tui.ui import app as app_module
from starchat_tui.ui.messages import CopyRequested
from starchat_tui.ui.widgets.code_cell import CodeCell, CodeLines
from tests.ui.screen_helpers import render_strips

CODE = 'def f(x):\n    """Doc\n\n    string."""\n    return x + 1  # one\n\n\nprint(f(1))\n'


class CellBench(App[None]):
    CSS_PATH = app_module.__file__.replace("app.py", "starchat.tcss")

    def __init__(self, language: str = "python") -> None:
        super().__init__()
        self.cell = CodeCell(language, 3)
        self.asked: list[CopyRequested] = []

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield self.cell

    @property
    def lines(self) -> CodeLines:
        return self.query_one(CodeLines)

    def on_copy_requested(self, message: CopyRequested) -> None:
        self.asked.append(message)


def read_rows(bench: CellBench) -> list[list[tuple[str, str]]]:
    """Return each visible row of code, as texts and colors."""
    region = bench.lines.region
    return [
        [(part.text, str(part.style and part.style.color)) for part in strip]
        for strip in render_strips(bench)[region.y : region.bottom]
    ]
