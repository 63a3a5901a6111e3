"""Running code in the line mode: consent by a typed word, output as it arrives."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from typing import TYPE_CHECKING

from starchat_tui.chat.commands import parse_block_number
from starchat_tui.chat.consent import (
    Choice,
    ConsentAnswer,
    ConsentRequest,
    decide,
    host_of,
    request_consent,
)
from starchat_tui.chat.conversation_plots import choose_plots, list_plots
from starchat_tui.chat.session import Session
from starchat_tui.chat.shared_commands import get_kernel_manager
from starchat_tui.cli.ask import Terminal
from starchat_tui.codeblocks import CodeBlock, parse_code_blocks
from starchat_tui.errors import UsageError
from starchat_tui.execution.cells import mentions_plotting, prepare_cell
from starchat_tui.execution.kernel_manager import KernelManager, create_no_sandbox_error
from starchat_tui.execution.run_result import build_fix_question
from starchat_tui.sandbox.outputs import Failure, Note, RunEnded
from starchat_tui.sandbox.run_state import RunControl
from starchat_tui.terminal.image_detection import ImageDetector
from starchat_tui.terminal.run_printer import RunPrinter
from starchat_tui.terminal.run_wording import SANDBOX_TEXTS, explain_end
from starchat_tui.terminal.status_text import UNSAFE_WARNING

if TYPE_CHECKING:
    from starchat_tui.sandbox.host.downloads import Download
    from starchat_tui.sandbox.outputs import IsolationLevel

PrintNote = Callable[[str], None]
_CHOICES: Mapping[str, Choice] = {
    **{"y": "once", "yes": "once"},
    **{"a": "always", "always": "always"},
    **{"e": "never", "never": "never"},
}
"""Choices by the words that select them; any other word cancels."""


class ReplRuns:
    """Commands of the line mode about running code."""

    def __init__(
        self, session: Session, print_note: PrintNote, terminal: Terminal, *, images: ImageDetector
    ) -> None:
        self._session = session
        self._print_note = print_note
        self._terminal = terminal
        self._images = images
        self._failures: dict[tuple[int, int], tuple[Failure, list[Note]]] = {}
        """Errors of runs, with their notes, by turn id and block index, the newest last."""

    @property
    def blocks(self) -> list[CodeBlock]:
        """Code blocks of the conversation, in the order of their numbers."""
        return [block for _, _, block in self._numbered_blocks]

    @property
    def _numbered_blocks(self) -> list[tuple[int, int, CodeBlock]]:
        """Turn id, index within the turn, and code block, for each block."""
        return [
            (stored.id, place, block)
            for stored in self._session.turns
            if stored.turn.role == "assistant"
            for place, block in enumerate(parse_code_blocks(stored.turn.text))
        ]

    @property
    def _kernel_manager(self) -> KernelManager:
        return get_kernel_manager(self._session)

    async def run_block(self, argument: str) -> None:
        """Run a numbered block, by default the last; Ctrl+C interrupts it."""
        found = self._numbered_blocks
        number = parse_block_number(argument, len(found))
        turn, place, block = found[number - 1]
        code = prepare_cell(block)
        capability = await self._kernel_manager.probe_sandbox()
        if capability.level == "off":
            raise create_no_sandbox_error(capability)
        permission = self._session.permission
        # Typing `/run` reopens the question after an earlier `never`.
        request = request_consent(
            code,
            permission,
            level=capability.level,
            urls=self._kernel_manager.find_urls(code),
            explicit=True,
        )
        answer = await self._ask_user(request, number, capability.level) if request else None
        decision = decide(request, answer, permission)
        if decision.permission != permission:
            self._session.permission = decision.permission
        if not decision.run:
            self._print_note("not run")
            return
        control = RunControl()
        with self._interruptible(control):
            downloads = await self._kernel_manager.download_all(decision.downloads, control)
            if downloads is None:
                self._print_note("not run")
            else:
                await self._run_and_print(turn, place, code, downloads, control)

    async def _ask_user(
        self, request: ConsentRequest, number: int, level: IsolationLevel
    ) -> ConsentAnswer:
        """Show the code, ask for each item of the request and return the answers."""
        choice: Choice = "once"
        if request.asks_for_code:
            self._show_code(request, number, level)
            word = await self._read_answer("run it? (y)es, (a)lways here, n(e)ver here, [n]o: ")
            choice = _CHOICES.get(word, "cancel")
        if choice not in ("once", "always"):
            return ConsentAnswer(choice)
        downloads = []
        for url in request.urls:
            self._print_note(f"the code names {url}, and has no network")
            question = f"download it from {host_of(url)} for this run? [y/N]: "
            if await self._read_answer(question) in ("y", "yes"):
                downloads.append(url)
        return ConsentAnswer(choice, tuple(downloads))

    def _show_code(self, request: ConsentRequest, number: int, level: IsolationLevel) -> None:
        if level == "unsafe":
            self._print_note(UNSAFE_WARNING)
        self._print_note(f"code block {number}, {SANDBOX_TEXTS[level]}:")
        # Notes are sanitized, so invisible characters show as `<U+202E>`.
        self._print_note("\n".join(f"    {line}" for line in request.code.split("\n")))
        if request.warning:
            self._print_note(request.warning)

    async def _read_answer(self, question: str) -> str:
        from prompt_toolkit import PromptSession

        try:
            answer = await PromptSession[str]().prompt_async(question)
        except (EOFError, KeyboardInterrupt):
            return ""
        return answer.strip().lower()

    @contextmanager
    def _interruptible(self, control: RunControl) -> Iterator[None]:
        """Make Ctrl+C stop the run or its downloads, and not the chat."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, control.request_stop)
        try:
            yield
        finally:
            loop.remove_signal_handler(signal.SIGINT)

    async def _run_and_print(
        self,
        turn: int,
        place: int,
        code: str,
        downloads: Sequence[Download],
        control: RunControl,
    ) -> None:
        printer = self._create_printer()
        # The run replaces an earlier one, and `/fix` must not send its error any more.
        self._failures.pop((turn, place), None)
        notes: list[Note] = []
        if mentions_plotting(code):
            self._kernel_manager.grids = printer.list_grid_sizes()
        async with aclosing(
            self._session.run_block(turn, place, code, downloads, control)
        ) as outputs:
            async for output in outputs:
                printer.print_output(output)
                if isinstance(output, Note):
                    notes.append(output)
                elif isinstance(output, Failure):
                    self._failures[turn, place] = (output, notes)
                elif isinstance(output, RunEnded) and output.reason:
                    self._print_note(explain_end(output))
        if (turn, place) in self._failures:
            self._print_note("/fix sends the error to the model")

    def _create_printer(self) -> RunPrinter:
        return RunPrinter(
            self._terminal.out,
            self._terminal.err,
            images=self._images,
            color=self._terminal.color,
            clean=True,
        )

    def print_plots(self, argument: str) -> None:
        """Print the plots of the conversation, or the one with that number."""
        printer = self._create_printer()
        for plot in choose_plots(list_plots(self._session), argument):
            self._print_note(f"plot {plot.number}, code block {plot.block}:")
            printer.print_output(plot.figure)

    def build_fix_question(self, argument: str) -> str:
        """Return the question that sends the error of a failed run to the model."""
        numbers = {one[:2]: str(number) for number, one in enumerate(self._numbered_blocks, 1)}
        failed = [at for at in self._failures if at in numbers and argument in ("", numbers[at])]
        if not failed:
            raise UsageError("No run has failed", "run a code block first: `/run`")
        return build_fix_question(*self._failures.pop(failed[-1]))
