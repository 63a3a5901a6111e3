"""A code block on the screen: only visible lines are rendered, only new lines are lexed."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.geometry import Size
from textual.widgets import Static

from starchat_tui.codeblocks import CodeBlock
from starchat_tui.execution.kernel_manager import runnable
from starchat_tui.execution.run_result import Outcome
from starchat_tui.sanitize import clean
from starchat_tui.terminal.highlight import Highlighter, language_of
from starchat_tui.ui.messages import CopyRequested, FixRequested, RunRequested
from starchat_tui.ui.widgets.column import Column
from starchat_tui.ui.widgets.image import Images
from starchat_tui.ui.widgets.lines import Lines, width

if TYPE_CHECKING:
    from starchat_tui.ui.widgets.output import RunOutput


class CodeLines(Lines):
    """The lines of a code block, coloured as they arrive; the last one may be incomplete."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "tell('copy')", "Copy", show=False, id="cell.copy"),
        Binding("r", "tell('run')", "Run", show=False, id="cell.run"),
        Binding("f", "tell('fix')", "Fix it", show=False, id="cell.fix"),
    ]

    def __init__(self, language: str = "", number: int = 0) -> None:
        super().__init__()
        self._named = language
        self._number = number
        self._highlighter: Highlighter | None = None
        self._raw: list[str] = [""]
        """The lines as the model wrote them."""
        self._widest = 0

    @property
    def code(self) -> str:
        """The block's text as the model wrote it."""
        return "\n".join(self._raw)

    def feed(self, text: str) -> None:
        """Add text at the end; costs no more than the lines it touches."""
        first, *others = text.replace("\r\n", "\n").split("\n")
        begun = len(self._raw) - 1
        self._raw[-1] += first
        for line in others:
            self._lines[-1] = self._lexer().feed(self._raw[-1])
            self._raw.append(line)
            self._lines.append(())
        self._lines[-1] = self._lexer().peek(self._raw[-1])
        self._changed(begun)

    def finish(self) -> None:
        """Lex the whole block once more: some tokens are known only from their end."""
        while len(self._raw) > 1 and not self._raw[-1].strip():
            del self._raw[-1], self._lines[-1]
        if any(self._raw):
            self._lines = self._lexer().whole(self._raw)
        self._widest = 0
        self._changed(0)

    def _lexer(self) -> Highlighter:
        if self._highlighter is None or not any(self._raw[:-1]):
            first = next((line for line in self._raw if line.strip()), "")
            self._highlighter = Highlighter(language_of(self._named, first))
        return self._highlighter

    def _changed(self, first: int) -> None:
        """Lines from `first` on are new."""
        for y in range(first, len(self._lines)):
            self._strips.pop(y, None)
            self._widest = max(self._widest, width(self._lines[y]))
        self.virtual_size = Size(self._widest, self._height())
        self.refresh_lines(first, len(self._lines) - first)

    def _height(self) -> int:
        """Rows; a last line that is still empty has none."""
        return max(1, len(self._lines) - (self._raw[-1] == ""))

    def action_tell(self, wish: str) -> None:
        """Ask for this block in the clipboard, for its run, or for a mended one."""
        if wish == "copy":
            self.post_message(CopyRequested(self.code, "the code block"))
        elif wish == "fix":
            self.post_message(FixRequested(self._number))
        else:
            self.post_message(RunRequested(self._number))


class CodeCell(Column):
    """A code block with its language, its number, ways to run and copy it, and what it came to."""

    def __init__(self, language: str, number: int, images: Images = Images()) -> None:  # noqa: B008
        super().__init__()
        self._language = language
        self._images = images
        self.number = number
        self._complete = False
        self._body = CodeLines(language, number)
        self.output: RunOutput | None = None
        """What the block said when it was last run."""

    def compose(self) -> ComposeResult:
        """A title row over the lines."""
        with Horizontal(classes="cell--title"):
            yield Static(clean(self._language) or "code", markup=False, classes="cell--language")
            if runnable(self._language):
                yield Static(f"run {self.number}", markup=False, classes="cell--run cell--key")
            yield Static(
                Content(f"copy {self.number}"), markup=False, classes="cell--copy cell--key"
            )
        yield self._body

    @property
    def block(self) -> CodeBlock:
        """What the model wrote, as far as it has come."""
        return CodeBlock(self._language, self._body.code, self._complete)

    def feed(self, text: str) -> None:
        """Add code at the end."""
        self._body.feed(text)

    def finish(self) -> None:
        """The block is whole, or nothing more will come."""
        self._complete = True
        self._body.finish()

    async def begin_run(self) -> RunOutput:
        """A place for what the block says, instead of what it said before."""
        # Late: the first frame need not wait for what only a run shows.
        from starchat_tui.ui.widgets.output import RunOutput

        if self.output is not None:
            await self.output.remove()
        self.output = RunOutput(self.number, self._images)
        await self.mount(self.output)
        return self.output

    async def show(self, outcome: Outcome) -> None:
        """What the block came to when it was last run."""
        output = await self.begin_run()
        for one in (*outcome.outputs, outcome.ended):
            output.take(one)
        await output.draw()

    def on_click(self, event: object) -> None:
        """A click on the title's right end copies or runs."""
        widget = getattr(event, "widget", None)
        if widget is None:
            return
        if widget.has_class("cell--copy"):
            self.post_message(CopyRequested(self._body.code, f"code block {self.number}"))
        elif widget.has_class("cell--run"):
            self.post_message(RunRequested(self.number))
