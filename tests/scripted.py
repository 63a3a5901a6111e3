"""Scripted stand-ins at the seams: an engine and a kernel that replay what a test enqueues."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from starchat_tui.client.protocol import Delta, ModelCard, Progress, Request, Timings, Usage
from starchat_tui.errors import UsageError
from starchat_tui.execution.kernel_factory import KernelFactory
from starchat_tui.execution.kernel_manager import KernelManager
from starchat_tui.sandbox.environments.interpreter import Interpreter
from starchat_tui.sandbox.environments.store import EnvironmentStore
from starchat_tui.sandbox.guest.grid_rendering import GridSize
from starchat_tui.sandbox.host.downloads import Download
from starchat_tui.sandbox.isolation.probe import Capability
from starchat_tui.sandbox.outputs import Failure, Figure, Output, RunEnded, StreamText
from starchat_tui.sandbox.run_state import RunControl


def make_png(width: int = 12, height: int = 8) -> bytes:
    """Return a PNG, blue on the left and red on the right."""
    from PIL import Image

    image = Image.new("RGB", (width, height), (220, 40, 40))
    image.paste((40, 60, 220), (0, 0, width // 2, height))
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


Piece = str | Delta | Progress | BaseException | asyncio.Event
"""A text, a piece as it is, an error to raise, or an event to wait for."""


@dataclass
class ScriptedEngine:
    """Engine that answers each request with the next list of pieces, and records the requests.

    With `steps`, each piece waits until the test releases the semaphore.
    """

    answers: list[Sequence[Piece]] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    steps: asyncio.Semaphore | None = None
    closed: int = 0
    """Number of answers that were closed before their end."""

    def enqueue(self, *pieces: Piece) -> None:
        """Enqueue an answer."""
        self.answers.append(pieces)

    async def stream(self, request: Request) -> AsyncGenerator[Delta | Progress, None]:
        """Yield the next answer in pieces, with an end of its own if the script has none."""
        self.requests.append(request)
        pieces = self.answers.pop(0)
        try:
            for piece in pieces:
                if self.steps is not None:
                    await self.steps.acquire()
                await asyncio.sleep(0)
                if isinstance(piece, BaseException):
                    raise piece
                if isinstance(piece, asyncio.Event):
                    await piece.wait()
                else:
                    yield Delta(piece) if isinstance(piece, str) else piece
        except (GeneratorExit, asyncio.CancelledError):
            self.closed += 1
            raise
        if not any(isinstance(piece, Delta) and piece.finish_reason for piece in pieces):
            usage = Usage(len(request.prompt), sum(isinstance(piece, str) for piece in pieces), 0)
            yield Delta("", finish_reason="stop", usage=usage, timings=Timings(0.0, 0.1, 0.5))

    async def list_models(self) -> list[ModelCard]:
        """Return one demo model."""
        return [ModelCard("nano-chat", 2048, loaded=True)]


def split_text(text: str, size: int = 4) -> Iterable[str]:
    """Return `text` in pieces of `size` characters."""
    return (text[start : start + size] for start in range(0, len(text), size))


RunPiece = Output | asyncio.Event | str
"""An output, an event to wait for, or a text on stdout."""
DRAWN = Figure(make_png(), 12, 8, "axes 1: 'Bars' bars [1, 2]")


@dataclass
class ScriptedKernel:
    """Kernel that runs no code: it replays what a test enqueued, and records the calls."""

    capability: Capability
    attached: list[Path] = field(default_factory=list)
    runs: list[Sequence[RunPiece]] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    downloads: list[Sequence[Download]] = field(default_factory=list)
    grids: list[Sequence[GridSize]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    starts: int = 0
    restarts: int = 0
    closed: int = 0
    interrupted: asyncio.Event = field(default_factory=asyncio.Event)
    alive: bool = False

    async def start(self) -> None:
        self.starts += not self.alive
        self.alive = True

    async def run(
        self,
        code: str,
        *,
        downloads: Sequence[Download] = (),
        control: RunControl | None = None,
        grids: Sequence[GridSize] = (),
    ) -> AsyncGenerator[Output, None]:
        """Yield the next run in pieces, with an end of its own if the script has none."""
        await self.start()
        self.interrupted.clear()
        self.codes.append(code)
        self.downloads.append(downloads)
        self.grids.append(grids)
        control = control or RunControl()
        control.mark_running()
        with control.handle_stop(self.interrupted.set):
            async for output in self._play(self.runs.pop(0)):
                yield output

    async def _play(self, pieces: Sequence[RunPiece]) -> AsyncGenerator[Output, None]:
        for piece in pieces:
            await asyncio.sleep(0)
            if isinstance(piece, asyncio.Event):
                waiting = [asyncio.ensure_future(one.wait()) for one in (piece, self.interrupted)]
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for one in waiting:
                    one.cancel()
                if self.interrupted.is_set():
                    level = self.capability.level
                    yield RunEnded("interrupted", level, 0.2, "Interrupted", variables_kept=True)
                    return
            else:
                yield StreamText("stdout", piece) if isinstance(piece, str) else piece
        if not isinstance(pieces[-1], RunEnded):
            failed = any(isinstance(piece, Failure) for piece in pieces)
            yield RunEnded("error" if failed else "ok", self.capability.level, 0.4)

    async def restart(self) -> None:
        self.restarts += 1

    async def attach_file(self, path: Path) -> None:
        self.attached.append(path)

    async def fetch_file(self, name: str) -> bytes:
        if name not in self.files:
            raise UsageError(f"`{name}` is gone with the kernel that held it")
        return self.files[name]

    async def aclose(self) -> None:
        self.closed += 1
        self.alive = False


@dataclass
class ScriptedKernelFactory:
    """Factory of scripted kernels; the last one is `kernel`."""

    capability: Capability = field(default_factory=lambda: Capability("isolated"))
    runs: list[Sequence[RunPiece]] = field(default_factory=list)
    kernels: list[ScriptedKernel] = field(default_factory=list)
    urls: tuple[str, ...] = ()
    unsafe: bool = False
    environments: EnvironmentStore | None = None

    @property
    def kernel(self) -> ScriptedKernel:
        return self.kernels[-1]

    def enqueue(self, *pieces: RunPiece) -> None:
        """Enqueue a run."""
        self.runs.append(pieces)

    def create_kernel(
        self, capability: Capability, attached: Sequence[Path], interpreter: Interpreter | None
    ) -> ScriptedKernel:
        self.kernels.append(ScriptedKernel(capability, list(attached), self.runs))
        return self.kernels[-1]

    def create_manager(self, environment: str = "current") -> KernelManager:
        """Return the kernel manager for a session, whose code runs in an environment."""

        async def fetch(url: str) -> Download:
            return Download(url, url.rpartition("/")[2], b"a,b\n1,2\n")

        def find_urls(code: str) -> Sequence[str]:
            return [url for url in self.urls if url in code]

        factory = KernelFactory(
            lambda: self.capability,
            self.create_kernel,
            find_urls,
            fetch,
            unsafe=self.unsafe,
            environments=self.environments,
        )
        return KernelManager(factory, environment)
