"""State of one run, shared by every layer that the run passes through."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum

from starchat_tui.sandbox.outputs import RunStatus


class RunState(Enum):
    """Stage of a run, from the request to its end."""

    IDLE = "idle"
    """The run is over."""
    STARTING = "starting"
    """Requested: consent, downloads and the kernel come first, and no code has run yet."""
    RUNNING = "running"
    """The code runs."""
    ENDING = "ending"
    """The code has been asked to stop and still runs."""


@dataclass(frozen=True, slots=True)
class StopReason:
    """Reason for which the host, not the code, ended a run or a kernel."""

    status: RunStatus
    text: str
    """A sentence without its full stop, for the user."""
    closes_kernel: bool = False
    """True if the kernel is being closed or restarted, so no waiting run may start another."""


INTERRUPTED = StopReason("interrupted", "Interrupted")
"""The user's own request to stop."""


class RunControl:
    """Owner of a run's state, and of the first request to stop it.

    A front end creates one per run and passes it down: kernel manager, kernel, kernel process.
    A stop that is requested while the run starts is remembered in `stop_reason`. Each layer looks
    at it before it does its own part, so the code never begins. Once the code runs, the stop
    handler of the layer below interrupts it.
    """

    def __init__(self) -> None:
        self.state = RunState.STARTING
        self.stop_reason: StopReason | None = None
        """Reason for which the run was asked to stop; None if it was not."""
        self._stop_handler: Callable[[], object] | None = None

    @property
    def has_begun(self) -> bool:
        """True while the code itself runs."""
        return self.state in (RunState.RUNNING, RunState.ENDING)

    @property
    def closes_kernel(self) -> bool:
        """True if the run was stopped because its kernel is being closed or restarted."""
        return self.stop_reason is not None and self.stop_reason.closes_kernel

    def mark_running(self) -> None:
        """Record that the code begins; the stop that was requested before still holds."""
        self.state = RunState.ENDING if self.stop_reason else RunState.RUNNING

    def request_stop(self, reason: StopReason = INTERRUPTED) -> None:
        """Ask the run to stop; only the first request counts, and none after the end."""
        if self.stop_reason is not None or self.state is RunState.IDLE:
            return
        self.stop_reason = reason
        if self.state is RunState.RUNNING:
            self.state = RunState.ENDING
        if self._stop_handler is not None:
            self._stop_handler()

    @contextmanager
    def handle_stop(self, handler: Callable[[], object]) -> Iterator[None]:
        """Call `handler` when a stop is requested within the block, or was requested before it."""
        self._stop_handler = handler
        try:
            # The request may have come while the layer above prepared this one.
            if self.stop_reason is not None:
                handler()
            yield
        finally:
            self._stop_handler = None

    def finish(self) -> None:
        """Record the end of the run."""
        self.state = RunState.IDLE
