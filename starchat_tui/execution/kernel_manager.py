"""The kernel of a conversation: begun late or ahead of time, one at a time, behind one wall.

The wall is looked for once. It is never lowered afterwards: a kernel that does not start is an
error, not a reason to try without.
"""

from __future__ import annotations

import ast
import asyncio
import os
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from starchat_tui.codeblocks import CodeBlock
from starchat_tui.errors import Busy, NoSandbox, StarChatError, UsageError
from starchat_tui.paths import typed
from starchat_tui.sandbox.host.attachments import names, open_file
from starchat_tui.sandbox.limits import Limits
from starchat_tui.sandbox.outputs import Ended, Figure, Level, Output, Written

if TYPE_CHECKING:
    from starchat_tui.sandbox.host.downloads import Download
    from starchat_tui.sandbox.isolation.probe import Verdict

Allowed = Literal["ask", "always", "never"]
"""Whether the code of a conversation may run without asking."""

_PYTHON = ("python", "py", "python3", "ipython", "pycon", "jupyter")
_SHELL = ("bash", "sh", "shell", "zsh", "console")
_PLOTTING = re.compile(
    r"\b(matplotlib|seaborn|geopandas|plotnine)\b|\b(plt|sns)\.|%matplotlib"
    r"|\b(plot|chart|diagram|histogram|scatter ?plot|heat ?map|draw)s?\b",
    re.IGNORECASE,
)


class Kernel(Protocol):
    """Runs code in a process of its own and keeps its variables."""

    @property
    def alive(self) -> bool:
        """Whether the process is there, and its variables with it."""

    async def start(self) -> None:
        """Have the process ready; nothing where it is."""

    def run(self, code: str, *, downloads: Sequence[Download] = ()) -> AsyncGenerator[Output, None]:
        """What the code says, ending with one `Ended`; raises nothing for what it does."""

    def interrupt(self) -> None:
        """End what runs, and keep the variables."""

    async def restart(self) -> None:
        """A new process, without the variables."""

    async def attach(self, path: Path) -> None:
        """Show the code a file of the user's, read-only."""

    async def fetch(self, name: str) -> bytes:
        """A file that the code wrote."""

    async def aclose(self) -> None:
        """End the process."""


@dataclass(frozen=True)
class Workshop:
    """What kernels are made with; the seam of the tests."""

    probe: Callable[[], Verdict]
    """Which wall holds here; takes seconds the first time."""
    make: Callable[[Verdict, Sequence[Path]], Kernel]
    """A kernel behind that wall, with these files attached."""
    hosts: Callable[[str], Sequence[str]]
    """The URLs in some code that could be downloaded."""
    download: Callable[[str], Awaitable[Download]]
    """Fetches one; raises a `StarChatError`."""
    unsafe: bool = False
    """Whether the user asked for no wall, for this process."""


