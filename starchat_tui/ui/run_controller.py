"""What the app does about code that is run: consent, the run itself, what came of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from starchat_tui.chat.commands import block_number
from starchat_tui.errors import Busy, UsageError
from starchat_tui.execution.kernel_manager import Allowed, Running, cell_of, refusal
from starchat_tui.execution.plot_files import open_file, save_out, save_plot
from starchat_tui.execution.run_result import fix_question, size_text
from starchat_tui.sandbox.outputs import Ended, Figure, Output
from starchat_tui.sanitize import clean, hidden
from starchat_tui.ui.app_base import Shell
from starchat_tui.ui.messages import FigureWanted, FixRequested, RunRequested, Submitted
from starchat_tui.ui.widgets.answer_view import Answer
from starchat_tui.ui.widgets.code_cell import CodeCell
from starchat_tui.ui.widgets.image import Images

if TYPE_CHECKING:
    from starchat_tui.sandbox.host.downloads import Download
    from starchat_tui.ui.screens.consent_dialog import Consent

SHARE = 0.004
"""Seconds that a flood of output may have at a time: what is ready is taken without a pause."""
REST = 0.008
"""Seconds that the keys and the screen have in between."""


class Runner(Protocol):
    """The conversation, as far as its code goes."""

    @property
    def running(self) -> Running | None:
        """Its kernel; None where this face runs no code."""

    conversation: str
    title: str
    allowed: Allowed

    def run(
        self, turn: int, block: int, code: str, downloads: Sequence[Download] = ()
    ) -> AsyncGenerator[Output, None]:
        """Run a code block and keep what came of it."""


class Runs(Shell):
    """The part of the app that runs code."""

    def __init__(
        self,
        runner: Runner,
        *,
        environ: Mapping[str, str],
        theme: str,
        plots: Path | None,
        images: Images,
    ) -> None:
        super().__init__(environ=environ, theme=theme)
        self._runner = runner
        self._plots = plots
        self._images = images
        self.cell_runs = False
        """Whether a code block runs, or is about to."""
        self._called_off = False
        """Whether it was interrupted before it began."""

    @property
    def _code(self) -> Running:
        if self._runner.running is None:
            raise UsageError("This chat runs no code", "open one with `starchat`")
        return self._runner.running

    def run_deeds(self, argument: str) -> dict[str, Callable[[], object]]:
        """What the commands about running do."""
        return {
            "run": lambda: self._run_block(argument, named=True),
            "fix": lambda: self._fix(argument),
            "attach": lambda: self._beside(partial(self._attach_file, argument)),
            "restart": lambda: self._beside(self._restart),
            "files": self._list_files,
            "savefile": lambda: self._beside(partial(self._save_file, argument)),
        }

    def _beside(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do it beside the keys; an error is shown."""

        async def shown() -> None:
            with self._shown_errors():
                await work()

        self.in_background(shown, group="sandbox")

    # Running

    def on_run_requested(self, message: RunRequested) -> None:
        """A code block's own key or mark."""
        with self._shown_errors():
            self._run_block(str(message.number))

    def action_run_last(self) -> None:
        """Run the last code block."""
        with self._shown_errors():
            self._run_block("")

    def _run_block(self, argument: str, *, named: bool = False) -> None:
        """Run a numbered block, the last by default; `named` is a command that was typed."""
        number = block_number(argument, len(self.stage.transcript.code_blocks))
        running = self._code
        if self.cell_runs:
            raise Busy("A code block is running", "Esc interrupts it")
        if named and self._runner.allowed == "never":
            self._runner.allowed = "ask"
        self.cell_runs, self._called_off = True, False
        self._beside(partial(self._run, running, number))

    async def _run(self, running: Running, number: int) -> None:
        """Ask where it must be asked, run, and draw what comes."""
        try:
            answer, place, cell = await self.stage.transcript.cell(number)
            if not answer.whole:
                raise UsageError("The answer is still being written", "run its code afterwards")
            code = cell_of(cell.block)
            consent = await self._consent(running, code)
            if consent is not None:
                urls = running.urls(code) if consent.download else ()
                downloads = await self._fetched(running, urls)
                await self._follow_run(answer, place, cell, code, downloads)
        finally:
            self.cell_runs = False

    async def _fetched(self, running: Running, urls: Sequence[str]) -> list[Download] | None:
        """What the code wants from the network; None where the reader called it off."""
        if not urls:
            return []
        self.stage.status(activity="downloading · Esc interrupts")
        try:
            return await running.downloads(urls)
        finally:
            self.stage.status(activity="")

    async def _consent(self, running: Running, code: str) -> Consent | None:
        """What the reader agrees to; None where nothing is to be run."""
        from starchat_tui.ui.screens.consent_dialog import Consent, RunDialog

        if self._runner.allowed == "never":
            raise UsageError(
                "Running code is off in this conversation, as you chose", "`/run n` asks again"
            )
        urls = running.urls(code)
        if self._runner.allowed == "always" and not urls and not hidden(code):
            return Consent("always")
        consent = await self.push_screen_wait(RunDialog(code, running.wall, urls))
        self._called_off = False
        if consent is None:
            return None
        if consent.choice != "once":
            self._runner.allowed = consent.choice
        return None if consent.choice == "never" else consent

    async def _follow_run(
        self,
        answer: Answer,
        place: int,
        cell: CodeCell,
        code: str,
        downloads: Sequence[Download] | None,
    ) -> None:
        output = await cell.begin_run()
        self.stage.transcript.reveal(output)
        if downloads is None or self._called_off:
            level = (await self._code.wall()).level
            output.take(Ended("interrupted", level, 0.0, "Interrupted before it began"))
            await output.draw()
            return
        self.stage.status(activity=f"running block {cell.number} · Esc interrupts")
        happening = self._runner.run(answer.turn, place, code, downloads)
        rested = time.monotonic()
        try:
            async with aclosing(happening) as outputs:
                async for one in outputs:
                    output.take(one)
                    if time.monotonic() - rested > SHARE:
                        await asyncio.sleep(REST)
                        rested = time.monotonic()
        finally:
            self.stage.status(activity="")
        await output.draw()
        self.stage.transcript.reveal(output)
        if output.ended is not None and output.ended.status == "no-sandbox":
            self.show_error(refusal(await self._code.wall()))

    def interrupt_run(self) -> bool:
        """Interrupt what runs, or is about to; whether anything did."""
        if self.cell_runs:
            self._called_off = True
            self._code.interrupt()
        return self.cell_runs

    # Mending

    def on_fix_requested(self, message: FixRequested) -> None:
        """A code block's own key or mark."""
        with self._shown_errors():
            self._fix(str(message.number))

    def _fix(self, argument: str) -> None:
        """Send the error of a run to the model as the next turn."""
        failures = [
            cell.output.failure
            for cell in self.stage.transcript.query(CodeCell)
            if cell.output and cell.output.failure and argument in ("", str(cell.number))
        ]
        if not failures:
            raise UsageError("There is no failed run", "run a code block first")
        self.post_message(Submitted(fix_question(failures[-1])))

    # Files

    async def _attach_file(self, name: str) -> None:
        if self._code.busy:
            raise Busy("A code block is running", "Esc interrupts it")
        path = await self._code.attach(Path(name))
        self.mention(f"the code can read {path.name}, and cannot change it")

    async def _restart(self) -> None:
        await self._code.restart()
        self.mention("a fresh kernel: variables and files are gone")

    def _list_files(self) -> None:
        running = self._code
        rows = [f"{name}   {size_text(size)}" for name, size in running.files.items()]
        rows += [f"{path.name}   attached, read-only" for path in running.attached]
        said = "\n".join(rows) or "the code wrote no file, and none is attached"
        self.mention(said)

    async def _save_file(self, argument: str) -> None:
        name, _, wanted = argument.partition(" ")
        data = await self._code.fetch(name)
        self.say(f"Wrote {clean(str(save_out(name, data, wanted.strip())))}")

    # Plots

    def on_figure_wanted(self, message: FigureWanted) -> None:
        """Enlarge, open or save a plot."""
        from starchat_tui.ui.widgets.figure import Enlarged

        if message.how == "enlarge":
            self.push_screen(Enlarged(message.figure, self._images, self.size.height))
            return
        with self._shown_errors():
            self._save_plot(message.figure, opened=message.how == "open")

    def _save_plot(self, figure: Figure, *, opened: bool) -> None:
        if self._plots is None:
            raise UsageError("There is no folder for plots", "`/savefile figure-1.png PATH`")
        runner = self._runner
        path = save_plot(self._plots, runner.conversation, runner.title, figure.png)
        shown = clean(str(path))
        if not opened:
            self.say(f"Saved {shown}")
        elif open_file(path, self._environ):
            self.say(f"Opened {shown}")
        else:
            self.say(f"There is no desktop to open it in; it is saved: {shown}")
