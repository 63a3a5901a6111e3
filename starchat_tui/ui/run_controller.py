"""Runs code blocks: consent, downloads, the run itself, its files and plots."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starchat_tui.chat.commands import CommandCall, parse_block_number
from starchat_tui.chat.consent import Decision, decide, request_consent
from starchat_tui.chat.session import Session
from starchat_tui.chat.shared_commands import SharedHandler, get_kernel_manager
from starchat_tui.errors import StarChatError, UsageError
from starchat_tui.execution.cells import prepare_cell
from starchat_tui.execution.kernel_manager import (
    KernelManager,
    create_no_sandbox_error,
    end_before_begin,
)
from starchat_tui.execution.plot_files import open_in_viewer, save_plot
from starchat_tui.execution.run_result import build_fix_question
from starchat_tui.sandbox.outputs import Figure
from starchat_tui.sandbox.run_state import RunControl
from starchat_tui.sanitize import sanitize_text
from starchat_tui.terminal.grid_plots import list_grid_sizes
from starchat_tui.terminal.image_detection import ImageSettings
from starchat_tui.ui.messages import FigureActionRequested, Submitted
from starchat_tui.ui.widgets.answer_view import AnswerView
from starchat_tui.ui.widgets.chat_view import ChatView
from starchat_tui.ui.widgets.code_cell import CodeCell
from starchat_tui.ui.widgets.figure import FIGURE_MARGIN, MAX_ROWS
from starchat_tui.ui.widgets.output import RunOutput

if TYPE_CHECKING:
    from starchat_tui.sandbox.guest.grid_rendering import GridSize
    from starchat_tui.sandbox.host.downloads import Download

WORK_SLICE = 0.004
"""Seconds of output that are handled without a pause, however fast it comes."""
UI_SLICE = 0.008
"""Seconds that the keys and the screen then have."""


class RunController:
    """Runs one code block at a time and shows what comes of it."""

    def __init__(
        self,
        session: Session,
        view: ChatView,
        *,
        plots: Path | None,
        images: ImageSettings,
        environment: Mapping[str, str],
    ) -> None:
        """Create the controller.

        Args:
            session: The conversation whose code is run.
            view: The screen that shows the runs.
            plots: The folder in which plots are saved.
            images: How plots are drawn.
            environment: Environment variables, which tell whether there is a desktop.
        """
        self._session = session
        self._view = view
        self._plots = plots
        self._images = images
        self._environment = environment
        self._control: RunControl | None = None
        """The run that is requested or in progress."""
        self._waiting: list[tuple[int, bool]] = []
        """Blocks to run after it, each with whether its command was typed."""

    @property
    def is_running(self) -> bool:
        """True while a code block runs or is about to."""
        return self._control is not None

    @property
    def _run_control(self) -> RunControl:
        assert self._control is not None
        return self._control

    @property
    def _kernel_manager(self) -> KernelManager:
        return get_kernel_manager(self._session)

    def _start(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Start `work` in the background and show the error that it raises."""

        async def run_and_show_errors() -> None:
            with self._view.show_errors():
                await work()

        self._view.run_in_background(run_and_show_errors, group="sandbox")

    # Running

    def run_block(self, argument: str, *, explicit: bool = False) -> None:
        """Run a numbered block, by default the last one.

        Args:
            argument: The number of the block, or nothing.
            explicit: True for a command that was typed, which reopens the question after a
                `never`; a key may have been pressed by mistake.
        """
        number = parse_block_number(argument, len(self._view.transcript.code_blocks))
        kernel_manager = self._kernel_manager
        if self.is_running:
            self._waiting.append((number, explicit))
            self._view.show_notice(f"Block {number} runs next")
            return
        self._begin(kernel_manager, number, explicit)

    def _begin(self, kernel_manager: KernelManager, number: int, explicit: bool) -> None:
        self._control = RunControl()
        self._start(partial(self._run, kernel_manager, number, explicit))

    async def _run(self, kernel_manager: KernelManager, number: int, explicit: bool) -> None:
        """Ask for consent if it is needed, then run the block and draw its output."""
        try:
            answer, index, cell = await self._view.transcript.find_cell(number)
            if not answer.is_complete:
                raise UsageError("The answer is still being written", "run its code afterwards")
            code = prepare_cell(cell.block)
            decision = await self._ask_consent(kernel_manager, code, explicit)
            if decision.run:
                downloads = await self._download(kernel_manager, decision.downloads)
                await self._follow_run(answer, index, cell, code, downloads)
        finally:
            self._control = None
            if self._waiting:
                self._begin(kernel_manager, *self._waiting.pop(0))

    async def _ask_consent(
        self, kernel_manager: KernelManager, code: str, explicit: bool
    ) -> Decision:
        """Ask the user what has to be asked about `code`; return what follows from the answer."""
        from starchat_tui.ui.screens.consent_dialog import ConsentDialog

        permission = self._session.permission
        urls = kernel_manager.find_urls(code)
        request = request_consent(code, permission, urls=urls, explicit=explicit)
        if request is None:
            return decide(None, None, permission)
        dialog = ConsentDialog(request, kernel_manager.probe_sandbox)
        answer = await self._view.app.push_screen_wait(dialog)
        # An Esc pressed while the dialog opened meant something else: the answer overrules it.
        self._control = RunControl()
        decision = decide(request, answer, permission)
        if decision.permission != permission:
            self._session.permission = decision.permission
        return decision

    async def _download(
        self, kernel_manager: KernelManager, urls: Sequence[str]
    ) -> list[Download] | None:
        """Return the files that the code wants from the network; None if the user stopped it."""
        if not urls:
            return []
        self._view.show_activity("downloading · Esc interrupts")
        try:
            return await kernel_manager.download_all(urls, self._run_control)
        finally:
            self._view.show_activity("")

    async def _follow_run(
        self,
        answer: AnswerView,
        index: int,
        cell: CodeCell,
        code: str,
        downloads: Sequence[Download] | None,
    ) -> None:
        """Run a cell and draw its output.

        Args:
            answer: The answer that holds the cell.
            index: The cell's position in it, from 0 on.
            cell: The cell on the screen.
            code: Its code as the kernel takes it.
            downloads: Files for the code; None if the run was stopped while they were fetched.
        """
        output = await cell.start_output()
        self._view.transcript.reveal(output)
        if downloads is None or self._run_control.stop_reason:
            level = (await self._kernel_manager.probe_sandbox()).level
            output.add_output(end_before_begin(level))
            await output.draw()
            return
        self._kernel_manager.grids = self._list_grid_sizes(cell)
        self._view.show_activity(f"running block {cell.number} · Esc interrupts")
        try:
            await self._collect(answer.turn_id, index, code, downloads, output)
        finally:
            self._view.show_activity("")
        await output.draw()
        self._view.transcript.reveal(output)
        if output.ended is not None and output.ended.status == "no-sandbox":
            capability = await self._kernel_manager.probe_sandbox()
            self._view.show_error(create_no_sandbox_error(capability))

    def _list_grid_sizes(self, cell: CodeCell) -> list[GridSize]:
        """Return the sizes for which figures are drawn: below the cell, and enlarged."""
        from starchat_tui.ui.screens.figure_screen import measure_enlarged

        below = (cell.size.width - FIGURE_MARGIN, MAX_ROWS)
        return list_grid_sizes(self._images.protocol, below, measure_enlarged(*self._view.app.size))

    async def _collect(
        self, turn: int, index: int, code: str, downloads: Sequence[Download], output: RunOutput
    ) -> None:
        """Hand the outputs of the run to the widget; the parameters are those of `Session.run`."""
        last_pause = time.monotonic()
        run = self._session.run_block(turn, index, code, downloads, self._run_control)
        async with aclosing(run) as outputs:
            async for one in outputs:
                output.add_output(one)
                # Output that is always ready never yields to the event loop: without this pause
                # a flood would starve the keys, among them the Esc that stops it.
                if time.monotonic() - last_pause > WORK_SLICE:
                    await asyncio.sleep(UI_SLICE)
                    last_pause = time.monotonic()

    def interrupt(self) -> bool:
        """Interrupt the run, or the one about to begin; return whether there was one."""
        # Whoever stops a run does not want the next one to begin in its place.
        self._waiting.clear()
        if self._control is not None:
            self._control.request_stop()
        return self.is_running

    # Fixing

    def fix(self, argument: str) -> None:
        """Send the error of a block's run, by default the last one, to the model."""
        failures = [
            (cell.output.failure, cell.output.notes)
            for cell in self._view.transcript.query(CodeCell)
            if cell.output and cell.output.failure and argument in ("", str(cell.number))
        ]
        if not failures:
            raise UsageError("There is no failed run", "run a code block first")
        self._view.post_message(Submitted(build_fix_question(*failures[-1])))

    # Files and the kernel

    def run_shared(self, handler: SharedHandler, call: CommandCall) -> None:
        """Run a command that all front ends have in common, and show its note."""
        self._start(partial(self._run_shared, handler, call))

    async def _run_shared(self, handler: SharedHandler, call: CommandCall) -> None:
        try:
            self._view.add_note(await handler(self._session, call.argument))
        except StarChatError:
            if call.argument:
                # There to be corrected, as every command that cannot be run.
                self._view.restore_draft(call.line)
            raise

    # Plots

    def show_plots(self, argument: str) -> None:
        """Show all plots of the conversation, or enlarge the one with that number."""
        from starchat_tui.chat.conversation_plots import choose_plots, list_plots
        from starchat_tui.ui.screens.plot_gallery import PlotGallery

        plots = choose_plots(list_plots(self._session), argument)
        if argument:
            self.handle_figure(FigureActionRequested(plots[0].figure, "enlarge"))
        else:
            self._view.app.push_screen(PlotGallery(plots, self._images))

    def handle_figure(self, message: FigureActionRequested) -> None:
        """Enlarge, open or save a plot."""
        from starchat_tui.ui.screens.figure_screen import FigureScreen

        if message.action == "enlarge":
            rows = self._view.app.size.height
            self._view.app.push_screen(FigureScreen(message.figure, self._images, rows))
        else:
            self._save_plot(message.figure, opens=message.action == "open")

    def _save_plot(self, figure: Figure, *, opens: bool) -> None:
        """Save a plot and, with `opens`, open it in the desktop's viewer."""
        if self._plots is None:
            raise UsageError("There is no folder for plots", "`/savefile figure-1.png PATH`")
        session = self._session
        path = save_plot(self._plots, session.conversation, session.title, figure.png)
        shown = sanitize_text(str(path))
        if not opens:
            self._view.show_notice(f"Saved {shown}")
        elif open_in_viewer(path, self._environment):
            self._view.show_notice(f"Opened {shown}")
        else:
            self._view.show_notice(f"Saved {shown}; there is no desktop to open it in")
