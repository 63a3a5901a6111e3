"""The seam of the tests: an engine that says what a test wrote down."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import dataclass, field

from starchat_tui.wire import Delta, ModelCard, Progress, Request, Timings, Usage

Piece = str | Delta | Progress | BaseException | asyncio.Event
"""A text, a piece as it is, an error that is raised, or an event that is waited for."""


@dataclass
class ScriptedEngine:
    """Answers each request with the next list of pieces; keeps what it was asked.

    With `steps` an answer goes on only as far as the test lets it.
    """

    answers: list[Sequence[Piece]] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    steps: asyncio.Semaphore | None = None
    closed: int = 0
    """Answers whose reader hung up before their end."""

    def enqueue(self, *pieces: Piece) -> None:
        """Add an answer."""
        self.answers.append(pieces)

    async def stream(self, request: Request) -> AsyncGenerator[Delta | Progress, None]:
        """The next answer in pieces, then an end with usage where it has none of its own."""
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

    async def models(self) -> list[ModelCard]:
        """One demo model."""
        return [ModelCard("nano-chat", 2048, loaded=True)]


def cut(text: str, size: int = 4) -> Iterable[str]:
    """`text` in pieces of `size` characters."""
    return (text[start : start + size] for start in range(0, len(text), size))
