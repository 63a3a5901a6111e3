"""Outputs that the code may clear: those of a loop that clears them fast are not all sent."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from starchat_tui.sandbox.guest.frame_protocol import MIB, Value

SEND_INTERVAL = 1.0
"""Seconds between two states of the output that are sent although the code clears them."""
MAX_CLEARED_BYTES = 16 * MIB
"""Bytes of a run that are sent and then cleared; beyond, only the last state is sent."""
MAX_HELD_BYTES = 32 * MIB
"""Bytes of a state that wait; a longer one is sent at once."""


class ClearableOutput:
    """Sends outputs, or holds them until the code clears them, time passes or the run ends."""

    def __init__(
        self, send: Callable[..., None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._send, self._clock = send, clock
        # Reentrant: a signal handler of the code may print in the middle of a print.
        self._lock = threading.RLock()
        self.reset()

    def reset(self) -> None:
        """Begin the output of a run."""
        self._held: deque[tuple[Value, ...]] = deque()
        """Names and values of the frames that wait; the first one clears what was sent."""
        self._held_bytes = self._sent_bytes = self._cleared_bytes = 0
        self._clears_next = False
        """True if the next output clears the earlier ones."""
        self._next_send_time = 0.0

    def send(self, name: str, *values: Value) -> None:
        """Send an output, or hold it."""
        size = sum(len(one) for one in values if isinstance(one, str | bytes))
        with self._lock:
            if self._clears_next:
                self._begin_state()
            if not self._held:
                self._sent_bytes += size
                self._send(name, *values)
                return
            self._held.append((name, *values))
            self._held_bytes += size
            is_affordable = self._cleared_bytes < MAX_CLEARED_BYTES
            is_due = is_affordable and self._clock() >= self._next_send_time
            if is_due or self._held_bytes > MAX_HELD_BYTES:
                self.flush()

    def clear(self, *, wait: bool) -> None:
        """Remove the outputs so far; with `wait` only once there is another one."""
        with self._lock:
            self._clears_next = True
            if not wait:
                self._begin_state()

    def flush(self) -> None:
        """Send what is held."""
        with self._lock:
            if self._held:
                self._next_send_time = self._clock() + SEND_INTERVAL
            while self._held:
                # Taken out first: an interrupt is raised after a frame was sent.
                self._send(*self._held.popleft())
            self._sent_bytes, self._held_bytes = self._sent_bytes + self._held_bytes, 0

    def _begin_state(self) -> None:
        self._clears_next = False
        self._cleared_bytes, self._sent_bytes = self._cleared_bytes + self._sent_bytes, 0
        self._held, self._held_bytes = deque([("clear",)]), 0
