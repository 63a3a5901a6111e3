"""One runner's life: started behind the wall, watched, interrupted, ended."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from starchat_tui.sandbox.guest.frame_protocol import Value
from starchat_tui.sandbox.host import watchdog
from starchat_tui.sandbox.host.channel import Channel
from starchat_tui.sandbox.host.frames import Heard, Ready, Violation
from starchat_tui.sandbox.isolation.bubblewrap import Jail
from starchat_tui.sandbox.isolation.launcher import start
from starchat_tui.sandbox.outputs import Status

GUEST = Path(__file__).parent.parent / "guest"
"""What runs behind the wall."""
SEEN = "/run/guest"
"""Where it is found there."""
PATIENCE = 60.0
"""Seconds a runner may take until it can take code."""
_BEGINS = 10.0
"""Seconds a runner may take to begin a run that is to be stopped: it may be importing."""
_FAREWELL = 2.0
"""Seconds between hanging up and the end, for one who ends by itself."""
_LAST_WORDS = 4096
"""Bytes of what a runner that did not start wrote to stderr."""


class NotStarted(Exception):
    """The runner did not come up; the text is what it said."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a run, or a life, was ended from here."""

    status: Status
    reason: str
    """A sentence without a full stop."""


class Life:
    """A runner from its start to its end; what it says is heard through `listen`.

    The process that starts it must stay: the wall falls with the thread that put it up.
    """

    def __init__(self, jail: Jail, *, strict: bool = False, warm: bool = True) -> None:
        self.jail = jail
        self.cause: Cause | None = None
        """Why it was stopped, if it was: the first reason counts."""
        self.asked = False
        """Whether there is a run, begun or not."""
        self.running = False
        """Whether a run has begun and not ended."""
        self._dead = False
        self._channel = Channel()
        try:
            fds = (self._channel.commands, self._channel.frames)
            self._started = start(self.jail, self._command(strict, warm), pass_fds=fds)
        except BaseException:
            self._channel.close()
            raise
        self._grace: tuple[asyncio.TimerHandle, ...] = ()
        self._guard: asyncio.Task[None] | None = None

    def _command(self, strict: bool, warm: bool) -> Sequence[str]:
        setup = {
            "resources": dict(self.jail.resources()),
            "commands": self._channel.commands,
            "frames": self._channel.frames,
            "figures": self.jail.limits.figures,
            "fetched": self.jail.limits.fetched,
            "strict": strict,
            "warm": warm,
        }
        return [str(self.jail.python), "-I", f"{self.jail.at(SEEN)}/runner.py", json.dumps(setup)]

    async def ready(self) -> None:
        """Return when it can take code; raises `NotStarted`, and it is ended."""
        try:
            await self._channel.open()
            async with asyncio.timeout(PATIENCE):
                heard = await anext(self._channel.listen(), None)
            if heard is None or not isinstance(heard[0], Ready):
                raise Violation("it did not begin as it should")
        except (TimeoutError, Violation) as error:
            self.kill(Cause("died", "it did not start"))
            raise NotStarted(self._last_words() or str(error)) from error
        self._guard = asyncio.create_task(self._watch())

    @property
    def alive(self) -> bool:
        """Whether it can take another run."""
        return not self._dead and self._started.process.poll() is None

    def listen(self) -> AsyncGenerator[tuple[Heard, int], None]:
        """What it says, each with its size in bytes; raises `Violation`."""
        return self._channel.listen()

    async def ask(self, name: str, *values: Value) -> None:
        """Give it a command."""
        await self._channel.ask(name, *values)

    def begun(self) -> None:
        """It has begun the run: from now on an interrupt reaches the code."""
        self.running = True
        if self.cause:
            self._interrupt()

    def done(self) -> Cause | None:
        """The run ended by itself, or heeded an interrupt; why it was interrupted."""
        self.running = self.asked = False
        self._forgive()
        cause, self.cause = self.cause, None
        return cause

    def stop(self, cause: Cause) -> None:
        """Interrupt the code; where it does not heed that, end everything after the grace."""
        if self.asked and self.cause is None:
            self.cause = cause
            if self.running:
                self._interrupt()
            else:
                # What earlier runs left can keep the runner from ever beginning this one.
                patience = max(_BEGINS, self.jail.limits.grace)
                self._grace = (asyncio.get_running_loop().call_later(patience, self.kill),)

    def _forgive(self) -> None:
        for timer in self._grace:
            timer.cancel()

    def _interrupt(self) -> None:
        self._forgive()
        self._started.interrupt()
        # Once more: Python loses an exception that is raised where none can be, in a finalizer.
        loop, grace = asyncio.get_running_loop(), self.jail.limits.grace
        again = loop.call_later(grace / 2, self._started.interrupt)
        self._grace = (again, loop.call_later(grace, self.kill))

    def kill(self, cause: Cause | None = None) -> None:
        """End everything behind the wall at once."""
        self._dead = True
        self.cause = self.cause or cause
        self._started.kill()
        self._channel.hang_up()

    async def ended(self) -> str:
        """How the process ended that hung up, in words; one that did not is ended now."""
        end = time.monotonic() + _FAREWELL
        while (code := self._started.process.poll()) is None and time.monotonic() < end:
            await asyncio.sleep(0.01)
        self.kill()
        if code is None:
            return "it hung up"
        # The wall ends as what it held did: a signal is 128 and its number.
        number = -code if code < 0 else code - 128
        with suppress(ValueError):
            return f"signal {signal.Signals(number).name}"
        return f"exit code {code}"

    def _last_words(self) -> str:
        """The end of what it wrote to stderr, as far as it has come."""
        stderr = self._started.process.stderr
        if stderr is None:
            return ""
        os.set_blocking(stderr.fileno(), False)
        said = stderr.read(_LAST_WORDS * 16) or b""
        return said[-_LAST_WORDS:].decode("utf-8", "replace").strip()

    async def _watch(self) -> None:
        """Look at what it uses, again and again; what cannot be looked at is ended."""
        try:
            await self._look()
        except Exception as error:  # noqa: BLE001
            self.kill(Cause("died", f"What the code uses could not be counted: {error!r}"))
        self._channel.hang_up()

    async def _look(self) -> None:
        """Look until it has ended; end it where it uses too much."""
        limits = self.jail.limits
        computed, gone = 0.0, 0
        while gone < 2:
            await asyncio.sleep(watchdog.EVERY if self.running else watchdog.IDLE)
            if self._started.process.poll() is not None:
                # Not at once: what it said last may still be on its way.
                gone += 1
                continue
            pids, folders = self._started.members(), self._started.folders()
            use = await asyncio.to_thread(watchdog.look, pids, folders, limits.memory)
            if reason := watchdog.excess(use, limits):
                self.kill(Cause("memory", reason))
            if self.running:
                computed = use.cpu
            elif use.cpu - computed > watchdog.LEFT_BEHIND:
                reason = f"What a run left behind computed for more than {watchdog.LEFT_BEHIND:g} s"
                self.kill(Cause("timeout", reason))

    async def aclose(self) -> None:
        """End it and give everything back."""
        self.kill(Cause("died", "closed"))
        if self._guard:
            self._guard.cancel()
            with suppress(asyncio.CancelledError):
                await self._guard
        self._forgive()
        self._channel.close()
        await asyncio.to_thread(self._started.close)
