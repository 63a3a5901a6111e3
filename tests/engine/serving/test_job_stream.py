"""Events of a job on the event loop: order, heartbeats, server-sent events, cancellation."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from starchat_tui.client.protocol import Delta, ModelCard, Progress, Request
from starchat_tui.engine.serving import job_stream
from starchat_tui.engine.serving.job import Event
from starchat_tui.engine.serving.job_stream import JobStream, collect_delta, format_events, is_last
from starchat_tui.engine.serving.worker import EngineOptions, Worker
from starchat_tui.errors import ModelUnavailable

FAILURE = ModelUnavailable("The model is not there", "name another")


@pytest.fixture
def idle_worker(tmp_path: Path) -> Worker:
    """A worker whose thread is never started, as in a load that takes minutes."""
    return Worker(EngineOptions(cache_dir=tmp_path))


async def test_a_long_silence_is_broken_by_heartbeats(
    idle_worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_stream, "HEARTBEAT_SECONDS", 0.01)
    stream = JobStream(idle_worker, "m", Request("m", (1,), progress=False))
    events = stream.iter_events()
    assert [await anext(events) for _ in range(3)] == [None, None, None]
    stream.cancel()
    last = [event async for event in events if event is not None]
    assert last == [Delta(finish_reason="cancelled")]


@pytest.mark.parametrize("progress", [True, False])
async def test_progress_is_sent_to_those_who_ask_for_it(
    idle_worker: Worker, progress: bool
) -> None:
    stream = JobStream(idle_worker, "m", Request("m", (1,), progress=progress))
    stream.cancel()
    events = [event async for event in stream.iter_events()]
    assert events[-1] == Delta(finish_reason="cancelled")
    assert (Progress("importing") in events) is progress


async def test_a_client_that_does_not_read_fills_no_memory(
    idle_worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_stream, "MAX_UNREAD_EVENTS", 100)
    stream = JobStream(idle_worker, "m", Request("m", (1,)))
    (job,) = idle_worker._waiting
    read = 0
    events = stream.iter_events()
    for _ in range(500):
        job.emit(Delta("x", (1,)))
        await asyncio.sleep(0)
        assert await anext(events) == Delta("x", (1,))
    assert not job.cancelled.is_set(), "who reads is not cut off"
    while not job.cancelled.is_set() and read < 1000:
        job.emit(Delta("x", (1,)))
        await asyncio.sleep(0)
        read += 1
    assert job.cancelled.is_set()
    assert read < 200


async def test_leaving_the_iteration_cancels_the_job(idle_worker: Worker) -> None:
    stream = JobStream(idle_worker, "m", Request("m", (1,), progress=True))
    async with aclosing(stream.iter_events()) as events:  # type: ignore[type-var]
        await anext(events)
        assert idle_worker.queue_length == 1
    assert idle_worker.queue_length == 0


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (Progress("prefill", 3, 3), False),
        (Delta("text"), False),
        (Delta("", finish_reason="stop"), True),
        (ModelCard("m", 10, True), True),
        (FAILURE, True),
    ],
)
def test_the_last_event_is_known(event: Event, expected: bool) -> None:
    assert is_last(event) is expected


async def iterate(*events: Event | None) -> AsyncIterator[Event | None]:
    for event in events:
        yield event


async def test_events_are_formatted_as_server_sent_events() -> None:
    rest = iterate(None, Delta("zwölf\n"), FAILURE)
    lines = [
        line async for line in format_events(Progress("queued", 1, 2), rest, name="n", model="m")
    ]
    assert all(line.endswith("\n\n") and line.count("\n") == 2 for line in lines)
    assert lines[1].startswith(":"), "a comment, which clients skip"
    assert lines[-1] == "data: [DONE]\n\n"
    bodies = [json.loads(line.removeprefix("data: ")) for line in (lines[0], *lines[2:4])]
    assert bodies[1]["choices"][0]["text"] == "zwölf\n"
    assert (bodies[1]["id"], bodies[1]["model"]) == ("n", "m")
    assert bodies[2]["error"]["message"] == FAILURE.message


async def test_deltas_are_merged_and_an_error_is_raised() -> None:
    whole = await collect_delta(
        iterate(Progress("prefill"), Delta("a", (1,)), None, Delta("b", (2,), finish_reason="stop"))
    )
    assert (whole.text, whole.ids, whole.finish_reason) == ("ab", (1, 2), "stop")
    with pytest.raises(ModelUnavailable):
        await collect_delta(iterate(Delta("a"), FAILURE))
