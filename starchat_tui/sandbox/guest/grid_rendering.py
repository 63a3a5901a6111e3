"""Figures drawn for the cells of a terminal, each in a process of its own.

A fork of this process changes its copy of the figure as it likes: the figure of the code stays as
it is, to the last tick. A fork also bounds the time and the memory, whatever the figure draws. If
it fails, there is the PNG of the figure as matplotlib draws it.
"""

from __future__ import annotations

import mmap
import os
import resource
import select
import signal
import sys
import time
import warnings
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NoReturn

from starchat_tui.sandbox.guest.frame_protocol import GRID_LABELS, GRID_PNG

GridSize = tuple[int, int, int]
"""Columns and rows that are available, and the pixels in the height of a cell."""
TIME_LIMIT = 4.0
"""Seconds that a figure may take; the ends of processes are on top of it."""
RUN_TIME_LIMIT = 15.0
"""Seconds that all figures of a run may take: code may save and close a hundred."""
_MEMORY = 512 * 2**20
"""Bytes that a process may need in addition to what it inherits."""
_LENGTH_SIZE = 4
"""Bytes of the length of the PNG, which comes before the labels."""
_MAX_RESULT = _LENGTH_SIZE + GRID_PNG.max_size + GRID_LABELS.max_size


def parse_sizes(text: str) -> list[GridSize]:
    """Return the sizes in a command of the host, such as `80 24 2;110 38 2`."""
    sizes = (part.split() for part in text.split(";") if part)
    return [(int(columns), int(rows), int(detail)) for columns, rows, detail in sizes]


class GridRenderings:
    """Draws the figures of a run for the sizes that the host asked for."""

    def __init__(self) -> None:
        self._sizes: Sequence[GridSize] = ()
        self._seconds_left = 0.0

    def begin_run(self, sizes: Sequence[GridSize]) -> None:
        """Draw the figures that follow for these sizes."""
        self._sizes, self._seconds_left = sizes, RUN_TIME_LIMIT

    def render(self, figure: Any) -> tuple[tuple[bytes, str], ...]:
        """Return a PNG and labels for each size; nothing for a size that fails.

        Once a figure, or all of them, have taken too long, those that follow are not tried.
        """
        workers: list[_Worker] = []
        began = time.monotonic()
        end = began + TIME_LIMIT
        try:
            for size in self._sizes:
                if worker := _start_worker(figure, size):
                    workers.append(worker)
            results = [worker.read_result(end) for worker in workers]
        finally:
            for worker in workers:
                worker.close()
        self._seconds_left -= time.monotonic() - began
        if time.monotonic() >= end or self._seconds_left <= 0:
            self._sizes = ()
        return tuple(result for result in results if result is not None)


@dataclass
class _Worker:
    """Process that draws a figure for one size."""

    pid: int
    pipe: int
    """Descriptor from which its result is read."""

    def read_result(self, end: float) -> tuple[bytes, str] | None:
        """Return the PNG and the labels; None if there are none by the time `end`."""
        data = bytearray()
        while len(data) <= _MAX_RESULT:
            ready, _, _ = select.select([self.pipe], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                return None
            piece = os.read(self.pipe, 65536)
            if not piece:
                return _parse_result(bytes(data))
            data += piece
        return None

    def close(self) -> None:
        """End the process."""
        os.close(self.pipe)
        # Where signals are denied, its timer ends the process; a handler of the code may reap it.
        with suppress(OSError):
            os.kill(self.pid, signal.SIGKILL)
        with suppress(OSError):
            os.waitpid(self.pid, 0)


def _parse_result(data: bytes) -> tuple[bytes, str] | None:
    size = int.from_bytes(data[:_LENGTH_SIZE], "big")
    png, labels = data[_LENGTH_SIZE : _LENGTH_SIZE + size], data[_LENGTH_SIZE + size :]
    if not size or size > GRID_PNG.max_size or len(labels) > GRID_LABELS.max_size:
        return None
    return png, labels.decode("utf-8", "replace")


def _start_worker(figure: Any, size: GridSize) -> _Worker | None:
    """Start drawing a figure in a fork of this process; return None if it cannot be forked."""
    try:
        reader, writer = os.pipe()
    except OSError:  # the code holds all descriptors that it may open
        return None
    try:
        # Python warns of forks beside threads, and the code may turn warnings into errors.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pid = os.fork()
    except OSError:
        os.close(reader)
        os.close(writer)
        return None
    if pid == 0:
        _draw_and_exit(figure, size, writer)
    os.close(writer)
    return _Worker(pid, reader)


def _draw_and_exit(figure: Any, size: GridSize, writer: int) -> NoReturn:
    """Write the PNG and the labels of a figure to a descriptor, and end this process."""
    try:
        _confine_process()
        from starchat_tui.sandbox.guest.grid_layout import draw_grid

        png, labels = draw_grid(figure, *size)
        lines = "\n".join(f"{one.row} {one.column} {one.color} {one.text}" for one in labels)
        left = memoryview(len(png).to_bytes(_LENGTH_SIZE, "big") + png + lines.encode())
        while left:
            left = left[os.write(writer, left) :]
    finally:
        # Whatever happened: this process must not go on as the runner, nor call the handlers that
        # the code registered for the end of the original.
        os._exit(0)


def _confine_process() -> None:
    """Keep this process from outliving its time, using much memory, or being seen."""
    for number in (signal.SIGINT, signal.SIGALRM, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, TIME_LIMIT)
    _bound_memory()
    # What a library prints, such as a warning about a glyph, was printed for the PNG already.
    warnings.simplefilter("ignore")
    nothing = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(nothing, descriptor)
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115


def _bound_memory() -> None:
    """Limit the address space of this process to what it has, and `_MEMORY` bytes more."""
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    # The sandbox has no `/proc/self` to read the present size from: it is the smallest limit under
    # which memory can be mapped.
    low, high = 0, hard if hard != resource.RLIM_INFINITY else 2**46
    while high - low > 2**20:
        middle = (low + high) // 2
        resource.setrlimit(resource.RLIMIT_AS, (middle, hard))
        try:
            mmap.mmap(-1, mmap.PAGESIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
            high = middle
        except (OSError, MemoryError):
            low = middle
    limit = high + _MEMORY
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
