"""Runs code from the command line: consent, output, exit code, saved files."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from starchat_tui.chat.consent import (
    ConsentAnswer,
    ConsentRequest,
    Permission,
    decide,
    host_of,
    request_consent,
    split_by_host,
)
from starchat_tui.chat.session import Session
from starchat_tui.cli.ask import Terminal
from starchat_tui.codeblocks import parse_code_blocks
from starchat_tui.config.byte_units import MIB
from starchat_tui.config.settings import ImageChoice
from starchat_tui.errors import CodeFailed, NoCode, StarChatError, Terminated, UsageError
from starchat_tui.execution.cells import is_python, mentions_plotting, prepare_cell
from starchat_tui.execution.kernel_manager import KernelManager
from starchat_tui.execution.run_result import RunRecorder, RunResult, join_results
from starchat_tui.sandbox.limits import Limits
from starchat_tui.sandbox.outputs import Output, RunEnded
from starchat_tui.sanitize import find_hidden_characters, sanitize_text
from starchat_tui.terminal.image_detection import ImageDetector
from starchat_tui.terminal.run_printer import (
    RunPrinter,
    build_run_json,
    create_run_error,
    save_file,
)
from starchat_tui.terminal.status_text import UNSAFE_WARNING

if TYPE_CHECKING:
    from starchat_tui.cli.invocation import Invocation
    from starchat_tui.sandbox.host.downloads import Download


_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Flags of the command line about running code."""

    files: tuple[Path, ...] = ()
    save_dir: Path | None = None
    images: ImageChoice = "auto"
    json: bool = False
    clean: bool = False
    yes: bool = False
    """True to run the code of an answer without asking."""
    download_hosts: tuple[str, ...] = ()
    """Hosts from which the code's addresses may be downloaded without asking."""

    @classmethod
    def from_invocation(cls, invocation: Invocation) -> RunOptions:
        """Build the options from the flags of `starchat run` or `starchat --run`."""
        flags = invocation.flags
        return cls(
            files=tuple(flags.file),
            save_dir=flags.save_dir,
            images=invocation.settings.images,
            json=flags.json,
            clean=flags.clean,
            yes=getattr(flags, "yes", False),
            download_hosts=tuple(flags.download),
        )


