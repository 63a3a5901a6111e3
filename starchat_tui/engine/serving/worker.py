"""Worker thread that owns the device: a bounded queue of jobs, cancellation and counters.

Nothing behind it has a lock: the models, their caches and the memory of the device belong to one
thread, on which the requests that run take turns.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from starchat_tui.client.protocol import Delta, ModelCard
from starchat_tui.config.settings import QuantizationChoice
from starchat_tui.engine.serving.job import LOG_HINT, Job, format_reason
from starchat_tui.errors import Busy, EngineGone, StarChatError, Unavailable

if TYPE_CHECKING:
    from starchat_tui.engine.serving.model_pool import ModelPool
    from starchat_tui.engine.serving.scheduler import Scheduler

_RETRY_HINT = "ask again to start a new one"


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """Options of an engine, fixed for its lifetime."""

    device: str = "auto"
    quantize: QuantizationChoice = "none"
    cache_dir: Path = Path()
    """Directory for prefixes and converted tokenizers."""
    queue_capacity: int = 64
    """Number of jobs that may wait."""
    running_capacity: int = 8
    """Number of requests that may run at the same time."""


class Worker:
    """Queue of jobs and the thread that runs them."""

    def __init__(self, options: EngineOptions) -> None:
        self.options = options
        self._waiting: deque[Job] = deque()
        # Guards the queue, the active jobs and the flags that decide whether a job is accepted.
        self._changed = threading.Condition()
        self._active: list[Job] = []
        """Jobs that were started and have not ended."""
        self._pool: ModelPool | None = None
        self._scheduler: Scheduler | None = None
        self._thread = threading.Thread(target=self._run, name="device", daemon=True)
        self._last_use = time.monotonic()
        self._refusal: StarChatError | None = None
        """Reason why no job is accepted any more."""
        # Written under the lock or by the worker thread; read without, for the health report.
        self.is_stopping = False
        self.finished_jobs = 0

    def start(self) -> None:
        """Start the thread; it imports torch before the first job."""
        self._thread.start()

    def submit(self, job: Job) -> None:
        """Queue a job.

        Raises `Busy` if the queue is full, and `Unavailable` or `EngineGone` if no job is accepted.
        """
        with self._changed:
            if self._refusal is not None:
                raise self._refusal
            if self.is_stopping:
                raise Unavailable("The engine is shutting down", _RETRY_HINT)
            if len(self._waiting) >= self.options.queue_capacity:
                raise Busy(f"{len(self._waiting)} requests are waiting already", "try again later")
            self._waiting.append(job)
            if self._pool is None:
                job.report_progress("importing")
            self._report_positions()
            self._changed.notify_all()

    def cancel(self, job: Job) -> None:
        """End a job: at once if it waits, else at its next token or prefill chunk."""
        # Before the lock is taken: if the thread takes the job meanwhile, it sees the flag before
        # its first chunk.
        job.cancelled.set()
        with self._changed:
            if job in self._waiting:
                self._waiting.remove(job)
                job.emit(Delta(finish_reason="cancelled"))
                self._report_positions()

    def shutdown(self) -> None:
        """Accept no more jobs and end the present ones; the thread ends after them."""
        error = Unavailable("The engine was asked to shut down", _RETRY_HINT)
        with self._changed:
            self.is_stopping = True
            self._fail_jobs(error)
            self._changed.notify_all()

    def _end_jobs(self, error: StarChatError) -> None:
        """Emit an error to the present jobs, which nobody runs; called with the lock held."""
        for job in (*self._waiting, *self._active):
            job.emit(error)
        self._waiting.clear()
        self._active.clear()

    def _fail_jobs(self, error: StarChatError) -> None:
        """End the present jobs; called with the lock held."""
        for job in (*self._waiting, *self._active):
            job.cancelled.set()
            if not job.is_generating:
                # It may be in an import or a load, which nothing interrupts: its client gets the
                # error now, and ignores the event that still follows. A job that generates ends
                # by itself, as cancelled.
                job.emit(error)
        self._waiting.clear()

    def join(self, timeout: float) -> None:
        """Wait at most `timeout` seconds for the thread to end."""
        self._thread.join(timeout)

    @property
    def is_alive(self) -> bool:
        """True while the thread runs; it ends early only by an unforeseen error."""
        return self._thread.is_alive()

    @property
    def state(self) -> str:
        """State of the engine: `starting`, `idle`, `busy` or `stopping`."""
        if self.is_stopping:
            return "stopping"
        if self._pool is None:
            return "starting"
        return "busy" if self.is_busy else "idle"

    @property
    def is_busy(self) -> bool:
        """True while a job runs or waits."""
        return bool(self._active or self._waiting)

    @property
    def queue_length(self) -> int:
        """Number of waiting jobs."""
        return len(self._waiting)

    @property
    def prefilled_tokens(self) -> int:
        """Prompt tokens computed since the start."""
        return self._scheduler.prefilled_tokens if self._scheduler else 0

    @property
    def generated_tokens(self) -> int:
        """Tokens sampled since the start."""
        return self._scheduler.generated_tokens if self._scheduler else 0

    @property
    def idle_seconds(self) -> float:
        """Seconds since the last job ended; 0 while one runs or waits."""
        return 0.0 if self.is_busy else time.monotonic() - self._last_use

    @property
    def cards(self) -> tuple[ModelCard, ...]:
        """Cards of the loaded models."""
        return self._pool.cards if self._pool else ()

    def _report_positions(self) -> None:
        """Report to each waiting job its position, 1 being the next; called with the lock held."""
        # Without active jobs the first in the queue is about to start, and does not wait.
        ahead = 1 if self._active else 0
        for position, job in enumerate(self._waiting, ahead):
            if position:
                job.report_progress("queued", position, len(self._waiting) + ahead - 1)

    def _run(self) -> None:
        try:
            self._import_torch()
        except Exception as error:
            self._refuse_all_jobs(error)
            raise
        try:
            while self._wait_for_work():
                self._start_next_job()
                self._run_turn()
        finally:
            # None are left, unless something has ended the thread that is no error of a job.
            with self._changed:
                self._end_jobs(EngineGone("The engine failed", LOG_HINT))

    def _import_torch(self) -> None:
        # In this thread, so that the server answers meanwhile: the import takes seconds.
        from starchat_tui.engine.serving.model_pool import ModelPool
        from starchat_tui.engine.serving.scheduler import Scheduler

        options = self.options
        pool = ModelPool(
            device=options.device, quantize=options.quantize, cache_dir=options.cache_dir
        )
        self._scheduler = Scheduler(pool, device=options.device, capacity=options.running_capacity)
        # Last: from then on the engine has started.
        self._pool = pool

    def _refuse_all_jobs(self, error: Exception) -> None:
        """Fail the present jobs and every later one: torch cannot be imported."""
        refusal = EngineGone(
            f"torch cannot be used ({type(error).__name__}: {format_reason(error)})",
            "reinstall it: `pip install --force-reinstall torch`; `starchat doctor` checks it",
        )
        with self._changed:
            self._refusal = refusal
            self._fail_jobs(refusal)

    def _wait_for_work(self) -> bool:
        """Wait until a job waits or runs; false once the engine is shutting down and none does."""
        with self._changed:
            while not self.is_busy and not self.is_stopping:
                self._changed.wait()
            return self.is_busy

    def _start_next_job(self) -> None:
        """Start the first waiting job, if it may run beside those that do.

        One for each turn, so that requests in quick succession do not hold up those that run.
        """
        assert self._scheduler is not None
        with self._changed:
            job = self._waiting[0] if self._waiting else None
        # Without the lock, which a `submit` of the server's loop may be waiting for.
        if job is None or not self._scheduler.can_start(job):
            return
        with self._changed:
            # It may have been cancelled meanwhile.
            if job not in self._waiting:
                return
            self._waiting.remove(job)
            self._active.append(job)
            self._report_positions()
        if self._scheduler.start(job):
            self._finish_job(job)

    def _run_turn(self) -> None:
        """Let one of the running requests compute a token or a prefill chunk."""
        assert self._scheduler is not None
        if not self._scheduler.is_idle and (job := self._scheduler.run_turn()):
            self._finish_job(job)
        if self._scheduler.is_device_broken and not self.is_stopping:
            self.shutdown()

    def _finish_job(self, job: Job) -> None:
        with self._changed:
            self._active.remove(job)
            self._last_use = time.monotonic()
            self.finished_jobs += 1
