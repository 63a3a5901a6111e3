"""One run in a kernel: streams its outputs, applies the limits of a run, records its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

from starchat_tui.config.byte_units import GIB, MIB
from starchat_tui.sandbox.guest.grid_rendering import GridSize
from starchat_tui.sandbox.host.frames import Frame, ProtocolViolation, RunDone, RunStarted
from starchat_tui.sandbox.host.kernel_process import KernelProcess
from starchat_tui.sandbox.outputs import (
    Failure,
    Figure,
    GridPicture,
    Note,
    Output,
    OutputCleared,
    Result,
    RunStatus,
    StreamText,
    WrittenFile,
)
from starchat_tui.sandbox.run_state import RunControl, RunState, StopReason

BEGIN_TIMEOUT = 60.0
"""Seconds a runner may take to begin a run; the time limit of the run starts only then."""
MAX_WRITTEN_FILES = 1000
"""Files that one run may report; an honest runner reports far fewer."""
MAX_NOTES = 50
"""Notes of one run that are passed on; its code can write any number of them."""
MAX_GRIDS = 4
"""Grids of cells for which one figure may be drawn."""
_OUTPUTS = (StreamText, Result, Figure, OutputCleared, Failure, WrittenFile, Note)


class KernelRun:
    """One numbered run in a live kernel.

    `status`, `reason` and `variables_kept` are valid once `stream_outputs` has ended; they have
    the meaning of the fields of `RunEnded`.
    """

    def __init__(
        self,
        process: KernelProcess,
        number: int,
        control: RunControl,
        grids: Sequence[GridSize] = (),
    ) -> None:
        self._process = process
        self._number = number
        self._control = control
        self._grid_sizes = ";".join(" ".join(map(str, size)) for size in grids)
        self._grids: list[GridPicture] = []
        """Pictures for grids of cells that belong to the next figure."""
        self._is_over = False
        self._bytes_received = 0
        self._figure_keys: list[int] = []
        """Keys of the figures that are shown; 0 for each that is never replaced."""
        self._written_files = 0
        self._notes = self._hints = 0
        self._timer: asyncio.TimerHandle | None = None
        self.status: RunStatus = "died"
        self.reason = ""
        self.variables_kept: bool | None = None

    async def stream_outputs(self, code: str) -> AsyncGenerator[Output, None]:
        """Run `code` and yield its outputs, without the end; closing it early ends the kernel."""
        try:
            with self._process.control_run(self._control):
                text = f"The kernel did not begin the run within {BEGIN_TIMEOUT:g} s"
                self._set_timer(BEGIN_TIMEOUT, StopReason("died", text), kill=True)
                await self._process.send("run", self._number, code, self._grid_sizes)
                async with aclosing(self._process.receive()) as frames:
                    async for frame, size in frames:
                        if isinstance(frame, RunDone):
                            self._record_end(frame.status)
                            return
                        if output := self._accept_frame(frame, size):
                            yield output
                await self._record_exit()
        except ProtocolViolation as error:
            self._process.kill(StopReason("died", f"Protocol violation: {error}"))
            await self._record_exit()
        finally:
            if self._timer:
                self._timer.cancel()
            if not self._is_over:
                # The caller closed this generator. Nobody would read the pipe any more, and the
                # code, which knows nothing of it, would hang in its next write for ever.
                self._process.kill(StopReason("died", "Its output was no longer read"))

    def _set_timer(self, seconds: float, reason: StopReason, *, kill: bool = False) -> None:
        if self._timer:
            self._timer.cancel()
        act = self._process.kill if kill else self._control.request_stop
        self._timer = asyncio.get_running_loop().call_later(seconds, act, reason)

    def _accept_frame(self, frame: Frame, size: int) -> Output | None:
        """Return the output in a frame of `size` bytes; raise `ProtocolViolation` if misplaced."""
        if isinstance(frame, RunStarted):
            # Code can write frames of its own, also a second beginning: it would reset the clock.
            if self._control.state is not RunState.STARTING or frame.run != self._number:
                raise ProtocolViolation("the beginning of another run")
            self._begin()
            return None
        if not isinstance(frame, (*_OUTPUTS, GridPicture)):
            raise ProtocolViolation("a reply to no request")
        if self._control.state is RunState.STARTING:
            # Forged by a thread of an earlier run; the runner itself sends nothing between two.
            return None
        if not isinstance(frame, GridPicture):
            return self._count_output(frame, size)
        self._bytes_received += size
        self._grids.append(frame)
        if len(self._grids) > MAX_GRIDS:
            raise ProtocolViolation("more grids than one figure may have")
        return None

    def _begin(self) -> None:
        seconds = self._process.spec.limits.timeout
        self._set_timer(seconds, StopReason("timeout", f"Stopped after {seconds:g} s"))
        self._process.begin_run()

    def _count_output(self, output: Output, size: int) -> Output | None:
        """Return the output unless the run has sent more than it may."""
        limits = self._process.spec.limits
        self._bytes_received += size
        self._count_figure(output)
        if isinstance(output, Figure):
            output, self._grids = replace(output, grids=tuple(self._grids)), []
        self._written_files += isinstance(output, WrittenFile)
        # The runner counts these itself: more of them can only come from forged frames.
        if len(self._figure_keys) > limits.figures or self._written_files > MAX_WRITTEN_FILES:
            raise ProtocolViolation("more pictures or files than a run may show")
        if self._bytes_received > limits.output:
            text = f"Stopped after {limits.output / MIB:g} MB of output"
            self._control.request_stop(StopReason("output", text))
            # Go on reading and drop it: a writer that waits for the pipe gets no interrupt.
            return None
        return None if isinstance(output, Note) and self._has_too_many_notes(output) else output

    def _has_too_many_notes(self, note: Note) -> bool:
        """Count a note, and return whether it is one too many; a run has one hint at most."""
        if note.is_hint:
            self._hints += 1
            return self._hints > 1
        self._notes += 1
        return self._notes > MAX_NOTES

    def _count_figure(self, output: Output) -> None:
        """Count the figures that are shown: one that replaces another is no further one."""
        if isinstance(output, OutputCleared):
            self._figure_keys.clear()
        elif isinstance(output, Figure) and not (output.key and output.key in self._figure_keys):
            self._figure_keys.append(output.key)

    def _record_end(self, status: RunStatus) -> None:
        """Record the end that the runner reports; the host's own reason to stop comes first."""
        if self._control.state is RunState.STARTING:
            raise ProtocolViolation("an end before the beginning")
        self._is_over = True
        reason = self._control.stop_reason
        if reason:
            self.status, self.reason, self.variables_kept = reason.status, reason.text, True
            return
        self.status = status
        if status == "memory":
            memory = self._process.spec.limits.memory / GIB
            self.reason = f"The code asked for more than {memory:.3g} GB of memory"
            self.variables_kept = True
        elif status == "interrupted":
            self.reason, self.variables_kept = "Interrupted", True

    def end_kernel(self) -> None:
        """End the kernel after the run, and report its variables as gone."""
        self._process.kill()
        self.variables_kept = False

    async def _record_exit(self) -> None:
        """Record that the kernel ended with the run."""
        self._is_over = True
        exit_text = await self._process.wait_for_exit()
        reason = self._control.stop_reason or self._process.exit_reason
        reason = reason or StopReason("died", f"The kernel ended: {exit_text}")
        self.status, self.reason, self.variables_kept = reason.status, reason.text, False
