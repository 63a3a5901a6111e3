"""One thread owns the device: a bounded queue, a cancel flag per token, and what it counts."""

from __future__ import annotations

import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from starchat_tui.client.protocol import Delta, ModelCard, Progress, Request
from starchat_tui.errors import Busy, EngineGone, StarChatError, Unavailable

if TYPE_CHECKING:
    from starchat_tui.engine.serving.model_pool import Shelf

Event: TypeAlias = Progress | Delta | ModelCard | StarChatError
"""The last one is a delta with a finish reason, a card (of a load), or an error."""

_LOG = "the engine's log says more (`starchat ps` names it); ask again"


@dataclass(eq=False, slots=True)
class Job:
    """A completion, or with no request the loading of a model; any thread may call `emit`."""

    model: str
    emit: Callable[[Event], None]
    request: Request | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)
    asked: float = field(default_factory=time.monotonic)
    answering: bool = False
    """Whether its model is loaded, so that it ends at the next token or prefill chunk."""

    def report(self, stage: str, done: int = 0, total: int = 0) -> None:
        """Emit progress."""
        self.emit(Progress(stage, done, total))


@dataclass(frozen=True, slots=True)
class Choices:
    """What the user chose for this engine."""

    device: str = "auto"
    quantize: str = "none"
    cache: Path = Path()
    """Directory for files made from a model's."""
    room: int = 16
    """The most requests that wait."""


