"""Process of one kernel: started in the sandbox, watched, interrupted and ended."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from starchat_tui.sandbox.guest.frame_protocol import Value
from starchat_tui.sandbox.host import watchdog
from starchat_tui.sandbox.host.channel import Channel
from starchat_tui.sandbox.host.frames import Frame, ProtocolViolation, Ready
from starchat_tui.sandbox.isolation.bubblewrap import SandboxSpec
from starchat_tui.sandbox.isolation.launcher import start_sandbox
from starchat_tui.sandbox.run_state import RunControl, RunState, StopReason

GUEST = Path(__file__).parent.parent / "guest"
"""Folder of the runner, the part of StarChat that runs in the sandbox."""
GUEST_MOUNT = "/run/guest"
"""Path of that folder in the sandbox."""
START_TIMEOUT = 60.0
"""Seconds until the runner must be ready for code."""
BEGIN_TIMEOUT = 10.0
"""Seconds a runner may take to begin a run that is to be stopped: it may still be importing."""
_EXIT_TIMEOUT = 2.0
"""Seconds between the end of the frames and the exit of a process that ends by itself."""
_STDERR_TAIL = 4096
"""Bytes of stderr that explain a failed start."""


class KernelStartError(Exception):
    """The runner did not become ready; the text is the end of its stderr."""


class KernelProcess:
    """A runner from its start to its exit; `receive` yields what it sends.

    The thread that creates it must live as long as the kernel: the sandbox dies with that thread
    (PR_SET_PDEATHSIG counts the parent's thread, not its process).
    """

    def __init__(
        self,
        spec: SandboxSpec,
        *,
        strict: bool = False,
        script: Sequence[str] = (),
        stdin: int = -1,
        warm: bool = True,
    ) -> None:
        self.spec = spec
        self.exit_reason: StopReason | None = None
        """Reason for which the host ended the process; None if it did not. The first one counts."""
        self._control: RunControl | None = None
        """Present run, whether its code has begun or not."""
        self._killed = False
        self._channel = Channel()
        try:
            fds = [self._channel.commands_fd, self._channel.frames_fd]
            setup = {"strict": strict, "script": list(script), "stdin": stdin, "warm": warm}
            self._sandbox = start_sandbox(
                self.spec,
                self._build_command(setup),
                pass_fds=fds if stdin < 0 else [*fds, stdin],
            )
        except BaseException:
            self._channel.close()
            raise
        self._timers: tuple[asyncio.TimerHandle, ...] = ()
        self._watchdog: asyncio.Task[None] | None = None

    def _build_command(self, wanted: Mapping[str, object]) -> Sequence[str]:
        setup = {
            "resources": dict(self.spec.build_rlimits()),
            "commands": self._channel.commands_fd,
            "frames": self._channel.frames_fd,
            "figures": self.spec.limits.figures,
            "fetched": self.spec.limits.fetched,
            **wanted,
        }
        runner = f"{self.spec.resolve_path(GUEST_MOUNT)}/runner.py"
        # -I: neither the environment nor the folder of the code decides what is imported. -S: the
        # runner sets its limits before the packages of the environment can run code.
        return [str(self.spec.interpreter.python), "-I", "-S", runner, json.dumps(setup)]

    async def wait_until_ready(self) -> None:
        """Return once the runner takes code; raise `KernelStartError` and end it otherwise."""
        try:
            await self._channel.open()
            # Before the first frame: the environment's own packages run code at the start.
            self._watchdog = asyncio.create_task(self._watch())
            async with asyncio.timeout(START_TIMEOUT):
                received = await anext(self._channel.receive(), None)
            if received is None or not isinstance(received[0], Ready):
                raise ProtocolViolation("it did not begin as it should")
        except (TimeoutError, ProtocolViolation) as error:
            # A limit that the packages of the environment exceeded, if there is one.
            excess = self.exit_reason.text if self.exit_reason else ""
            self.kill(StopReason("died", "it did not start"))
            raise KernelStartError(excess or self._read_stderr_tail() or str(error)) from error

    @property
    def alive(self) -> bool:
        """True while the process can take another run."""
        return not self._killed and self._sandbox.process.poll() is None

    def receive(self) -> AsyncGenerator[tuple[Frame, int], None]:
        """Yield each frame with its size in bytes; raise `ProtocolViolation`."""
        return self._channel.receive()

    async def send(self, name: str, *values: Value) -> None:
        """Send the runner a command."""
        await self._channel.send(name, *values)

    @contextmanager
    def control_run(self, control: RunControl) -> Iterator[None]:
        """Let `control` stop the run that is requested within the block."""
        self._control = control
        try:
            with control.handle_stop(self._stop_run):
                yield
        finally:
            self._cancel_timers()
            self._control = None

    def begin_run(self) -> None:
        """Record that the code begins; send an interrupt that was requested before."""
        if self._control:
            self._control.mark_running()
            if self._control.state is RunState.ENDING:
                self._interrupt()

    def _stop_run(self) -> None:
        """Interrupt the code; end the process if it does not stop within the grace period."""
        if self._killed or self._control is None:
            return
        if self._control.state is RunState.ENDING:
            self._interrupt()
        else:
            # The runner ignores SIGINT until the code begins; `begin_run` sends it then. But what
            # an earlier run left behind can keep the runner from ever beginning this one.
            patience = max(BEGIN_TIMEOUT, self.spec.limits.grace)
            self._cancel_timers()
            self._timers = (asyncio.get_running_loop().call_later(patience, self.kill),)

    def _interrupt(self) -> None:
        self._cancel_timers()
        self._sandbox.interrupt()
        # Twice: Python drops a KeyboardInterrupt that is raised in a finalizer or a callback.
        loop, grace = asyncio.get_running_loop(), self.spec.limits.grace
        again = loop.call_later(grace / 2, self._sandbox.interrupt)
        self._timers = (again, loop.call_later(grace, self.kill))

    def _cancel_timers(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers = ()

    def kill(self, reason: StopReason | None = None) -> None:
        """End every process in the sandbox at once."""
        self._killed = True
        if reason is not None:
            self.exit_reason = self.exit_reason or reason
            if self._control:
                self._control.request_stop(reason)
        self._sandbox.kill()
        # A process that outlives the kill for a moment could keep the pipe open and write on.
        self._channel.stop_reading()

    async def wait_for_exit(self) -> str:
        """Return how the process ended after its last frame; end it if it still runs."""
        end = time.monotonic() + _EXIT_TIMEOUT
        while (code := self._sandbox.process.poll()) is None and time.monotonic() < end:
            await asyncio.sleep(0.01)
        self.kill()
        if code is None:
            return "it closed its pipe"
        # bubblewrap and the supervisor exit as the runner did: 128 + n stands for signal n.
        number = -code if code < 0 else code - 128
        with suppress(ValueError):
            return f"signal {signal.Signals(number).name}"
        return f"exit code {code}"

    def _read_stderr_tail(self) -> str:
        """Return the end of stderr, as far as it has arrived."""
        stderr = self._sandbox.process.stderr
        if stderr is None:
            return ""
        # Never wait: the process may be gone without having closed the pipe (a child holds it).
        os.set_blocking(stderr.fileno(), False)
        data = stderr.read(_STDERR_TAIL * 16) or b""
        return data[-_STDERR_TAIL:].decode("utf-8", "replace").strip()

    async def _watch(self) -> None:
        """Enforce the limits of all processes together until the kernel ends."""
        try:
            await self._enforce_limits()
        except Exception as error:  # noqa: BLE001
            # Fail closed: code whose use cannot be measured must not go on.
            text = f"The memory and processes of the code could not be measured: {error!r}"
            self.kill(StopReason("died", text))
        self._channel.stop_reading()

    async def _enforce_limits(self) -> None:
        """Measure again and again; end the kernel that uses too much."""
        limits = self.spec.limits
        cpu_before, polls_after_exit = 0.0, 0
        machine: watchdog.MachineMemory | None = None
        while polls_after_exit < 2:
            busy = self._control is not None and self._control.has_begun
            await asyncio.sleep(watchdog.RUN_INTERVAL if busy else watchdog.IDLE_INTERVAL)
            if self._sandbox.process.poll() is not None:
                # Not at once: its last frames may still be in the pipe.
                polls_after_exit += 1
                continue
            pids, folders = self._sandbox.list_pids(), self._sandbox.list_writable_folders()
            # In a thread: reading smaps of many processes takes up to half a second.
            use = await asyncio.to_thread(watchdog.measure_use, pids, folders, limits.memory)
            if text := watchdog.describe_excess(use, limits):
                self.kill(StopReason("memory", text))
            if not busy:
                machine = None
            elif machine is None:
                machine = await asyncio.to_thread(watchdog.MachineMemory, pids)
            elif lost := await asyncio.to_thread(machine.find_loss, pids, 2 * limits.memory):
                text = f"The machine lost {lost / 2**30:.3g} GB of memory while the code ran"
                self.kill(StopReason("memory", text))
            # The first process has the time of those that ended, which no other one shows.
            first = self._sandbox.find_first_pid()
            cpu = use.cpu + (watchdog.read_cpu_with_ended(first) if first else 0.0)
            if self._control is not None and self._control.has_begun:
                # A run has a time limit of its own; only what goes on after it is counted here.
                cpu_before = cpu
            elif cpu - cpu_before > watchdog.IDLE_CPU_LIMIT:
                limit = f"{watchdog.IDLE_CPU_LIMIT:g} s"
                text = f"Threads or processes of an ended run computed for more than {limit}"
                self.kill(StopReason("timeout", text))

    async def aclose(self) -> None:
        """End the process and release everything it held."""
        self.kill(StopReason("died", "closed"))
        if self._watchdog:
            self._watchdog.cancel()
            with suppress(asyncio.CancelledError):
                await self._watchdog
        self._cancel_timers()
        self._channel.close()
        await asyncio.to_thread(self._sandbox.close)
