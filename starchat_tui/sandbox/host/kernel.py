"""A kernel: one IPython behind a wall, its variables kept from run to run."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Awaitable, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

from starchat_tui.errors import StarChatError
from starchat_tui.sandbox.guest.frame_protocol import CHUNK
from starchat_tui.sandbox.host.attachments import names, open_file
from starchat_tui.sandbox.host.downloads import Download, apart, offline
from starchat_tui.sandbox.host.frames import Chunk, Served, Violation
from starchat_tui.sandbox.host.kernel_process import GUEST, SEEN, Cause, Life, NotStarted
from starchat_tui.sandbox.host.kernel_run import GONE, KEPT, Run
from starchat_tui.sandbox.isolation.bubblewrap import Jail
from starchat_tui.sandbox.isolation.probe import Verdict
from starchat_tui.sandbox.limits import Limits
from starchat_tui.sandbox.outputs import Ended, Note, Output, Status

PATIENCE = 20.0
"""Seconds that handing over a file may take."""


class NotServed(StarChatError):
    """A file of the code could not be handed over."""


class Kernel:
    """Runs code, one piece at a time, behind the wall that `verdict` names.

    Nothing that code does raises here: what it did is told by the outputs of its run. Started by
    the first run, or ahead of it by `start`; to be closed with `aclose`.
    """

    def __init__(
        self,
        verdict: Verdict,
        *,
        limits: Limits | None = None,
        attached: Sequence[Path] = (),
        strict: bool = False,
    ) -> None:
        self.verdict = verdict
        self.limits = limits or Limits()
        self._attached = tuple(attached)
        self._strict = strict
        self._turn = asyncio.Lock()
        """One run, or one file, at a time."""
        self._life: Life | None = None
        self._runs = 0
        self._used = False
        """Whether the life that is has run anything."""
        self._waiting = self._early = False
        """Whether a run waits for its kernel, and whether it was interrupted there."""
        self._ending: Cause | None = None
        """Why a run that waits for its kernel will not get it."""
        self._flooded = False
        """Whether a run of the life that is was stopped for its output."""
        self._lost = ""
        """Why the variables of earlier runs are gone, until the next run has told it."""

    @property
    def alive(self) -> bool:
        """Whether there is a process that keeps variables."""
        return self._life is not None and self._life.alive

    async def start(self) -> None:
        """Start ahead of the first run; what does not start is told by that run."""
        async with self._turn:
            if self.verdict.level != "off":
                with suppress(NotStarted, StarChatError):
                    await self._living()

    async def run(
        self, code: str, *, downloads: Sequence[Download] = ()
    ) -> AsyncGenerator[Output, None]:
        """What `code` says and shows, as it happens; the last output, and no other, is `Ended`.

        The addresses of `downloads` are replaced in the code by the names of their files. Who
        stops listening before the end ends the kernel; `interrupt` is the gentle way.
        """
        if self.verdict.level == "off":
            yield Ended("no-sandbox", "off", 0.0, self.verdict.why)
            return
        began = time.monotonic()
        async with self._awaited_turn():
            try:
                if self._ending:
                    raise NotStarted(self._ending.reason)
                life = await self._living()
                files = apart(downloads, names(self._attached))
                for file in files:
                    await self._put(life, file)
            except (NotStarted, StarChatError, Violation) as error:
                cause = self._ending or Cause("died", f"The kernel did not start: {error}")
                yield self._ended(began, cause.status, cause.reason)
                return
            finally:
                self._waiting, self._ending = False, None
            if self._early:
                yield self._ended(began, "interrupted", f"Interrupted. {KEPT}")
                return
            if self._lost:
                yield Note(f"{self._lost}: the variables of earlier runs are gone.")
                self._lost = ""
            self._runs += 1
            self._used = True
            run = Run(life, self._runs)
            async with aclosing(run.outputs(offline(code, files))) as outputs:
                async for output in outputs:
                    yield output
            if run.status == "output" and self._flooded:
                # What an earlier run started goes on printing, and no interrupt reaches it.
                run.lost()
            self._flooded = life.alive and (self._flooded or run.status == "output")
            if not life.alive:
                await self._bury()
        yield self._ended(began, run.status, run.reason)

    @asynccontextmanager
    async def _awaited_turn(self) -> AsyncGenerator[None, None]:
        """The turn of a run; who starts the kernel ahead of it may hold the turn for seconds."""
        self._waiting, self._early = True, False
        try:
            async with self._turn:
                yield
        finally:
            self._waiting = False

    def interrupt(self) -> None:
        """Stop the run that is running, gently: variables are kept where it heeds that."""
        self._early = self._waiting
        if self._life:
            self._life.stop(Cause("interrupted", "Interrupted"))

    async def restart(self) -> None:
        """End everything, a run that is running too, and start afresh."""
        self._end(Cause("interrupted", "The kernel was restarted"))
        self._lost = ""
        async with self._turn:
            await self._bury()
        await self.start()

    async def attach(self, path: Path) -> None:
        """Let the code read a file, by its name; the kernel is started anew, without its variables.

        Raises `UsageError` for what cannot be attached.
        """
        attached = (*self._attached, path) if path not in self._attached else self._attached
        for one in names(attached).values():
            os.close(open_file(one, self.limits.attached)[0])
        async with self._turn:
            self._attached = attached
            if self.alive and self._used:
                self._lost = f"The kernel was started anew to attach `{path.name}`"
            await self._bury()

    async def fetch(self, name: str) -> bytes:
        """A file that the code wrote, by the name it was told under; raises `NotServed`."""
        async with self._turn:
            if not self._life or not self._life.alive:
                raise NotServed(
                    f"`{name}` is gone with the kernel that held it", "run the code again"
                )
            return await self._served(self._life, name, self._life.ask("fetch", name))

    async def aclose(self) -> None:
        """End everything; a run that is running ends with it."""
        self._end(Cause("died", "The kernel was closed"))
        async with self._turn:
            await self._bury()

    def _end(self, cause: Cause) -> None:
        """End the life there is, and a run that waits for it."""
        if self._waiting:
            self._ending = replace(cause, reason=f"{cause.reason}. {GONE}")
        if self._life:
            self._life.kill(cause)

    async def _living(self) -> Life:
        """The life that keeps variables, begun where there is none; raises `NotStarted`."""
        if self._life and not self._life.alive:
            # It ended between two runs, and nobody has been told.
            cause = self._life.cause
            why = cause.reason if cause else f"The kernel ended: {await self._life.ended()}"
            self._lost = self._lost or (why if self._used else "")
            await self._bury()
        if self._life is None:
            self._used = False
            self._life = Life(self._jail(), strict=self._strict)
            try:
                await self._life.ready()
            except BaseException:
                await self._bury()
                raise
        return self._life

    async def _bury(self) -> None:
        life, self._life = self._life, None
        if life:
            await life.aclose()

    def _jail(self) -> Jail:
        mounts = ((GUEST, SEEN),)
        return self.verdict.jail(limits=self.limits, mounts=mounts, attached=self._attached)

    async def _put(self, life: Life, download: Download) -> None:
        """Give the code a file, which it can read only; raises `NotServed`."""
        await self._served(life, download.name, self._told(life, download))

    async def _told(self, life: Life, download: Download) -> None:
        await life.ask("open", download.name)
        for start in range(0, len(download.data), CHUNK.most):
            await life.ask("put", download.data[start : start + CHUNK.most])
        await life.ask("close")

    async def _served(self, life: Life, name: str, asked: Awaitable[None]) -> bytes:
        """The bytes the runner answers with to what is `asked`."""
        data = bytearray()
        try:
            async with asyncio.timeout(PATIENCE), aclosing(life.listen()) as listened:
                await asked
                async for heard, _ in listened:
                    if isinstance(heard, Chunk):
                        data += heard.data
                        if len(data) > self.limits.fetched:
                            raise Violation("it sends more of a file than it may")
                    elif isinstance(heard, Served) and not heard.problem:
                        return bytes(data)
                    elif isinstance(heard, Served):
                        raise NotServed(f"`{name}` cannot be had: {heard.problem}")
            raise Violation("the kernel ended")
        except (TimeoutError, Violation) as error:
            why = str(error) or f"no answer within {PATIENCE:g} s"
            life.kill(Cause("died", f"Protocol violation: {why}"))
            raise NotServed(f"`{name}` cannot be had: {why}") from error

    def _ended(self, began: float, status: Status, reason: str) -> Ended:
        return Ended(status, self.verdict.level, time.monotonic() - began, reason)
