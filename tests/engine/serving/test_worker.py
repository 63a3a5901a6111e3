"""Worker thread: results, errors that it survives, and errors that end the engine."""

from __future__ import annotations

import json
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch

from starchat_tui.client.protocol import Delta, ModelCard, Progress, Request, Sampling
from starchat_tui.engine.models.bigcode import BigCodeModel
from starchat_tui.engine.serving.job import Event, Job
from starchat_tui.engine.serving.job_stream import is_last
from starchat_tui.engine.serving.worker import EngineOptions, Worker
from starchat_tui.errors import (
    Busy,
    EngineGone,
    ModelUnavailable,
    OutOfMemory,
    StarChatError,
    Unavailable,
)
from tests.fakes import save_tiny_model
from tests.waiting import block_until


@dataclass
class EventLog:
    """Events of one job."""

    events: list[Event] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)
    ended_at: float = 0.0
    """Time of the monotonic clock at the last event."""

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        if is_last(event):
            self.ended_at = time.monotonic()
            self.ended.set()

    @property
    def last(self) -> Event:
        """Last event, waited for."""
        assert self.ended.wait(60)
        return self.events[-1]


@pytest.fixture
def capacity() -> int:
    """Number of requests that may run at the same time."""
    return 8


@pytest.fixture
def worker(tmp_path: Path, capacity: int) -> Iterator[Worker]:
    worker = Worker(EngineOptions("cpu", cache_dir=tmp_path, running_capacity=capacity))
    worker.start()
    yield worker
    worker.shutdown()
    worker.join(60)
    assert not worker.is_alive


@pytest.fixture
def queued_worker(tmp_path: Path) -> Iterator[Worker]:
    """A worker that the test starts once its jobs wait."""
    worker = Worker(EngineOptions("cpu", cache_dir=tmp_path))
    yield worker
    worker.shutdown()
    worker.join(60)


def submit_request(worker: Worker, folder: Path, *, max_tokens: int = 5) -> EventLog:
    log = EventLog()
    sampling = Sampling(max_tokens=max_tokens, temperature=0.0)
    request = Request(str(folder), (1, 2, 3), sampling, ignore_eos=True)
    worker.submit(Job(str(folder), log, request))
    return log


def test_a_job_ends_with_its_reason(worker: Worker, tiny_folder: Path) -> None:
    last = submit_request(worker, tiny_folder).last
    assert isinstance(last, Delta)
    assert last.finish_reason == "length"
    block_until(lambda: worker.state == "idle")
    assert (worker.prefilled_tokens, worker.generated_tokens) == (3, 5)
    assert worker.finished_jobs == 1


def test_a_load_ends_with_the_card(worker: Worker, tiny_folder: Path) -> None:
    log = EventLog()
    worker.submit(Job(str(tiny_folder), log))
    assert isinstance(log.last, ModelCard)
    assert (
        {"importing", "loading", "warming"}
        >= {event.stage for event in log.events if isinstance(event, Progress)}
        >= {"loading", "warming"}
    )