class Running:
    """The kernel of the present conversation, and what it left behind."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop
        self._verdict: Verdict | None = None
        self._probing = asyncio.Lock()
        self._kernel: Kernel | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self._warming: asyncio.Task[None] | None = None
        self._fetching: asyncio.Future[list[Download]] | None = None
        self._begun = self._early = False
        """Whether the kernel has the run that is busy, and whether it was interrupted before."""
        self._attached: tuple[Path, ...] = ()
        self._figures: list[Figure] = []
        self.written: dict[str, Written] = {}
        """Files that the code left behind, by name."""
        self.busy = False
        """Whether code runs."""

    @property
    def unsafe(self) -> bool:
        """Whether there is no wall, because the user said so."""
        return self._workshop.unsafe

    async def wall(self) -> Verdict:
        """Which wall there is; found once, and kept."""
        async with self._probing:
            if self._verdict is None:
                self._verdict = await asyncio.to_thread(self._workshop.probe)
        return self._verdict

    @property
    def level(self) -> Level | None:
        """The wall's level; None before it was looked for."""
        return self._verdict.level if self._verdict else None

    def prewarm(self) -> None:
        """Begin to start the kernel, where there is a wall; the first run finds it ready."""
        if self._warming is None and self._kernel is None:
            self._warming = asyncio.create_task(self._warm())

    def foresee(self, text: str) -> None:
        """Begin ahead of time where `text` looks as if something will be drawn."""
        if plots(text):
            self.prewarm()

    async def _warm(self) -> None:
        with suppress(StarChatError):  # the first run says the same, to a reader
            verdict = await self.wall()
            if verdict.level != "off":
                await self._present(verdict).start()

    def _present(self, verdict: Verdict) -> Kernel:
        if self._kernel is None:
            self._kernel = self._workshop.make(verdict, self._attached)
        return self._kernel

    async def run(
        self, code: str, downloads: Sequence[Download] = ()
    ) -> AsyncGenerator[Output, None]:
        """Run, and yield what happens, ending with one `Ended`; raises `Busy` where code runs."""
        if self.busy:
            raise Busy("A code block is running", "Esc interrupts it")
        self.busy = True
        self._begun = self._early = False
        try:
            verdict = await self.wall()
            if verdict.level == "off":
                yield Ended("no-sandbox", "off", 0.0, refusal(verdict).message)
                return
            if self._early:
                yield Ended("interrupted", verdict.level, 0.0, "Interrupted before it began")
                return
            kernel = self._present(verdict)
            self._begun = True
            async with aclosing(kernel.run(code, downloads=downloads)) as outputs:
                async for output in outputs:
                    self._keep(output)
                    yield output
        finally:
            self.busy = False

    def _keep(self, output: Output) -> None:
        if isinstance(output, Written):
            self.written[output.name] = output
        elif isinstance(output, Figure):
            self._figures.append(output)

    def interrupt(self) -> None:
        """End what runs, or is fetched for it; variables are kept where it obeys."""
        if self._fetching is not None:
            self._fetching.cancel()
        elif self.busy and not self._begun:
            self._early = True
        elif self.busy and self._kernel is not None:
            self._kernel.interrupt()

    async def restart(self) -> None:
        """A fresh kernel; variables and files are gone."""
        self.written.clear()
        if self._kernel is not None:
            await self._kernel.restart()

    async def attach(self, path: Path) -> Path:
        """Show the code a file, read-only, under its own name; the absolute path.

        Raises `UsageError` for what is no regular file, is too large, or has the name of another.
        """
        found = typed(path).absolute()
        attached = (*(one for one in self._attached if one != found), found)
        names(attached)
        os.close(open_file(found, Limits().attached)[0])
        if self._kernel is not None:
            await self._kernel.attach(found)
        self._attached = attached
        return found

    @property
    def files(self) -> dict[str, int]:
        """What can be saved out, by name, with its size in bytes; plots are `figure-N.png`."""
        figures = {f"figure-{at}.png": len(one.png) for at, one in enumerate(self._figures, 1)}
        return {**figures, **{one.name: one.size for one in self.written.values()}}

    @property
    def attached(self) -> tuple[Path, ...]:
        """The files that the code can see."""
        return self._attached

    async def fetch(self, name: str) -> bytes:
        """A file that the code wrote, or one of its plots."""
        if name in self.written and self._kernel is not None:
            return await self._kernel.fetch(name)
        number = re.fullmatch(r"figure-(\d{1,6})\.png", name)
        if number and 1 <= int(number[1]) <= len(self._figures):
            return self._figures[int(number[1]) - 1].png
        known = ", ".join(self.files) or "none"
        raise UsageError(f"The code wrote no file `{name}`", f"there are: {known}")

    def urls(self, code: str) -> Sequence[str]:
        """The addresses in `code` that could be downloaded for it."""
        return self._workshop.hosts(code)

    async def download(self, url: str) -> Download:
        """Fetch one, with the user's consent; raises a `StarChatError`."""
        return await self._workshop.download(url)

    async def downloads(self, urls: Sequence[str]) -> list[Download] | None:
        """Fetch them all, with the user's consent; None where that was interrupted."""
        fetching = self._fetching = asyncio.ensure_future(self._downloaded(urls))
        try:
            await asyncio.wait({fetching})
        finally:
            self._fetching = None
            fetching.cancel()
        return None if fetching.cancelled() else fetching.result()

    async def _downloaded(self, urls: Sequence[str]) -> list[Download]:
        return [await self.download(url) for url in urls]

    def leave(self) -> None:
        """Another conversation begins: what ran for this one ends, beside what follows."""
        self.written.clear()
        self._figures.clear()
        self._attached = ()
        if self._kernel is not None or self._warming is not None:
            ending = asyncio.create_task(_ended(self._kernel, self._warming))
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)
        self._kernel = self._warming = None

    async def aclose(self) -> None:
        """End every process that is left."""
        self.leave()
        await asyncio.gather(*self._ending)


async def _ended(kernel: Kernel | None, warming: asyncio.Task[None] | None) -> None:
    if warming is not None:
        warming.cancel()
        await asyncio.wait({warming})
    if kernel is not None:
        await kernel.aclose()


def refusal(verdict: Verdict) -> NoSandbox:
    """Why nothing is run here, and the commands that would help."""
    fix = "; ".join(verdict.fix)
    hint = f"what helps: {fix}" if fix else "`starchat doctor` says what would help"
    return NoSandbox(f"Running code is off: {verdict.why}", f"{hint}. Copy and save still work")


def plots(text: str) -> bool:
    """Whether a question or some code looks as if it will draw something."""
    return _PLOTTING.search(text) is not None


def runnable(language: str) -> bool:
    """Whether a code block in that language can be run at all."""
    return not language or language in (*_PYTHON, *_SHELL)


def cell_of(block: CodeBlock) -> str:
    """The block as the kernel takes it; raises `UsageError` where it is in another language."""
    if not runnable(block.language):
        raise UsageError(
            f"A block of {block.language} cannot be run", "Python and shell can; copy and save it"
        )
    return f"%%bash\n{block.code}" if block.language in _SHELL else block.code


def is_python(block: CodeBlock) -> bool:
    """Whether the block is named as Python, or is nameless and reads as Python."""
    if block.language:
        return block.language in _PYTHON
    plain = re.sub(r"^\s*[%!].*$", "pass", block.code, flags=re.MULTILINE)
    try:
        return bool(ast.parse(plain).body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
