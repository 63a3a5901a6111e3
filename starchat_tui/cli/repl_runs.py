"""Running code in the line mode: consent by a typed word, output as it comes, plots as cards."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starchat_tui.chat.commands import block_number
from starchat_tui.chat.session import Session
from starchat_tui.cli.ask import Terminal
from starchat_tui.codeblocks import CodeBlock, blocks
from starchat_tui.errors import UsageError
from starchat_tui.execution.kernel_manager import Running, cell_of, refusal
from starchat_tui.execution.plot_files import save_out
from starchat_tui.execution.run_result import WALLS, fix_question, size_text
from starchat_tui.sandbox.outputs import Ended, Failure
from starchat_tui.sanitize import hidden
from starchat_tui.terminal.run_printer import UNSAFE, Speaker

if TYPE_CHECKING:
    from starchat_tui.sandbox.host.downloads import Download

Tell = Callable[[str], None]


class ReplRuns:
    """What the line mode does about code."""

    def __init__(self, session: Session, tell: Tell, terminal: Terminal, *, images: str) -> None:
        self._session = session
        self._tell = tell
        self._terminal = terminal
        self._images = images
        self._failures: dict[tuple[int, int], Failure] = {}
        """The errors of runs, by the turns and places of their blocks; the newest is the last."""
        self.commands: dict[str, Callable[[str], Awaitable[None]]] = {
            "run": self.run,
            "attach": self.attach,
            "restart": self.restart,
            "files": self.files,
            "savefile": self.save_file,
        }

    @property
    def blocks(self) -> list[CodeBlock]:
        """The conversation's code blocks, in the order of their numbers."""
        return [block for _, _, block in self._numbered]

    @property
    def _numbered(self) -> list[tuple[int, int, CodeBlock]]:
        """Each code block with the id of its turn and its place there."""
        return [
            (stored.id, place, block)
            for stored in self._session.turns
            if stored.turn.role == "assistant"
            for place, block in enumerate(blocks(stored.turn.text))
        ]

    @property
    def _running(self) -> Running:
        if self._session.running is None:
            raise UsageError("This chat runs no code", "open one with `starchat repl`")
        return self._session.running

    async def run(self, argument: str) -> None:
        """Run a numbered block, the last by default; Ctrl+C interrupts it."""
        found = self._numbered
        number = block_number(argument, len(found))
        turn, place, block = found[number - 1]
        code = cell_of(block)
        verdict = await self._running.wall()
        if verdict.level == "off":
            raise refusal(verdict)
        if not await self._agreed(code, number, verdict.level):
            self._tell("not run")
            return
        wanted = await self._wanted_urls(code)
        with self._interruptible():
            downloads = await self._running.downloads(wanted)
            if downloads is None:
                self._tell("not run")
            else:
                await self._follow(turn, place, code, downloads)

    async def _agreed(self, code: str, number: int, level: str) -> bool:
        """Ask where it must be asked; `/run` itself takes back an earlier never."""
        unseen = hidden(code)
        if self._session.allowed == "always" and not unseen:
            return True
        if level == "unsafe":
            self._tell(UNSAFE)
        self._tell(f"code block {number}, {WALLS[level]}:")
        self._tell("\n".join(f"    {line}" for line in code.split("\n")))
        if unseen:
            self._tell(f"it holds characters one cannot see, shown as {', '.join(unseen[:6])}")
        said = await self._asked("run it? (y)es, (a)lways here, n(e)ver here, [n]o: ")
        if said in ("a", "always"):
            self._session.allowed = "always"
        elif said in ("e", "never"):
            self._session.allowed = "never"
        return said in ("y", "yes", "a", "always")

    async def _wanted_urls(self, code: str) -> list[str]:
        """The addresses in the code that the user lets be fetched."""
        wanted = []
        for url in self._running.urls(code):
            host = urlsplit(url).hostname or "?"
            self._tell(f"it names {url}, and has no network")
            if await self._asked(f"download it from {host} for this run? [y/N]: ") in ("y", "yes"):
                wanted.append(url)
        return wanted

    async def _asked(self, question: str) -> str:
        from prompt_toolkit import PromptSession

        try:
            answer = await PromptSession[str]().prompt_async(question)
        except (EOFError, KeyboardInterrupt):
            return ""
        return answer.strip().lower()

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Ctrl+C ends what runs, or is fetched for it, and not the chat."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self._running.interrupt)
        try:
            yield
        finally:
            loop.remove_signal_handler(signal.SIGINT)

    async def _follow(
        self, turn: int, place: int, code: str, downloads: Sequence[Download]
    ) -> None:
        speaker = Speaker(
            self._terminal.out,
            self._terminal.err,
            images=self._images,
            color=self._terminal.color,
            clean=True,
        )
        self._failures.pop((turn, place), None)
        async with aclosing(self._session.run(turn, place, code, downloads)) as outputs:
            async for output in outputs:
                speaker.say(output)
                if isinstance(output, Failure):
                    self._failures[turn, place] = output
                elif isinstance(output, Ended) and output.reason:
                    self._tell(output.reason)
        if (turn, place) in self._failures:
            self._tell("/fix sends the error to the model")

    def fix(self, argument: str) -> str:
        """The question that sends a run's error to the model: one of this conversation's."""
        numbers = {one[:2]: str(number) for number, one in enumerate(self._numbered, 1)}
        failed = [at for at in self._failures if at in numbers and argument in ("", numbers[at])]
        if not failed:
            raise UsageError("There is no failed run", "run a code block first: `/run`")
        return fix_question(self._failures.pop(failed[-1]))

    async def attach(self, argument: str) -> None:
        """Let the code read a file."""
        path = await self._running.attach(Path(argument))
        self._tell(f"the code can read {path.name}, and cannot change it")

    async def restart(self, argument: str) -> None:
        """A fresh kernel."""
        await self._running.restart()
        self._tell("a fresh kernel: variables and files are gone")

    async def files(self, argument: str) -> None:
        """What the code wrote, and what is attached."""
        running = self._running
        for name, size in running.files.items():
            self._tell(f"{name}  {size_text(size)}")
        for path in running.attached:
            self._tell(f"{path.name}  attached, read-only")
        if not running.files and not running.attached:
            self._tell("the code wrote no file, and none is attached")

    async def save_file(self, argument: str) -> None:
        """Keep a file that the code wrote."""
        name, _, wanted = argument.partition(" ")
        data = await self._running.fetch(name)
        self._tell(f"wrote {save_out(name, data, wanted.strip())}")
