"""A code block on the screen: only visible lines are rendered, only new lines are lexed."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.geometry import Size

from starchat_tui.codeblocks import CodeBlock
from starchat_tui.execution.cells import is_runnable
from starchat_tui.execution.run_result import RunResult
from starchat_tui.sanitize import sanitize_text
from starchat_tui.terminal.highlight import TAB_SIZE, Highlighter, choose_language
from starchat_tui.terminal.image_detection import ImageSettings
from starchat_tui.ui.messages import CopyRequested, FixRequested, RunRequested
from starchat_tui.ui.widgets.caption import Caption
from starchat_tui.ui.widgets.column import Column
from starchat_tui.ui.widgets.image import HALF_BLOCKS
from starchat_tui.ui.widgets.lines import LineView, line_width

if TYPE_CHECKING:
    from starchat_tui.ui.widgets.output import RunOutput


class CodeLines(LineView):
    """Lines of a code block, colored as they arrive; the last one may be incomplete."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "request('copy')", "Copy", show=False, id="cell.copy"),
        Binding("r", "request('run')", "Run", show=False, id="cell.run"),
        Binding("f", "request('fix')", "Fix it", show=False, id="cell.fix"),
    ]

    def __init__(self, language: str = "", number: int = 0) -> None:
        super().__init__()
        self._language = language
        self._number = number
        self._highlighter: Highlighter | None = None
        self._source_lines: list[str] = [""]
        """The lines as the model wrote them; those to draw are highlighted and sanitized."""
        self._widest = 0

    @property
    def code(self) -> str:
        """The block's text as the model wrote it."""
        return "\n".join(self._source_lines)

    def feed(self, text: str) -> None:
        """Add text at the end; only the lines that it touches are lexed and drawn."""
        first, *others = text.replace("\r\n", "\n").split("\n")
        begun = len(self._source_lines) - 1
        self._source_lines[-1] += first
        for line in others:
            self._lines[-1] = self._get_highlighter().feed(self._source_lines[-1])
            self._source_lines.append(line)
            self._lines.append(())
        self._lines[-1] = self._get_highlighter().peek(self._source_lines[-1])
        self._refresh_from(begun)

    def finish(self) -> None:
        """Lex the whole block once more: some tokens are known only from their end."""
        while len(self._source_lines) > 1 and not self._source_lines[-1].strip():
            del self._source_lines[-1], self._lines[-1]
        if any(self._source_lines):
            self._lines = self._get_highlighter().highlight_whole(self._source_lines)
        self._widest = 0
        self._refresh_from(0)

    def _get_highlighter(self) -> Highlighter:
        if self._highlighter is None or not any(self._source_lines[:-1]):
            first = next((line for line in self._source_lines if line.strip()), "")
            self._highlighter = Highlighter(choose_language(self._language, first))
        return self._highlighter

    def _refresh_from(self, first: int) -> None:
        """Redraw the lines from `first` on."""
        for y in range(first, len(self._lines)):
            self._strips.pop(y, None)
            self._widest = max(self._widest, line_width(self._lines[y]))
        self.virtual_size = Size(self._widest, self._count_rows())
        self.refresh_lines(first, len(self._lines) - first)

    def _count_rows(self) -> int:
        """Return the number of rows; a last line that is still empty has none."""
        return max(1, len(self._lines) - (self._source_lines[-1] == ""))

    def _copy_row(self, row: int, start: int, end: int | None) -> str:
        """Return code as the model wrote it: what is shown has spaces in place of tabs."""
        source = self._source_lines[row]
        if super()._copy_row(row, 0, None) == source:
            return source[start:end]

        def find(column: int) -> int:
            ends = range(len(source) + 1)
            return bisect_left(ends, column, key=lambda count: _measure_shown(source[:count]))

        return source[find(start) : None if end is None else find(end)]

    def action_request(self, action: str) -> None:
        """Ask to copy or run this block, or to have the model fix it."""
        if action == "copy":
            self.post_message(CopyRequested(self.code, "the code block"))
        elif action == "fix":
            self.post_message(FixRequested(self._number))
        else:
            self.post_message(RunRequested(self._number))


def _measure_shown(source: str) -> int:
    """Return the number of characters that show a piece of code."""
    return len(sanitize_text(source).expandtabs(TAB_SIZE))


class CodeCell(Column):
    """A code block with its language, its number, buttons, and the output of its last run."""

    def __init__(self, language: str, number: int, images: ImageSettings = HALF_BLOCKS) -> None:
        super().__init__()
        self._language = language
        self._images = images
        self.number = number
        self._is_complete = False
        self._body = CodeLines(language, number)
        self.output: RunOutput | None = None
        """Output of the last run."""

    def compose(self) -> ComposeResult:
        """Yield a title row and the lines below it."""
        with Horizontal(classes="cell--title"):
            yield Caption(sanitize_text(self._language) or "code", classes="cell--language")
            if is_runnable(self._language):
                yield Caption(f"run {self.number}", classes="cell--run cell--key")
            yield Caption(f"copy {self.number}", classes="cell--copy cell--key")
        yield self._body

    @property
    def block(self) -> CodeBlock:
        """The code that the model has written so far."""
        return CodeBlock(self._language, self._body.code, self._is_complete)

    def feed(self, text: str) -> None:
        """Add code at the end."""
        self._body.feed(text)

    def finish(self) -> None:
        """End the block: it is complete, or nothing more will arrive."""
        self._is_complete = True
        self._body.finish()

    async def start_output(self) -> RunOutput:
        """Mount and return an empty output, in place of that of the last run."""
        # Imported late: only a run needs it, and the first frame comes sooner.
        from starchat_tui.ui.widgets.output import RunOutput

        if self.output is not None:
            await self.output.remove()
        self.output = RunOutput(self.number, self._images)
        await self.mount(self.output)
        return self.output

    async def show_result(self, result: RunResult) -> None:
        """Show the stored result of the last run."""
        output = await self.start_output()
        for one in (*result.outputs, result.ended):
            output.add_output(one)
        await output.draw()

    def on_click(self, event: object) -> None:
        """Copy or run the block at a click on a button of the title row."""
        widget = getattr(event, "widget", None)
        if widget is None:
            return
        if widget.has_class("cell--copy"):
            self.post_message(CopyRequested(self._body.code, f"code block {self.number}"))
        elif widget.has_class("cell--run"):
            self.post_message(RunRequested(self.number))
