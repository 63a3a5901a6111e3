"""Code from the command line: a file, or the blocks of an answer, behind the wall."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starchat_tui.chat.session import Session
from starchat_tui.cli.ask import Terminal
from starchat_tui.codeblocks import blocks
from starchat_tui.errors import NoCode, StarChatError, Terminated, UsageError
from starchat_tui.execution.kernel_manager import Running, cell_of, is_python
from starchat_tui.execution.run_result import Gathering, Outcome
from starchat_tui.sandbox.outputs import Ended, Output
from starchat_tui.sanitize import clean, hidden
from starchat_tui.terminal.run_printer import UNSAFE, Speaker, error_of, run_json, save_into

if TYPE_CHECKING:
    from starchat_tui.sandbox.host.downloads import Download

MOST_CODE = 4 * 2**20
"""Bytes of a file that is run."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """How the command line wants code to be run."""

    attached: tuple[Path, ...] = ()
    save_dir: Path | None = None
    images: str = "auto"
    json: bool = False
    clean: bool = False
    yes: bool = False
    """Whether the code of an answer is run without asking."""
    hosts: tuple[str, ...] = ()
    """Hosts whose addresses in the code may be fetched for it."""


def read_code(name: str) -> str:
    """The text of a file, or of stdin for `-`; raises `UsageError`."""
    try:
        data = sys.stdin.buffer.read(MOST_CODE + 1) if name == "-" else _read(Path(name))
        if len(data) > MOST_CODE:
            raise UsageError(f"`{name}` is too large to be code", f"{MOST_CODE} bytes are the most")
        return data.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"`{name}` cannot be read ({error})", "name a file of Python") from error


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MOST_CODE + 1)


class Command:
    """One command that runs code: consent, the run, its end as an exit code."""

    def __init__(
        self,
        running: Running,
        wanted: Wanted,
        terminal: Terminal,
        *,
        confirm: Callable[[str, Terminal], bool] | None = None,
    ) -> None:
        self._running = running
        self._confirm = confirm or confirmed
        """Asks the user; the seam of the tests."""
        self._wanted = wanted
        self._terminal = terminal
        self._speaker = Speaker(
            terminal.out,
            terminal.err,
            images=wanted.images,
            clean=wanted.clean,
            color=terminal.color,
            quiet=terminal.quiet or not terminal.err.isatty(),
        )
        if running.unsafe:
            self._speaker.tell(UNSAFE, warning=True)

    async def file(self, code: str) -> None:
        """Run the user's own code; raises the `StarChatError` that its end amounts to."""
        self._show_hidden(code)
        downloads = await self._downloads(code)
        await self._attach()
        outcome = await self._follow(partial(self._running.run, code, downloads))
        if self._wanted.json:
            self._print(run_json(outcome))
        await self._finish([outcome])

    async def answer(self, session: Session, text: str, document: dict[str, object]) -> None:
        """Run the Python of an answer, block by block, until one fails.

        With `--json` prints `document` with the runs in it.
        """
        found = [(at, block) for at, block in enumerate(blocks(text)) if is_python(block)]
        if not found:
            if self._wanted.json:
                self._print({**document, "runs": []})
            raise NoCode("The answer holds no Python to run", "ask for code, or leave `--run` out")
        code = "\n\n".join(block.code for _, block in found)
        self._agree(code)
        downloads = await self._downloads(code)
        await self._attach()
        turn, outcomes = session.turns[-1].id, list[Outcome]()
        for place, block in found:
            cell = cell_of(block)
            outcomes.append(await self._follow(partial(session.run, turn, place, cell, downloads)))
            if outcomes[-1].ended.status != "ok":
                break
        if self._wanted.json:
            self._print({**document, "runs": [run_json(one) for one in outcomes]})
        await self._finish(outcomes)

    # Consent

    def _agree(self, code: str) -> None:
        """Have the user agree to code that he has not written."""
        self._show_hidden(code)
        if self._wanted.yes:
            return
        if self._wanted.json or not self._terminal.out.isatty():
            # The answer is not on this terminal, and nobody agrees to what he has not seen.
            self._speaker.tell(code, warning=True)
        if not self._confirm("Run this code?", self._terminal):
            raise UsageError("The code was not run", "`--yes` runs it without asking")

    def _show_hidden(self, code: str) -> None:
        """Show the lines that hold what a reader does not see, and have the user agree to them."""
        unseen = hidden(code)
        if not unseen:
            return
        said = f"The code holds characters one cannot see: {', '.join(unseen[:8])}"
        self._speaker.tell(said, warning=True)
        for number, line in enumerate(code.split("\n"), 1):
            if hidden(line):
                self._speaker.tell(f"{number:>5}  {line}", warning=True)
        if not self._confirm("Run it nevertheless?", self._terminal):
            raise UsageError(
                f"The code holds characters one cannot see ({', '.join(unseen[:4])})",
                "run it in a terminal to agree to them, or take them out",
            )

    async def _downloads(self, code: str) -> list[Download]:
        """What the user lets the host fetch for this run."""
        agreed = []
        for url in self._running.urls(code):
            host = urlsplit(url).hostname or ""
            asking = f"Download {url} for it?"
            if host in self._wanted.hosts or self._confirm(asking, self._terminal):
                agreed.append(await self._running.download(url))
            else:
                self._speaker.tell(f"no network: `--download {host}` lets {url} be fetched")
        return agreed

    # The run

    async def _attach(self) -> None:
        for path in self._wanted.attached:
            await self._running.attach(path)

    async def _follow(self, begin: Callable[[], AsyncGenerator[Output, None]]) -> Outcome:
        """Run, print as it comes, and gather what the end is made of."""
        gathering = Gathering(kept=None if self._wanted.json else 0)
        ended = Ended("died", "off", 0.0)
        with self._signals():
            async with aclosing(begin()) as outputs:
                async for output in outputs:
                    if isinstance(output, Ended):
                        ended = output
                    else:
                        gathering.take(output)
                    if not self._wanted.json:
                        self._speaker.say(output)
        return gathering.outcome(ended)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """^C interrupts the code, a second one ends us; so does SIGTERM, with the kernel."""
        loop, main = asyncio.get_running_loop(), asyncio.current_task()
        assert main is not None
        came: list[signal.Signals] = []

        def signalled(number: signal.Signals) -> None:
            if number != signal.SIGINT:
                main.cancel()
            elif number in came:
                os._exit(130)
            else:
                self._running.interrupt()
            came.append(number)

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, signalled, number)
        try:
            yield
        except asyncio.CancelledError:
            if not came:
                raise
            error = Terminated(f"Ended by {came[-1].name}")
            error.exit_code = 128 + came[-1]
            raise error from None
        finally:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                loop.remove_signal_handler(number)

    async def _finish(self, outcomes: Sequence[Outcome]) -> None:
        """Save what is to be saved; raise what the exit code is made of."""
        error = error_of(outcomes[-1])
        if self._wanted.save_dir is not None:
            found, every = await self._files(), len(self._running.files)
            for path in save_into(self._wanted.save_dir, found):
                self._speaker.tell(f"saved {path}")
            if error is None and len(found) < every:
                error = StarChatError(
                    f"{every - len(found)} of {every} files could not be saved",
                    "what stands above says why",
                )
        if error is not None:
            raise error

    async def _files(self) -> list[tuple[str, bytes]]:
        """What was drawn and written; what is gone with its kernel is told."""
        found = []
        for name in self._running.files:
            try:
                found.append((name, await self._running.fetch(name)))
            except StarChatError as error:
                self._speaker.tell(error.message, warning=True)
        return found

    def _print(self, document: dict[str, object]) -> None:
        escaped = self._wanted.clean or self._terminal.out.isatty()
        self._terminal.out.write(json.dumps(document, ensure_ascii=escaped) + "\n")
        self._terminal.out.flush()


def confirmed(question: str, terminal: Terminal) -> bool:
    """Whether the user says yes, at the terminal itself: stdin may be the code. No without one."""
    if not terminal.err.isatty():
        return False
    try:
        with open("/dev/tty", encoding="utf-8", errors="replace") as keyboard:
            terminal.err.write(f"{clean(question)} [y/N] ")
            terminal.err.flush()
            return keyboard.readline().strip().lower() in ("y", "yes")
    except OSError:
        return False


async def ending(running: Running, work: Awaitable[None]) -> None:
    """Do the work, and end every process of the sandbox whatever comes."""
    try:
        await work
    finally:
        await running.aclose()
