"""Scheduler of the running requests: one forward pass for each in turn, on the worker thread.

A short question behind a long answer gets its first token after one pass of the answer and its own
prefill, and not after the last token of the answer. The order of the turns changes no token: each
request has a KV cache and a random generator of its own.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import torch

from starchat_tui.client.protocol import Delta, Request
from starchat_tui.engine.models import device as devices
from starchat_tui.engine.models.load_errors import create_out_of_memory_error, is_out_of_memory
from starchat_tui.engine.serving.completion import Completion, Turns
from starchat_tui.engine.serving.job import LOG_HINT, Event, Job, format_reason
from starchat_tui.engine.serving.model_pool import LoadedModel, ModelPool
from starchat_tui.errors import OutOfMemory, StarChatError


@dataclass(eq=False, slots=True)
class _Run:
    """Running completion of a job."""

    job: Job
    loaded: LoadedModel
    completion: Completion
    turns: Turns
    is_retry: bool = False


class Scheduler:
    """Running requests in the order of their turns; used by the worker thread only."""

    def __init__(self, pool: ModelPool, *, device: str, capacity: int) -> None:
        """Create a scheduler without requests.

        Args:
            pool: Models that answer them.
            device: Device of all models: auto, cuda:N, mps or cpu.
            capacity: Number of requests that may run at the same time.
        """
        self._pool = pool
        self._device = device
        self._capacity = capacity
        self._runs: deque[_Run] = deque()
        self._job_without_room: Job | None = None
        """Job for whose cache there was too little memory, since the last request ended."""
        self.is_device_broken = False
        """True after an error of the device that makes every later call fail."""
        # Read by other threads, for the health report.
        self.prefilled_tokens = 0
        """Prompt tokens computed by the requests that ended."""
        self.generated_tokens = 0
        """Tokens sampled by the requests that ended."""

    @property
    def is_idle(self) -> bool:
        """True if no request runs."""
        return not self._runs

    def can_start(self, job: Job) -> bool:
        """Return whether a job may start beside the requests that run."""
        if not self._runs:
            return True
        # A load takes the device for as long as it lasts and evicts models for its memory, so it
        # waits for the running requests to end. It waits at the head of the queue, where no later
        # job overtakes it: the requests before it are finite, and its turn comes.
        if job.model not in {card.name for card in self._pool.cards}:
            return False
        if job.request is None:
            return True
        return len(self._runs) < self._capacity and self._has_room(job, job.request)

    def start(self, job: Job) -> bool:
        """Load the job's model and let its completion take turns; return whether it has ended."""
        last = self._catch_errors(lambda: self._load_model(job))
        if last is not None:
            job.emit(last)
        return last is not None

    def run_turn(self) -> Job | None:
        """Let the first request compute one forward pass; return its job if that was the last."""
        run = self._runs.popleft()
        last = self._catch_errors(lambda: _advance(run))
        if last is None:
            self._runs.append(run)
            return None
        self._count_tokens(run.completion)
        self._job_without_room = None
        if isinstance(last, OutOfMemory) and self._retry(run):
            return None
        run.job.emit(last)
        return run.job

    def _load_model(self, job: Job) -> Event | None:
        """Load a model if it is not yet; return its card, or None if there is a request to run."""
        queued = time.monotonic() - job.submitted_at
        loaded = self._pool.get_model(job.model, job.report_progress)
        if job.request is None:
            return next(card for card in self._pool.cards if card.name == job.model)
        job.is_generating = True
        self._runs.append(_create_run(job, job.request, loaded, queued))
        return None

    def _retry(self, run: _Run) -> bool:
        """Start a request again that ran out of memory; return whether it can be.

        Only once, and not if its client has got a token: a second answer cannot follow it.
        """
        if run.is_retry or run.completion.completion_tokens:
            return False
        queued = time.monotonic() - run.job.submitted_at
        again = _create_run(run.job, run.completion.request, run.loaded, queued)
        again.is_retry = True
        self._runs.append(again)
        return True

    def _count_tokens(self, completion: Completion) -> None:
        # What a failed completion computed counts as well.
        self.prefilled_tokens += completion.prefilled_tokens
        self.generated_tokens += completion.completion_tokens

    def _has_room(self, job: Job, request: Request) -> bool:
        """Return whether the cache of a request fits in memory beside those of the running.

        The prefix trees give up memory for it, the least recently used prefixes first.
        """
        # Nothing has changed, and this is asked before every turn.
        if job is self._job_without_room:
            return False
        loaded = self._pool.get_model(job.model, job.report_progress)
        pools = {run.loaded.cache_pool for run in self._runs} | {loaded.cache_pool}
        length = min(_estimate_length(request), loaded.model.window)
        growth = loaded.cache_pool.estimate_growth(length)
        growth += sum(pool.estimate_growth() for pool in pools if pool is not loaded.cache_pool)
        lacking = growth - devices.get_free_bytes(loaded.model.device)
        for pool in pools:
            if lacking > 0:
                before = pool.tree.bytes
                pool.tree.shrink(before - lacking)
                lacking -= before - pool.tree.bytes
        if lacking > 0:
            self._job_without_room = job
        return lacking <= 0

    def _catch_errors(self, compute: Callable[[], Event | None]) -> Event | None:
        """Return what `compute` returns, or its error as one of ours."""
        try:
            return compute()
        except StarChatError as error:
            return error
        except (RuntimeError, MemoryError) as error:
            return self._translate_torch_error(error)
        # A defect in the code of one model must not take down the others.
        except Exception as error:
            logging.getLogger(__name__).exception("The model failed", exc_info=error)
            reason = f"{type(error).__name__}: {format_reason(error)}"
            return StarChatError(f"The model failed ({reason})", LOG_HINT)

    def _translate_torch_error(self, error: Exception) -> StarChatError:
        """Return an error of torch as one of ours; free memory, or note that the device broke."""
        if is_out_of_memory(error):
            self._pool.clear_prefix_caches()
            return create_out_of_memory_error(devices.choose_device(self._device))
        # After a device-side assertion every call fails until the process ends.
        self.is_device_broken |= "CUDA error" in str(error)
        return StarChatError(f"The model failed: {format_reason(error)}", LOG_HINT)


def _advance(run: _Run) -> Delta | None:
    """Compute the next turn of a request; return the last delta if it has ended."""
    # The number is the process's, and requests of other models may have had the turns before.
    torch.set_num_threads(run.loaded.threads)
    try:
        next(run.turns)
    except StopIteration as ended:
        last: Delta = ended.value
        return last
    return None


def _create_run(job: Job, request: Request, loaded: LoadedModel, queued: float) -> _Run:
    completion = Completion(loaded, request, keep_going=lambda: not job.cancelled.is_set())
    return _Run(job, loaded, completion, completion.run_turns(job.emit, queued=queued))


def _estimate_length(request: Request) -> int:
    """Return the tokens that a request reads and writes, at most."""
    prompt = request.prompt
    # No token is shorter than a byte.
    size = len(prompt.encode()) if isinstance(prompt, str) else len(prompt)
    return size + request.sampling.max_tokens
