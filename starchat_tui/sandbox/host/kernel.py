"""Kernel of a conversation: an IPython in the sandbox that keeps its variables between runs."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Awaitable, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from pathlib import Path

from starchat_tui.errors import StarChatError
from starchat_tui.sandbox.attachments import map_names, open_attachment
from starchat_tui.sandbox.environments.interpreter import Interpreter
from starchat_tui.sandbox.guest.frame_protocol import CHUNK
from starchat_tui.sandbox.guest.grid_rendering import GridSize
from starchat_tui.sandbox.host.downloads import Download, assign_unique_names, replace_urls
from starchat_tui.sandbox.host.frames import FileChunk, FileReply, ProtocolViolation
from starchat_tui.sandbox.host.kernel_process import (
    GUEST,
    GUEST_MOUNT,
    KernelProcess,
    KernelStartError,
)
from starchat_tui.sandbox.host.kernel_run import KernelRun
from starchat_tui.sandbox.isolation.bubblewrap import SandboxSpec
from starchat_tui.sandbox.isolation.probe import Capability
from starchat_tui.sandbox.limits import Limits
from starchat_tui.sandbox.outputs import Note, Output, RunEnded
from starchat_tui.sandbox.run_state import INTERRUPTED, RunControl, StopReason

REPLY_TIMEOUT = 20.0
"""Seconds within which the runner must have sent or taken a file."""


class FileUnavailable(StarChatError):
    """A file could not be exchanged with the code."""


class SandboxKernel:
    """Runs code, one piece at a time, in the sandbox that `capability` names.

    Nothing that the code does raises here: the outputs of a run report it. The process is started
    by the first run, or ahead of it by `start`; close the kernel with `aclose`.
    """

    def __init__(
        self,
        capability: Capability,
        *,
        limits: Limits | None = None,
        attached: Sequence[Path] = (),
        strict: bool = False,
        script: Sequence[str] = (),
        stdin: int = -1,
        interpreter: Interpreter | None = None,
    ) -> None:
        """Create the kernel.

        Args:
            capability: The sandbox.
            limits: What the code may use.
            attached: The user's files that it may read.
            strict: Provide no names that the code does not define.
            script: The `sys.argv` of a script, empty for cells.
            stdin: Descriptor that the code reads as its standard input; -1 for none.
            interpreter: The Python of an environment; by default StarChat's own.
        """
        self.capability = capability
        self.limits = limits or Limits()
        self._attached = tuple(attached)
        self._strict, self._script, self._stdin = strict, script, stdin
        self._interpreter = interpreter
        self._lock = asyncio.Lock()
        """Held for one run, one file or one restart: the pipes carry one conversation at a time."""
        self._controls: list[RunControl] = []
        """Runs that wait for the lock or hold it."""
        self._process: KernelProcess | None = None
        self._run_count = 0
        self._is_used = False
        """True if the present process has run any code."""
        self._was_flooded = False
        """True if a run of the present process was stopped for its output."""
        self._loss_reason = ""
        """Reason for the loss of earlier variables, until the next run reports it."""

    @property
    def alive(self) -> bool:
        """True while there is a process that keeps variables."""
        return self._process is not None and self._process.alive

    async def start(self) -> None:
        """Start the process ahead of the first run; that run reports a failure."""
        async with self._lock:
            if self.capability.level != "off":
                with suppress(KernelStartError, StarChatError):
                    await self._ensure_process()

    async def run(
        self,
        code: str,
        *,
        downloads: Sequence[Download] = (),
        control: RunControl | None = None,
        grids: Sequence[GridSize] = (),
    ) -> AsyncGenerator[Output, None]:
        """Run `code` and yield its outputs as they arrive.

        Closing the generator before its end ends the kernel; `interrupt` is the gentle way.

        Args:
            code: A cell of IPython.
            downloads: Files whose URLs are replaced in the code by the names of the files.
            control: The run's state; one is created if the caller has none.
            grids: Sizes of grids of cells for which figures are drawn as well.

        Yields:
            Any number of outputs, and exactly one `RunEnded` as the last.
        """
        control = control or RunControl()
        if self.capability.level == "off":
            yield RunEnded("no-sandbox", "off", 0.0, self.capability.reason)
            return
        began = time.monotonic()
        ended: RunEnded | None = None
        self._controls.append(control)
        try:
            run = self._run_locked(code, downloads, control, grids)
            async with self._lock, aclosing(run) as outputs:
                async for output in outputs:
                    if isinstance(output, RunEnded):
                        ended = output
                    else:
                        yield output
        finally:
            self._controls.remove(control)
        # After the lock is free: a caller may start the next run as soon as it sees the end.
        assert ended is not None
        yield replace(ended, seconds=time.monotonic() - began)

    async def _run_locked(
        self,
        code: str,
        downloads: Sequence[Download],
        control: RunControl,
        grids: Sequence[GridSize],
    ) -> AsyncGenerator[Output, None]:
        """Run with the lock held; the `RunEnded` at the end has no duration yet."""
        level = self.capability.level
        if control.stop_reason is None:
            try:
                process = await self._ensure_process()
                files = assign_unique_names(downloads, map_names(self._attached))
                for file in files:
                    await self._send_file(process, file)
            except (KernelStartError, StarChatError, ProtocolViolation) as error:
                if not control.closes_kernel:
                    yield RunEnded("died", level, 0.0, f"The kernel did not start: {error}")
                    return
        if reason := control.stop_reason:
            # Stopped while it waited for the lock or for the process: the code never begins.
            yield RunEnded(reason.status, level, 0.0, reason.text, not reason.closes_kernel)
            return
        if self._loss_reason:
            yield Note(f"{self._loss_reason}: the variables of earlier runs are gone.")
            self._loss_reason = ""
        # A number for each run: a frame that an earlier one left in the pipe does not match.
        self._run_count += 1
        self._is_used = True
        run = KernelRun(process, self._run_count, control, grids)
        async with aclosing(run.stream_outputs(replace_urls(code, files))) as outputs:
            async for output in outputs:
                yield output
        if run.status == "output" and self._was_flooded:
            # A thread of an earlier run goes on printing, and no interrupt reaches it: without
            # this, every further run would be stopped for output that is not its own.
            run.end_kernel()
        self._was_flooded = process.alive and (self._was_flooded or run.status == "output")
        # A process that died without this run's knowledge stays: the next run reports the loss.
        if run.variables_kept is False:
            await self._close_process()
        yield RunEnded(run.status, level, 0.0, run.reason, run.variables_kept)

    def interrupt(self) -> None:
        """Stop the runs that wait or run, gently: variables are kept if the code obeys."""
        # Also those that wait: a user who presses Esc twice wants nothing to run.
        for control in self._controls:
            control.request_stop(INTERRUPTED)

    async def restart(self) -> None:
        """End everything, also a run in progress, and start a fresh process."""
        self._stop_runs(StopReason("interrupted", "The kernel was restarted", closes_kernel=True))
        self._loss_reason = ""
        async with self._lock:
            await self._close_process()
        await self.start()

    async def attach_file(self, path: Path) -> None:
        """Let the code read a file by its name.

        Restarts the kernel without its variables, since mounts cannot change afterwards. Raises
        `UsageError` for a file that cannot be attached.
        """
        attached = (*self._attached, path) if path not in self._attached else self._attached
        # Checked before the restart: a wrong name must not cost the variables.
        for one in map_names(attached).values():
            os.close(open_attachment(one, self.limits.attached)[0])
        async with self._lock:
            self._attached = attached
            if self.alive and self._is_used:
                self._loss_reason = f"The kernel was restarted to attach `{path.name}`"
            await self._close_process()

    async def fetch_file(self, name: str) -> bytes:
        """Return a file that the code wrote, by its reported name; raise `FileUnavailable`."""
        async with self._lock:
            process = self._process
            if process is None or not process.alive:
                raise FileUnavailable(
                    f"`{name}` is gone with the kernel that held it", "run the code again"
                )
            return await self._await_reply(process, name, process.send("fetch", name))

    async def aclose(self) -> None:
        """End everything, also a run in progress."""
        self._stop_runs(StopReason("died", "The kernel was closed", closes_kernel=True))
        async with self._lock:
            await self._close_process()

    def _stop_runs(self, reason: StopReason) -> None:
        """Kill the process, and stop the runs that wait for one."""
        # The process first: it hands the reason to the run it holds, without an interrupt.
        if self._process:
            self._process.kill(reason)
        for control in self._controls:
            control.request_stop(reason)

    async def _ensure_process(self) -> KernelProcess:
        """Return the live process, started if there is none; raise `KernelStartError`."""
        if self._process and not self._process.alive:
            # It ended between two runs, so no run has reported the loss yet.
            reason = self._process.exit_reason
            text = reason.text if reason else await self._describe_exit(self._process)
            self._loss_reason = self._loss_reason or (text if self._is_used else "")
            await self._close_process()
        if self._process is None:
            self._is_used = self._was_flooded = False
            self._process = KernelProcess(
                self._create_spec(), strict=self._strict, script=self._script, stdin=self._stdin
            )
            try:
                await self._process.wait_until_ready()
            except BaseException:
                # Also when this task is cancelled: a process without an owner would live on.
                await self._close_process()
                raise
        return self._process

    async def _describe_exit(self, process: KernelProcess) -> str:
        return f"The kernel ended: {await process.wait_for_exit()}"

    async def _close_process(self) -> None:
        process, self._process = self._process, None
        if process:
            await process.aclose()

    def _create_spec(self) -> SandboxSpec:
        mounts = ((GUEST, GUEST_MOUNT),)
        return self.capability.create_spec(
            limits=self.limits,
            mounts=mounts,
            attached=self._attached,
            interpreter=self._interpreter,
        )

    async def _send_file(self, process: KernelProcess, download: Download) -> None:
        """Give the code a file that it can only read; raise `FileUnavailable`."""
        await self._await_reply(process, download.name, self._send_chunks(process, download))

    async def _send_chunks(self, process: KernelProcess, download: Download) -> None:
        await process.send("open", download.name)
        for start in range(0, len(download.data), CHUNK.max_size):
            await process.send("put", download.data[start : start + CHUNK.max_size])
        await process.send("close")

    async def _await_reply(
        self, process: KernelProcess, name: str, request: Awaitable[None]
    ) -> bytes:
        """Send a request for the file `name` and return the bytes of the reply."""
        data = bytearray()
        try:
            async with asyncio.timeout(REPLY_TIMEOUT), aclosing(process.receive()) as frames:
                await request
                async for frame, _ in frames:
                    if isinstance(frame, FileChunk):
                        data += frame.data
                        if len(data) > self.limits.fetched:
                            raise ProtocolViolation("it sends more of a file than it may")
                    elif isinstance(frame, FileReply) and not frame.problem:
                        return bytes(data)
                    elif isinstance(frame, FileReply):
                        raise FileUnavailable(f"`{name}` is not available: {frame.problem}")
            raise ProtocolViolation("the kernel ended")
        except (TimeoutError, ProtocolViolation) as error:
            # The rest of the answer may still come: the next run would take it for its own.
            text = str(error) or f"no answer within {REPLY_TIMEOUT:g} s"
            process.kill(StopReason("died", f"Protocol violation: {text}"))
            raise FileUnavailable(f"`{name}` is not available: {text}") from error
