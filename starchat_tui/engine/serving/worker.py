"""Worker thread that owns the device: a bounded queue of jobs, cancellation and counters.

Nothing behind it has a lock: the models, their caches and the memory of the device belong to one
thread, which runs one job at a time.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from starchat_tui.client.protocol import Delta, ModelCard, Progress, Request
from starchat_tui.config.settings import Quantization
from starchat_tui.errors import Busy, EngineGone, StarChatError, Unavailable

if TYPE_CHECKING:
    from starchat_tui.engine.serving.model_pool import ModelPool

Event: TypeAlias = Progress | Delta | ModelCard | StarChatError
"""Event of a job. The last one is a delta with a finish reason, a card (of a load) or an error."""

_RETRY_HINT = "ask again to start a new one"
_LOG_HINT = "the engine's log says more (`starchat ps` names it); ask again"


@dataclass(eq=False, slots=True)
class Job:
    """Completion of a request or, without a request, the loading of a model."""

    model: str
    emit: Callable[[Event], None]
    """Receives the events, from any thread and with the queue's lock held: it must not block."""
    request: Request | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)
    submitted_at: float = field(default_factory=time.monotonic)
    """Time of the monotonic clock, in seconds."""
    is_generating: bool = False
    """True once its model is loaded: from then on it ends at the next token or prefill chunk."""

    def report_progress(self, stage: str, done: int = 0, total: int = 0) -> None:
        """Emit progress: `done` of `total` units of a stage."""
        self.emit(Progress(stage, done, total))


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """Options of an engine, fixed for its lifetime."""

    device: str = "auto"
    quantize: Quantization = "none"
    cache_dir: Path = Path()
    """Directory for prefixes and converted tokenizers."""
    queue_capacity: int = 16
    """Number of jobs that may wait."""


class Worker:
    """Queue of jobs and the thread that runs them."""

    def __init__(self, options: EngineOptions) -> None:
        self.options = options
        self._waiting: deque[Job] = deque()
        # Guards the queue, the active job and the flags that decide whether a job is accepted.
        self._changed = threading.Condition()
        self._active: Job | None = None
        self._pool: ModelPool | None = None
        self._thread = threading.Thread(target=self._run, name="device", daemon=True)
        self._last_use = time.monotonic()
        self._refusal: StarChatError | None = None
        """Reason why no job is accepted any more."""
        # Written under the lock or by the worker thread; read without, for the health report.
        self.is_stopping = False
        self.finished_jobs = 0
        self.prefilled_tokens = 0
        """Prompt tokens computed since the start."""
        self.generated_tokens = 0
        """Tokens sampled since the start."""

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

    def _fail_jobs(self, error: StarChatError) -> None:
        """End the present jobs; called with the lock held."""
        for job in [*self._waiting, *([self._active] if self._active else [])]:
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
        return self._active is not None or bool(self._waiting)

    @property
    def queue_length(self) -> int:
        """Number of waiting jobs."""
        return len(self._waiting)

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
        # Without an active job the first in the queue is about to start, and does not wait.
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
        while job := self._take_job():
            try:
                self._process_job(job)
            finally:
                with self._changed:
                    self._active = None
                    self._last_use = time.monotonic()
                    self.finished_jobs += 1

    def _import_torch(self) -> None:
        # In this thread, so that the server answers meanwhile: the import takes seconds.
        from starchat_tui.engine.serving.model_pool import ModelPool

        self._pool = ModelPool(
            device=self.options.device,
            quantize=self.options.quantize,
            cache_dir=self.options.cache_dir,
        )

    def _refuse_all_jobs(self, error: Exception) -> None:
        """Fail the present jobs and every later one: torch cannot be imported."""
        refusal = EngineGone(
            f"torch cannot be used ({type(error).__name__}: {_join_lines(error)})",
            "reinstall it: `pip install --force-reinstall torch`; `starchat doctor` checks it",
        )
        with self._changed:
            self._refusal = refusal
            self._fail_jobs(refusal)

    def _take_job(self) -> Job | None:
        """Wait for the next job and make it active; None once the engine is shutting down."""
        with self._changed:
            while not self._waiting and not self.is_stopping:
                self._changed.wait()
            if not self._waiting:
                return None
            self._active = self._waiting.popleft()
            self._report_positions()
            return self._active

    def _process_job(self, job: Job) -> None:
        """Run one job and emit its last event, however it ends."""
        # Emitted if something ends the thread that is no `Exception`.
        last: Event = EngineGone("The engine failed", _LOG_HINT)
        try:
            last = self._execute_job(job)
        except StarChatError as error:
            last = error
        except (RuntimeError, MemoryError) as error:
            last = self._translate_error(error)
        # A defect in the code of one model must not take down the others.
        except Exception as error:
            logging.getLogger(__name__).exception("The model failed", exc_info=error)
            last = StarChatError(
                f"The model failed ({type(error).__name__}: {_join_lines(error)})", _LOG_HINT
            )
        finally:
            job.emit(last)

    def _execute_job(self, job: Job) -> Event:
        """Load the model and generate; return the last event."""
        from starchat_tui.engine.serving.completion import Completion

        assert self._pool is not None
        queued = time.monotonic() - job.submitted_at
        loaded = self._pool.get_model(job.model, job.report_progress)
        if job.request is None:
            return next(card for card in self._pool.cards if card.name == job.model)
        job.is_generating = True
        completion = Completion(loaded, job.request, keep_going=lambda: not job.cancelled.is_set())
        try:
            return completion.run(job.emit, queued=queued)
        finally:
            # What a failed completion computed counts as well.
            self.prefilled_tokens += completion.prefilled_tokens
            self.generated_tokens += completion.completion_tokens

    def _translate_error(self, error: Exception) -> StarChatError:
        """Return an error of torch as one of ours; free memory, or shut down a broken device."""
        from starchat_tui.engine.models.device import choose_device
        from starchat_tui.engine.models.load_errors import (
            create_out_of_memory_error,
            is_out_of_memory,
        )

        assert self._pool is not None
        if is_out_of_memory(error):
            self._pool.clear_prefix_caches()
            return create_out_of_memory_error(choose_device(self.options.device))
        if "CUDA error" in str(error):
            # After a device-side assertion every call fails until the process ends.
            self.shutdown()
        return StarChatError(f"The model failed: {_join_lines(error)}", _LOG_HINT)


def _join_lines(error: Exception) -> str:
    """Return the message of an error on one line, at most 300 characters."""
    return " ".join(str(error).split())[:300]