class CodeRunner:
    """Runs the code of one command."""

    def __init__(
        self,
        kernel_manager: KernelManager,
        options: RunOptions,
        terminal: Terminal,
        *,
        confirm: Callable[[str, Terminal], bool] | None = None,
    ) -> None:
        self._kernel_manager = kernel_manager
        self._confirm = confirm or confirm_at_terminal
        """Asks the user a yes-no question; replaced in tests."""
        self._options = options
        self._terminal = terminal
        self._printer = RunPrinter(
            terminal.out,
            terminal.err,
            images=ImageDetector(options.images, os.environ),
            clean=options.clean,
            color=terminal.color,
            quiet=terminal.quiet or not terminal.err.isatty(),
            notes=not terminal.quiet,
        )
        if kernel_manager.unsafe:
            self._printer.print_note(UNSAFE_WARNING, warning=True)

    async def run_file(self, *cells: str, is_script: bool = False) -> int:
        """Run the user's own code, the cells in order until one fails; return the exit code.

        Raises a `StarChatError` unless all succeed. A script has the exit code that it would have
        in Python.
        """
        # The user wrote it, so only invisible characters and downloads need consent.
        downloads = await self._obtain_consent("\n\n".join(cells), permission="always")
        await self._attach_files()
        self._request_grids("\n".join(cells))
        results = list[RunResult]()
        for code in cells:
            run = partial(self._kernel_manager.run, code, downloads)
            results.append(await self._run_and_print(run))
            if results[-1].ended.status != "ok":
                break
        if self._options.json:
            self._print_json(build_run_json(join_results(results)))
        error = await self._save_files(results)
        status = read_exit_status(results[-1]) if is_script else None
        if error is None:
            return 0
        if status is None or not isinstance(error, CodeFailed):
            raise error
        if results[-1].failure is not None and results[-1].failure.name == "SystemExit":
            # It ended itself: there is nothing to report.
            return status
        error.exit_code = status
        raise error

    async def run_answer(self, session: Session, text: str, document: dict[str, object]) -> None:
        """Run the Python blocks of an answer in order, until one fails.

        With `--json`, prints `document` with the runs added to it.
        """
        found = [
            (at, block) for at, block in enumerate(parse_code_blocks(text)) if is_python(block)
        ]
        if not found:
            if self._options.json:
                self._print_json({**document, "runs": []})
            raise NoCode(
                "The answer has no Python code to run", "ask for code, or leave out `--run`"
            )
        code = "\n\n".join(block.code for _, block in found)
        permission: Permission = "always" if self._options.yes else "ask"
        downloads = await self._obtain_consent(code, permission=permission)
        await self._attach_files()
        self._request_grids(code)
        turn, results = session.turns[-1].id, list[RunResult]()
        for place, block in found:
            cell = prepare_cell(block)
            results.append(
                await self._run_and_print(partial(session.run_block, turn, place, cell, downloads))
            )
            if results[-1].ended.status != "ok":
                break
        if self._options.json:
            self._print_json({**document, "runs": [build_run_json(one) for one in results]})
        if error := await self._save_files(results):
            raise error

    # Consent

    async def _obtain_consent(self, code: str, *, permission: Permission) -> list[Download]:
        """Ask what has to be asked and return the approved downloads; raises on a no."""
        urls = self._kernel_manager.find_urls(code)
        approved, open_urls = split_by_host(urls, self._options.download_hosts)
        request = request_consent(code, permission, urls=open_urls)
        answer = (
            self._ask_user(request, written_by_user=permission == "always") if request else None
        )
        decision = decide(request, answer, permission)
        if not decision.run:
            raise _create_refusal(request)
        wanted = {*approved, *decision.downloads}
        return [await self._kernel_manager.download(url) for url in urls if url in wanted]

    def _ask_user(self, request: ConsentRequest, *, written_by_user: bool) -> ConsentAnswer:
        if request.asks_for_code:
            self._show_code(request, everything=not written_by_user)
            question = "Run it anyway?" if request.hidden else "Run this code?"
            if not self._confirm(question, self._terminal):
                return ConsentAnswer("cancel")
        return ConsentAnswer("once", tuple(url for url in request.urls if self._may_download(url)))

    def _show_code(self, request: ConsentRequest, *, everything: bool) -> None:
        """Show on stderr what the user cannot have seen yet."""
        if request.hidden:
            self._printer.print_note(request.warning, warning=True)
            for number, line in enumerate(request.code.split("\n"), 1):
                if find_hidden_characters(line):
                    self._printer.print_note(f"{number:>5}  {line}", warning=True)
        if everything and (self._options.json or not self._terminal.out.isatty()):
            # The answer is not on this terminal, and consent needs the code in view.
            self._printer.print_note(request.code, warning=True)

    def _may_download(self, url: str) -> bool:
        if self._confirm(f"Download {url} for it?", self._terminal):
            return True
        self._printer.print_note(
            f"no network: `--download {host_of(url)}` allows the download of {url}"
        )
        return False

    # The run

    async def _attach_files(self) -> None:
        for path in self._options.files:
            await self._kernel_manager.attach_file(path)

    def _request_grids(self, code: str) -> None:
        """Have figures drawn for the cells of this terminal, too, if they will be shown in it."""
        # Only for code that plots: the terminal may have to be asked what it can draw.
        if mentions_plotting(code) and not self._options.json:
            self._kernel_manager.grids = self._printer.list_grid_sizes()

    async def _run_and_print(self, begin: Callable[[], AsyncGenerator[Output, None]]) -> RunResult:
        """Run, print the outputs as they arrive, and return the result."""
        recorder = RunRecorder(text_limit=None if self._options.json else 0)
        ended = RunEnded("died", "off", 0.0)
        with self._handle_signals():
            async with aclosing(begin()) as outputs:
                async for output in outputs:
                    if isinstance(output, RunEnded):
                        ended = output
                    else:
                        recorder.record(output)
                    if not self._options.json:
                        self._printer.print_output(output)
        return recorder.build_result(ended)

    @contextmanager
    def _handle_signals(self) -> Iterator[None]:
        """Interrupt the code on Ctrl+C; a second one, SIGTERM or SIGHUP end this process."""
        loop, main = asyncio.get_running_loop(), asyncio.current_task()
        assert main is not None
        received: list[signal.Signals] = []

        def handle_signal(number: signal.Signals) -> None:
            if number != signal.SIGINT:
                # The kernel is closed on the way out, by `run_and_close`.
                main.cancel()
            elif number in received:
                os._exit(130)
            else:
                self._kernel_manager.interrupt()
            received.append(number)

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, handle_signal, number)
        try:
            yield
        except asyncio.CancelledError:
            if not received:
                raise
            error = Terminated(f"Ended by {received[-1].name}")
            error.exit_code = 128 + received[-1]
            raise error from None
        finally:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                loop.remove_signal_handler(number)

    async def _save_files(self, results: Sequence[RunResult]) -> StarChatError | None:
        """Save the files of `--save-dir`; return the error of the last run, if any."""
        error = create_run_error(results[-1])
        if self._options.save_dir is not None:
            saved, total = 0, len(self._kernel_manager.file_sizes)
            async for name, data in self._fetch_files():
                path = save_file(self._options.save_dir, name, data)
                self._printer.print_note(f"saved {path}")
                saved += 1
            if error is None and saved < total:
                error = StarChatError(
                    f"{total - saved} of {total} files could not be saved",
                    "the messages above say why",
                )
        return error

    async def _fetch_files(self) -> AsyncGenerator[tuple[str, bytes], None]:
        """Yield the plots and files of the code one by one; what cannot be had is reported.

        All together have a bound, since the code chose their number and names their sizes: 40
        files without content, of 64 MB each, would else fill the memory and the disk of the host.
        """
        left = limit = Limits().folder
        for name in self._kernel_manager.file_sizes:
            try:
                data = await self._kernel_manager.fetch_file(name)
            except StarChatError as error:
                self._printer.print_note(error.message, warning=True)
                continue
            if len(data) > left:
                text = f"`{name}` is left out: all files together may have {limit // MIB} MiB"
                self._printer.print_note(text, warning=True)
                continue
            left -= len(data)
            yield name, data

    def _print_json(self, document: dict[str, object]) -> None:
        escaped = self._options.clean or self._terminal.out.isatty()
        self._terminal.out.write(json.dumps(document, ensure_ascii=escaped) + "\n")
        self._terminal.out.flush()