class Worker:
    """The queue and its thread."""

    def __init__(self, choices: Choices) -> None:
        self.choices = choices
        self._waiting: deque[Job] = deque()
        self._changed = threading.Condition()
        self._active: Job | None = None
        self._shelf: Shelf | None = None
        self._thread = threading.Thread(target=self._run, name="device", daemon=True)
        self._last_use = time.monotonic()
        self._gone: StarChatError | None = None
        """Why no job is taken any more."""
        self.leaving = False
        self.finished_jobs = 0
        self.prefilled = 0
        """Prompt tokens computed since the start."""
        self.generated = 0
        """Tokens drawn since the start."""

    def start(self) -> None:
        """Start the thread; it imports torch before the first job."""
        self._thread.start()

    def submit(self, job: Job) -> None:
        """Queue a job; raises `Busy` where too many wait, `Unavailable` where none is taken."""
        with self._changed:
            if self._gone is not None:
                raise self._gone
            if self.leaving:
                raise Unavailable("The engine is leaving", "ask again: a new one starts")
            if len(self._waiting) >= self.choices.room:
                raise Busy(
                    f"{len(self._waiting)} requests wait already", "try again in a little while"
                )
            self._waiting.append(job)
            if self._shelf is None:
                job.report("importing")
            self._tell_positions()
            self._changed.notify_all()

    def cancel(self, job: Job) -> None:
        """End a job: at once where it waits, else at its next token or prefill chunk."""
        job.cancelled.set()
        with self._changed:
            if job in self._waiting:
                self._waiting.remove(job)
                job.emit(Delta(finish_reason="cancelled"))
                self._tell_positions()

    def leave(self) -> None:
        """Take no more jobs and end those there are; the thread ends after them."""
        gone = Unavailable("The engine was told to leave", "ask again: a new one starts")
        with self._changed:
            self.leaving = True
            self._dismiss(gone)
            self._changed.notify_all()

    def _dismiss(self, gone: StarChatError) -> None:
        """End the jobs there are; called with the lock held."""
        for job in [*self._waiting, *([self._active] if self._active else [])]:
            job.cancelled.set()
            if not job.answering:
                # It may be in an import or a load, which nothing interrupts.
                job.emit(gone)
        self._waiting.clear()

    def join(self, timeout: float) -> None:
        """Wait at most `timeout` seconds for the thread to end."""
        self._thread.join(timeout)

    @property
    def alive(self) -> bool:
        """Whether the thread runs; it ends early only by an error nobody foresaw."""
        return self._thread.is_alive()

    @property
    def state(self) -> str:
        """`starting`, `idle`, `busy` or `leaving`."""
        if self.leaving:
            return "leaving"
        if self._shelf is None:
            return "starting"
        return "busy" if self.busy else "idle"

    @property
    def busy(self) -> bool:
        """Whether a job runs or waits."""
        return self._active is not None or bool(self._waiting)

    @property
    def queue(self) -> int:
        """How many jobs wait."""
        return len(self._waiting)

    @property
    def idle_seconds(self) -> float:
        """Seconds since the last job ended; 0 while one runs or waits."""
        return 0.0 if self.busy else time.monotonic() - self._last_use

    @property
    def cards(self) -> tuple[ModelCard, ...]:
        """The loaded models."""
        return self._shelf.cards if self._shelf else ()

    def _tell_positions(self) -> None:
        """Tell each waiting job its place: 1 is the next; called with the lock held."""
        ahead = 1 if self._active else 0
        for place, job in enumerate(self._waiting, ahead):
            if place:
                job.report("queued", place, len(self._waiting) + ahead - 1)

    def _run(self) -> None:
        try:
            self._import()
        except Exception as error:
            self._give_up(error)
            raise
        while job := self._next():
            try:
                self._serve(job)
            finally:
                with self._changed:
                    self._active = None
                    self._last_use = time.monotonic()
                    self.finished_jobs += 1

    def _import(self) -> None:
        from starchat_tui.engine.serving.model_pool import Shelf

        self._shelf = Shelf(
            device=self.choices.device,
            quantize=self.choices.quantize,
            cache=self.choices.cache,
        )

    def _give_up(self, error: Exception) -> None:
        """Torch cannot be imported: whoever waits, or still asks, is told why."""
        gone = EngineGone(
            f"torch cannot be used ({type(error).__name__}: {_reason(error)})",
            "install it anew: `pip install --force-reinstall torch`; `starchat doctor` looks at it",
        )
        with self._changed:
            self._gone = gone
            self._dismiss(gone)

    def _next(self) -> Job | None:
        """The next job, now active; None once the engine is leaving."""
        with self._changed:
            while not self._waiting and not self.leaving:
                self._changed.wait()
            if not self._waiting:
                return None
            self._active = self._waiting.popleft()
            self._tell_positions()
            return self._active

    def _serve(self, job: Job) -> None:
        """Run one job; its last event is emitted in any case."""
        last: Event = EngineGone("The engine failed", _LOG)
        try:
            last = self._finish(job)
        except StarChatError as error:
            last = error
        except (RuntimeError, MemoryError) as error:
            last = self._failure(error)
        except Exception as error:  # noqa: BLE001 (the others' models are to stay usable)
            traceback.print_exception(error)
            last = StarChatError(
                f"The model failed ({type(error).__name__}: {_reason(error)})", _LOG
            )
        finally:
            job.emit(last)

    def _finish(self, job: Job) -> Event:
        """Do the work; returns the last event."""
        from starchat_tui.engine.serving.completion import Answer

        assert self._shelf is not None
        queued = time.monotonic() - job.asked
        loaded = self._shelf.get(job.model, job.report)
        if job.request is None:
            return next(card for card in self._shelf.cards if card.name == job.model)
        job.answering = True
        answer = Answer(loaded, job.request, goes_on=lambda: not job.cancelled.is_set())
        try:
            return answer.run(job.emit, queued=queued)
        finally:
            self.prefilled += answer.prefilled
            self.generated += answer.completed

    def _failure(self, error: Exception) -> StarChatError:
        """A torch error as one of ours; memory is freed, and a broken device ends the engine."""
        import torch

        from starchat_tui.engine.models.hub_model import out_of_memory

        assert self._shelf is not None
        full = isinstance(error, torch.OutOfMemoryError | MemoryError)
        if full or "allocate memory" in str(error):
            self._shelf.free()
            return out_of_memory(self.choices.device)
        if "CUDA error" in str(error):
            # After a device assert every call fails until the process ends.
            self.leave()
        return StarChatError(f"The model failed: {_reason(error)}", _LOG)


def _reason(error: Exception) -> str:
    """An error's own words on one line."""
    return " ".join(str(error).split())[:300]