def fail_once(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Have the model fail at its third decode step after the load, as a full device does."""
    forward, count = BigCodeModel.forward, iter(range(1_000))

    def failing(self: BigCodeModel, ids: list[int], cache: object) -> torch.Tensor:
        if len(ids) == 1 and ids[0] != 0 and next(count) == 2:
            raise error
        return forward(self, ids, cache)  # type: ignore[arg-type]

    monkeypatch.setattr(BigCodeModel, "forward", failing)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        MemoryError(),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_full_device_is_reported_and_survived(
    worker: Worker, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    expected = wait_for_ids(submit_request(worker, tiny_folder))
    fail_once(monkeypatch, error)
    failed = submit_request(worker, tiny_folder)
    assert isinstance(failed.last, OutOfMemory)
    assert failed.last.hint
    again = submit_request(worker, tiny_folder)
    assert wait_for_ids(again) == expected
    assert isinstance(again.last, Delta)
    assert again.last.usage
    assert again.last.usage.cached_tokens == 0, "the caches were freed"


def wait_for_ids(log: EventLog) -> list[int]:
    assert log.ended.wait(60)
    return [token for event in log.events if isinstance(event, Delta) for token in event.ids]


def test_an_error_of_torch_is_reported_and_survived(
    worker: Worker, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = wait_for_ids(submit_request(worker, tiny_folder))
    fail_once(monkeypatch, RuntimeError("mat1 and mat2 do not fit"))
    failed = submit_request(worker, tiny_folder).last
    assert type(failed) is StarChatError
    assert "mat1" in failed.message
    assert wait_for_ids(submit_request(worker, tiny_folder)) == expected


def test_a_broken_device_ends_the_engine(
    worker: Worker, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_once(monkeypatch, RuntimeError("CUDA error: device-side assert triggered"))
    failed = submit_request(worker, tiny_folder).last
    assert isinstance(failed, StarChatError)
    block_until(lambda: not worker.is_alive)
    with pytest.raises(Unavailable, match="shutting down"):
        submit_request(worker, tiny_folder)


def test_an_unforeseen_error_is_reported_and_survived(
    worker: Worker,
    tiny_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    expected = wait_for_ids(submit_request(worker, tiny_folder))
    fail_once(monkeypatch, LookupError("a defect"))
    failed = submit_request(worker, tiny_folder).last
    assert type(failed) is StarChatError
    assert "LookupError: a defect" in failed.message
    assert "Traceback" in caplog.text, "it goes to the engine's log"
    assert wait_for_ids(submit_request(worker, tiny_folder)) == expected


def test_a_config_that_transformers_refuses_is_survived(
    worker: Worker, tiny_folder: Path, tmp_path: Path
) -> None:
    strange = Path(shutil.copytree(tiny_folder, tmp_path / "strange"))
    config = json.loads((strange / "config.json").read_text())
    # No plain attention, so that transformers computes it.
    config |= {"scale_attn_weights": False, "n_layer": "two"}
    (strange / "config.json").write_text(json.dumps(config))
    assert isinstance(submit_request(worker, strange).last, ModelUnavailable)
    assert wait_for_ids(submit_request(worker, tiny_folder))


# The thread's own traceback is what goes to the engine's log.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_torch_that_cannot_be_imported_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "starchat_tui.engine.serving.model_pool", None)
    broken, log = Worker(EngineOptions(cache_dir=tmp_path)), EventLog()
    broken.submit(Job("m", log))
    broken.start()
    assert isinstance(log.last, EngineGone)
    assert log.last.message.startswith("torch cannot be used (ModuleNotFoundError")
    assert log.last.hint
    block_until(lambda: not broken.is_alive)
    with pytest.raises(EngineGone, match="torch cannot be used"):
        broken.submit(Job("m", EventLog()))


@pytest.mark.parametrize("capacity", [1])
def test_a_waiting_job_fails_when_the_engine_shuts_down(worker: Worker, tiny_folder: Path) -> None:
    busy, waiting = (
        submit_request(worker, tiny_folder, max_tokens=500),
        submit_request(worker, tiny_folder),
    )
    block_until(lambda: any(isinstance(event, Delta) for event in busy.events))
    worker.shutdown()
    assert isinstance(waiting.last, Unavailable)
    assert isinstance(busy.last, Delta)
    assert busy.last.finish_reason == "cancelled"


@pytest.mark.parametrize("capacity", [1])
def test_a_job_that_left_the_queue_is_not_run(worker: Worker, tiny_folder: Path) -> None:
    busy, log = submit_request(worker, tiny_folder, max_tokens=500), EventLog()
    job = Job(str(tiny_folder), log, Request(str(tiny_folder), (1,)))
    worker.submit(job)
    worker.cancel(job)
    assert isinstance(log.last, Delta)
    assert log.last.finish_reason == "cancelled"
    assert busy.last
    block_until(lambda: worker.state == "idle")
    assert worker.finished_jobs == 1
    assert "prefill" not in {event.stage for event in log.events if isinstance(event, Progress)}


def test_a_load_waits_for_the_running_requests_and_is_not_overtaken(
    queued_worker: Worker, tiny_folder: Path, tmp_path: Path
) -> None:
    other = save_tiny_model(tmp_path / "other", seed=1)
    long = submit_request(queued_worker, tiny_folder, max_tokens=500)
    logs = [long, submit_request(queued_worker, other), submit_request(queued_worker, tiny_folder)]
    queued_worker.start()
    assert [len(wait_for_ids(log)) for log in logs] == [500, 5, 5]
    assert logs == sorted(logs, key=lambda log: log.ended_at)
    block_until(lambda: queued_worker.state == "idle")
    assert (queued_worker.finished_jobs, queued_worker.generated_tokens) == (3, 510)


def test_a_short_answer_ends_before_a_long_one(queued_worker: Worker, tiny_folder: Path) -> None:
    logs = [submit_request(queued_worker, tiny_folder, max_tokens=number) for number in (500, 5)]
    queued_worker.start()
    assert [len(wait_for_ids(log)) for log in logs] == [500, 5]
    assert logs[1].ended_at < logs[0].ended_at


def test_shutdown_ends_all_that_run(worker: Worker, tiny_folder: Path) -> None:
    logs = [submit_request(worker, tiny_folder, max_tokens=500) for _ in range(4)]
    block_until(lambda: any(isinstance(event, Delta) for event in logs[3].events))
    worker.shutdown()
    for log in logs:
        assert isinstance(log.last, Delta)
        assert log.last.finish_reason == "cancelled"
    block_until(lambda: not worker.is_alive)
    assert worker.queue_length == 0
    assert not worker.is_busy


# The thread's own traceback is what goes to the engine's log.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_every_job_gets_an_error_if_the_thread_ends(
    tmp_path: Path, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Worker(EngineOptions("cpu", cache_dir=tmp_path, running_capacity=2))
    logs = [submit_request(broken, tiny_folder) for _ in range(3)]

    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(BigCodeModel, "forward", interrupt)
    broken.start()
    for log in logs:
        assert isinstance(log.last, EngineGone)
    block_until(lambda: not broken.is_alive)


def test_the_queue_holds_64_jobs(tmp_path: Path) -> None:
    worker = Worker(EngineOptions(cache_dir=tmp_path))
    for _ in range(64):
        worker.submit(Job("m", EventLog()))
    with pytest.raises(Busy, match="64 requests"):
        worker.submit(Job("m", EventLog()))


def test_a_full_queue_refuses_the_next_job(tmp_path: Path) -> None:
    # Its thread is never started, so that all of them wait.
    worker = Worker(EngineOptions(cache_dir=tmp_path, queue_capacity=2))
    logs = [EventLog(), EventLog()]
    for log in logs:
        worker.submit(Job("m", log))
    with pytest.raises(Busy, match="2 requests"):
        worker.submit(Job("m", EventLog()))
    assert worker.queue_length == 2
    queued = [event for event in logs[1].events if isinstance(event, Progress)]
    assert [(event.stage, event.done) for event in queued] == [("importing", 0), ("queued", 1)]


def test_the_state_follows_the_jobs(worker: Worker, tiny_folder: Path) -> None:
    block_until(lambda: worker.state == "idle")
    busy = submit_request(worker, tiny_folder, max_tokens=500)
    assert worker.state == "busy"
    assert worker.idle_seconds == 0.0
    assert busy.last
    block_until(lambda: worker.state == "idle")
    worker.shutdown()
    assert worker.state == "stopping"
