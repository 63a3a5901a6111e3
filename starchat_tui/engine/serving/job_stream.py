"""Events of a job, from the worker thread to the HTTP response: server-sent events or one JSON."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress

from starchat_tui.client import protocol, response_json
from starchat_tui.client.protocol import HEARTBEAT_SECONDS
from starchat_tui.engine.serving.job import Event, Job
from starchat_tui.engine.serving.worker import Worker
from starchat_tui.errors import StarChatError

MAX_UNREAD_EVENTS = 16_384
"""Events that may wait for a client that does not read its answer, before the job is cancelled."""


class JobStream:
    """Events of one job, in order, on the event loop of the server."""

    def __init__(self, worker: Worker, model: str, request: protocol.Request | None = None) -> None:
        """Submit a job: the completion of `request` or, without one, the loading of `model`.

        Raises what `Worker.submit` raises.
        """
        self._worker = worker
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._job = Job(model, self._emit, request)
        self.is_streamed = request.stream if request else True
        self.wants_progress = request.progress if request else True
        worker.submit(self._job)

    def _emit(self, event: Event) -> None:
        # Called on the worker thread, and an asyncio queue belongs to its loop. The loop is closed
        # if the engine shut down during the answer.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._put_event, event)

    def _put_event(self, event: Event) -> None:
        self._events.put_nowait(event)
        # Answers in a large window would else fill the memory, one for each such client.
        if self._events.qsize() == MAX_UNREAD_EVENTS and not self._job.cancelled.is_set():
            self.cancel()

    def cancel(self) -> None:
        """End the job; its last event still follows."""
        self._worker.cancel(self._job)

    async def iter_events(self) -> AsyncIterator[Event | None]:
        """Yield every event to the last one, and None after each `HEARTBEAT_SECONDS` without any.

        Leaving the iteration, as a response does whose client hung up, cancels the job.
        """
        waiting: asyncio.Task[Event] | None = None
        try:
            while True:
                # The task outlives a heartbeat: cancelling a `get` might lose an event.
                waiting = waiting or asyncio.ensure_future(self._events.get())
                done, _ = await asyncio.wait({waiting}, timeout=HEARTBEAT_SECONDS)
                if not done:
                    yield None
                    continue
                event, waiting = waiting.result(), None
                if self.wants_progress or not isinstance(event, protocol.Progress):
                    yield event
                if is_last(event):
                    return
        finally:
            if waiting:
                waiting.cancel()
            self.cancel()


def is_last(event: Event) -> bool:
    """Return whether an event is the last of its job."""
    if isinstance(event, protocol.Delta):
        return event.finish_reason is not None
    return not isinstance(event, protocol.Progress)


async def format_events(
    first: Event | None, events: AsyncIterator[Event | None], *, name: str, model: str
) -> AsyncIterator[str]:
    """Yield the server-sent events of a response.

    Args:
        first: First event, taken already to see whether the job failed at once.
        events: Events that follow.
        name: Id of the completion in each chunk.
        model: Name of the model in each chunk.
    """
    yield _format_event(first, name=name, model=model)
    async for event in events:
        yield _format_event(event, name=name, model=model)
    # OpenAI's end of a stream, which clients wait for.
    yield f"data: {response_json.DONE}\n\n"


def _format_event(event: Event | None, *, name: str, model: str) -> str:
    """Return one server-sent event: `data:` and JSON on one line, then an empty line."""
    if event is None:
        # A line that begins with a colon is a comment, which clients of the protocol skip.
        return ": still here\n\n"
    if isinstance(event, protocol.Progress):
        body = response_json.encode_progress(event)
    elif isinstance(event, protocol.Delta):
        body = response_json.encode_delta(event, name=name, model=model)
    elif isinstance(event, protocol.ModelCard):
        body = response_json.encode_model_card(event)
    else:
        # The status of the response is sent by now, so the error goes into the stream.
        body = response_json.encode_error(event)
    return f"data: {json.dumps(body, ensure_ascii=False)}\n\n"


async def collect_delta(events: AsyncIterator[Event | None]) -> protocol.Delta:
    """Return all deltas of a completion merged into one; raise the error of a job that failed."""
    deltas: list[protocol.Delta] = []
    async for event in events:
        if isinstance(event, StarChatError):
            raise event
        if isinstance(event, protocol.Delta):
            deltas.append(event)
    return protocol.merge_deltas(deltas)
