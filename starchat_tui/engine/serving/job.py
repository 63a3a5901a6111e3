"""Job of the engine: one completion, or the loading of a model, and the events that it emits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from starchat_tui.client.protocol import Delta, ModelCard, Progress, Request
from starchat_tui.errors import StarChatError

Event: TypeAlias = Progress | Delta | ModelCard | StarChatError
"""Event of a job. The last one is a delta with a finish reason, a card (of a load) or an error."""

LOG_HINT = "the engine's log says more (`starchat ps` names it); ask again"
"""Hint of an error that the log has a traceback of."""


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
    """True once its model is loaded: from then on it ends at its next token or prefill chunk."""

    def report_progress(self, stage: str, done: int = 0, total: int = 0) -> None:
        """Emit progress: `done` of `total` units of a stage."""
        self.emit(Progress(stage, done, total))


def format_reason(error: Exception) -> str:
    """Return the message of an error on one line, at most 300 characters."""
    return " ".join(str(error).split())[:300]
