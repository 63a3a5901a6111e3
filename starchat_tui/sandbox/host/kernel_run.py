"""One run in a kernel: its outputs as they come, within the limits, and how it ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from starchat_tui.sandbox.host.frames import Begun, Done, Heard, Violation
from starchat_tui.sandbox.host.kernel_process import Cause, Life
from starchat_tui.sandbox.limits import GIB, MIB
from starchat_tui.sandbox.outputs import (
    Failure,
    Figure,
    Note,
    Output,
    Result,
    Status,
    Text,
    Written,
)

KEPT = "Variables are kept."
GONE = "Variables are gone; the next run starts afresh."
PATIENCE = 60.0
"""Seconds a runner may take to begin a run; the time of the run itself starts there."""
MOST_WRITTEN = 1000
"""Files that may be told of one run; the runner tells far fewer."""
_OUTPUTS = (Text, Result, Figure, Failure, Written, Note)


class Run:
    """A run of a number in a living kernel; `status` and `reason` hold once `outputs` has ended."""

    def __init__(self, life: Life, number: int) -> None:
        self._life = life
        self._number = number
        self._begun = self._over = False
        self._sent = 0
        """Bytes."""
        self._figures = self._written = 0
        self._limit: asyncio.TimerHandle | None = None
        self.status: Status = "died"
        self.reason = ""

    async def outputs(self, code: str) -> AsyncGenerator[Output, None]:
        """What the code says and shows, without its end."""
        try:
            self._life.asked = True
            late = Cause("died", f"The kernel did not begin the run within {PATIENCE:g} s")
            self._limit = asyncio.get_running_loop().call_later(PATIENCE, self._life.kill, late)
            await self._life.ask("run", self._number, code)
            async with aclosing(self._life.listen()) as listened:
                async for heard, size in listened:
                    if isinstance(heard, Done):
                        self._done(heard.status)
                        return
                    if output := self._taken(heard, size):
                        yield output
            await self._gone()
        except Violation as error:
            self._life.kill(Cause("died", f"Protocol violation: {error}"))
            await self._gone()
        finally:
            if self._limit:
                self._limit.cancel()
            if not self._over:
                self._life.kill(Cause("died", "Nobody listened to its output any more"))

    def _taken(self, heard: Heard, size: int) -> Output | None:
        """What of a frame is shown; raises `Violation` where it has no place here."""
        if isinstance(heard, Begun):
            if self._begun or heard.run != self._number:
                raise Violation("a run that nobody asked for")
            self._begin()
            return None
        if not isinstance(heard, _OUTPUTS):
            raise Violation("an answer that nobody asked for")
        if not self._begun:
            # Forged, and of no run; the runner says nothing between two.
            return None
        return self._counted(heard, size)

    def _begin(self) -> None:
        self._begun = True
        if self._limit:
            self._limit.cancel()
        seconds = self._life.jail.limits.timeout
        cause = Cause("timeout", f"Stopped after {seconds:g} s")
        self._limit = asyncio.get_running_loop().call_later(seconds, self._life.stop, cause)
        self._life.begun()

    def _counted(self, output: Output, size: int) -> Output | None:
        limits = self._life.jail.limits
        self._sent += size
        self._figures += isinstance(output, Figure)
        self._written += isinstance(output, Written)
        if self._figures > limits.figures or self._written > MOST_WRITTEN:
            raise Violation("more pictures or files than a run may show")
        if self._sent > limits.output:
            self._life.stop(Cause("output", f"Stopped after {limits.output / MIB:g} MB of output"))
            return None
        return output

    def _done(self, status: Status) -> None:
        if not self._begun:
            raise Violation("an end before the beginning")
        self._over = True
        cause = self._life.done()
        if cause:
            self.status, self.reason = cause.status, f"{cause.reason}. {KEPT}"
            return
        self.status = status
        if status == "memory":
            memory = self._life.jail.limits.memory / GIB
            self.reason = f"The code asked for more than {memory:.3g} GB of memory. {KEPT}"
        elif status == "interrupted":
            self.reason = f"Interrupted. {KEPT}"

    def lost(self) -> None:
        """End the kernel after all, and say so."""
        self._life.kill()
        self.reason = self.reason.replace(KEPT, GONE)

    async def _gone(self) -> None:
        self._over = True
        how = await self._life.ended()
        cause = self._life.cause or Cause("died", f"The kernel ended: {how}")
        self.status, self.reason = cause.status, f"{cause.reason}. {GONE}"
