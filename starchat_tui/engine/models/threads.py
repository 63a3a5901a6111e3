"""Number of CPU threads that compute a model, measured once it is loaded.

A decode step is a chain of small products, and at the end of each the threads wait for one another.
For a light model that costs more than the second thread brings, the more so on a busy machine,
where the other thread may not be running just then.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

import torch

from starchat_tui.engine.models.interface import CausalLM

_HEAVY_SECONDS = 0.05
"""Duration of a decode step from which on all threads pay without a measurement."""
_ROUNDS = 7
"""Decode steps that are measured with each number of threads."""
_LEAST_GAIN = 0.9
"""Share of the duration with fewer threads that more of them may take at most to be chosen."""


def choose_thread_count(model: CausalLM, most: int) -> int:
    """Return the number of threads that computes a decode step fastest, 1 to `most`.

    More threads are chosen only for a clear gain: what they leave is another program's.
    """
    if model.device.type != "cpu" or most == 1:
        return most
    cache = model.new_cache()
    present = torch.get_num_threads()

    def measure_step(threads: int) -> float:
        torch.set_num_threads(threads)
        start = time.perf_counter()
        model.forward((0,), cache)
        return time.perf_counter() - start

    try:
        # The first steps allocate the cache and start the threads.
        if min(measure_step(most) for _ in range(2)) > _HEAVY_SECONDS:
            return most
        counts = list(_iter_counts(most))
        # Interleaved, so that other load of the machine slows down all of them.
        rounds = [[measure_step(count) for count in counts] for _ in range(_ROUNDS)]
    finally:
        torch.set_num_threads(present)
    durations = [statistics.median(column) for column in zip(*rounds, strict=True)]
    return _choose_fastest(counts, durations)


def _iter_counts(most: int) -> Iterator[int]:
    """Yield the numbers of threads to compare: the powers of two up to `most`, and `most`."""
    count = 1
    while count < most:
        yield count
        count *= 2
    yield most


def _choose_fastest(counts: list[int], durations: list[float]) -> int:
    """Return the number of threads with the shortest duration, fewer ones where it hardly differs.

    Args:
        counts: Numbers of threads, in ascending order.
        durations: Seconds that a step took with each.
    """
    chosen, shortest = counts[0], durations[0]
    for count, duration in zip(counts[1:], durations[1:], strict=True):
        if duration < _LEAST_GAIN * shortest:
            chosen, shortest = count, duration
    return chosen
