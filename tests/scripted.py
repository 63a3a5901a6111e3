"""An engine that says what a test wrote down: the seam where a face meets an engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

from starchat_tui.errors import StarChatError
from starchat_tui.wire import Delta, ModelCard, Progress, Request, Usage

Step = str | Delta | Progress | StarChatError | asyncio.Event
"""A text, a piece as it is, an error that is raised, or an event that is waited for."""


class ScriptedEngine:
    """Answers each request with the next script; keeps what it was asked."""

    def __init__(self, *scripts: Sequence[Step], window: int = 2048) -> None:
        self.scripts = list(scripts)
        self.requests: list[Request] = []
        self.closed = 0
        """Answers whose reader hung up before their end."""
        self.window = window

    def enqueue(self, *steps: Step) -> None:
        """Add one more answer."""
        self.scripts.append(steps)

    async def stream(self, request: Request) -> AsyncGenerator[Delta | Progress, None]:
        """The pieces of the next script, then an end with usage where the script has none."""
        self.requests.append(request)
        steps = self.scripts.pop(0)
        said = 0
        try:
            for step in steps:
                await asyncio.sleep(0)
                if isinstance(step, StarChatError):
                    raise step
                if isinstance(step, asyncio.Event):
                    await step.wait()
                    continue
                said += isinstance(step, str)
                yield Delta(step) if isinstance(step, str) else step
        except (GeneratorExit, asyncio.CancelledError):
            self.closed += 1
            raise
        if not any(isinstance(step, Delta) and step.finish_reason for step in steps):
            usage = Usage(len(request.prompt), said, cached_tokens=0)
            yield Delta(finish_reason="stop", usage=usage)

    async def models(self) -> list[ModelCard]:
        """One model, called `scripted`."""
        return [ModelCard("scripted", self.window, loaded=True)]