def _create_refusal(request: ConsentRequest | None) -> UsageError:
    if request is not None and request.hidden:
        return UsageError(request.warning, "run it in a terminal to allow them, or remove them")
    return UsageError("The code was not run", "`--yes` runs it without asking")


def confirm_at_terminal(question: str, terminal: Terminal) -> bool:
    """Ask at the terminal and return whether the answer is yes; False without a terminal.

    Reads /dev/tty, because stdin may be the code or the question.
    """
    if not terminal.err.isatty():
        return False
    try:
        with open("/dev/tty", encoding="utf-8", errors="replace") as keyboard:
            terminal.err.write(f"{sanitize_text(question)} [y/N] ")
            terminal.err.flush()
            return keyboard.readline().strip().lower() in ("y", "yes")
    except OSError:
        return False


def read_exit_status(result: RunResult) -> int | None:
    """Return the exit status of a script that ended by an exception; None if none ended it."""
    if result.ended.status != "error" or result.failure is None:
        return None
    # The text comes from the code. A process keeps the last eight bits.
    given = re.fullmatch(r"-?\d{1,20}", result.failure.message)
    return int(given[0]) & 0xFF if result.failure.name == "SystemExit" and given else 1


async def run_and_close(kernel_manager: KernelManager, work: Awaitable[_Result]) -> _Result:
    """Await `work` and return its result; end every sandbox process in any case."""
    try:
        return await work
    finally:
        await kernel_manager.aclose()
