"""The thread that owns the device: what it survives, and what it says when it does not."""

from __future__ import annotations

import json
import shutil
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch

from starchat_tui.client.protocol import Delta, ModelCard, Progress, Request, Sampling
from starchat_tui.engine.models.bigcode import BigCode
from starchat_tui.engine.serving import routes
from starchat_tui.engine.serving.routes import is_last
from starchat_tui.engine.serving.worker import Choices, Event, Job, Worker
from starchat_tui.errors import (
    EngineGone,
    ModelUnavailable,
    OutOfMemory,
    StarChatError,
    Unavailable,
)
from tests.waiting import block_until


@dataclass
class Seen:
    """The events of one job."""

    events: list[Event] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        if is_last(event):
            self.ended.set()

    @property
    def last(self) -> Event:
        """The last event, once it has come."""
        assert self.ended.wait(60)
        return self.events[-1]


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    made = Worker(Choices(device="cpu", cache=tmp_path))
    made.start()
    yield made
    made.leave()
    made.join(60)
    assert not made.alive


def ask(worker: Worker, folder: Path, *, max_tokens: int = 5) -> Seen:
    seen = Seen()
    sampling = Sampling(max_tokens=max_tokens, temperature=0.0)
    request = Request(str(folder), (1, 2, 3), sampling)
    worker.submit(Job(str(folder), seen, request))
    return seen


def test_a_job_ends_with_its_reason(worker: Worker, tiny_folder: Path) -> None:
    last = ask(worker, tiny_folder).last
    assert isinstance(last, Delta)
    assert last.finish_reason == "length"
    block_until(lambda: worker.state == "idle")
    assert (worker.prefilled, worker.generated) == (3, 5)
    assert worker.finished_jobs == 1


def test_a_load_ends_with_the_card(worker: Worker, tiny_folder: Path) -> None:
    seen = Seen()
    worker.submit(Job(str(tiny_folder), seen))
    assert isinstance(seen.last, ModelCard)
    assert (
        {"importing", "loading", "warming"}
        >= {event.stage for event in seen.events if isinstance(event, Progress)}
        >= {"loading", "warming"}
    )


def fail_once(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Have the model fail at its third reading after the load, as a full device does."""
    extend, count = BigCode.extend, iter(range(1_000))

    def failing(self: BigCode, ids: list[int], cache: object) -> torch.Tensor:
        if len(ids) == 1 and ids[0] != 0 and next(count) == 2:
            raise error
        return extend(self, ids, cache)  # type: ignore[arg-type]

    monkeypatch.setattr(BigCode, "extend", failing)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        MemoryError(),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_full_device_is_told_and_survived(
    worker: Worker, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    expected = ids_of(ask(worker, tiny_folder))
    fail_once(monkeypatch, error)
    failed = ask(worker, tiny_folder)
    assert isinstance(failed.last, OutOfMemory)
    assert failed.last.hint
    again = ask(worker, tiny_folder)
    assert ids_of(again) == expected
    assert isinstance(again.last, Delta)
    assert again.last.usage
    assert again.last.usage.cached_tokens == 0, "the caches were freed"


def ids_of(seen: Seen) -> list[int]:
    assert seen.ended.wait(60)
    return [token for event in seen.events if isinstance(event, Delta) for token in event.ids]


def test_an_error_of_torch_is_told_and_survived(
    worker: Worker, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = ids_of(ask(worker, tiny_folder))
    fail_once(monkeypatch, RuntimeError("mat1 and mat2 do not fit"))
    failed = ask(worker, tiny_folder).last
    assert type(failed) is StarChatError
    assert "mat1" in failed.message
    assert ids_of(ask(worker, tiny_folder)) == expected


def test_a_broken_device_ends_the_engine(
    worker: Worker, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_once(monkeypatch, RuntimeError("CUDA error: device-side assert triggered"))
    failed = ask(worker, tiny_folder).last
    assert isinstance(failed, StarChatError)
    block_until(lambda: not worker.alive)
    with pytest.raises(Unavailable, match="leaving"):
        ask(worker, tiny_folder)


def test_what_nobody_foresaw_is_told_and_survived(
    worker: Worker,
    tiny_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    expected = ids_of(ask(worker, tiny_folder))
    fail_once(monkeypatch, LookupError("a defect"))
    failed = ask(worker, tiny_folder).last
    assert type(failed) is StarChatError
    assert "LookupError: a defect" in failed.message
    assert "Traceback" in capsys.readouterr().err, "it goes to the engine's log"
    assert ids_of(ask(worker, tiny_folder)) == expected


def test_a_config_that_transformers_refuses_is_survived(
    worker: Worker, tiny_folder: Path, tmp_path: Path
) -> None:
    strange = Path(shutil.copytree(tiny_folder, tmp_path / "strange"))
    config = json.loads((strange / "config.json").read_text())
    # No plain attention, so that transformers computes it.
    config |= {"scale_attn_weights": False, "n_layer": "two"}
    (strange / "config.json").write_text(json.dumps(config))
    assert isinstance(ask(worker, strange).last, ModelUnavailable)
    assert ids_of(ask(worker, tiny_folder))


# The thread's own traceback is what goes to the engine's log.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_torch_that_cannot_be_imported_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "starchat_tui.engine.serving.model_pool", None)
    broken, seen = Worker(Choices(cache=tmp_path)), Seen()
    broken.submit(Job("m", seen))
    broken.start()
    assert isinstance(seen.last, EngineGone)
    assert seen.last.message.startswith("torch cannot be used (ModuleNotFoundError")
    assert seen.last.hint
    block_until(lambda: not broken.alive)
    with pytest.raises(EngineGone, match="torch cannot be used"):
        broken.submit(Job("m", Seen()))


def test_who_waits_is_told_when_the_engine_leaves(worker: Worker, tiny_folder: Path) -> None:
    busy, waiting = ask(worker, tiny_folder, max_tokens=500), ask(worker, tiny_folder)
    block_until(lambda: any(isinstance(event, Delta) for event in busy.events))
    worker.leave()
    assert isinstance(waiting.last, Unavailable)
    assert isinstance(busy.last, Delta)
    assert busy.last.finish_reason == "cancelled"


async def test_a_long_silence_is_broken_by_heartbeats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "HEARTBEAT", 0.01)
    # Its thread is never started: as in a load that takes minutes.
    ticket = routes.Ticket(Worker(Choices(cache=tmp_path)), "m", Request("m", (1,), progress=False))
    events = ticket.events()
    assert [await anext(events) for _ in range(3)] == [None, None, None]
    ticket.cancel()
    last = [event async for event in events if event is not None]
    assert last == [Delta(finish_reason="cancelled")]


def test_a_job_that_left_the_queue_is_not_begun(worker: Worker, tiny_folder: Path) -> None:
    busy, seen = ask(worker, tiny_folder, max_tokens=500), Seen()
    job = Job(str(tiny_folder), seen, Request(str(tiny_folder), (1,)))
    worker.submit(job)
    worker.cancel(job)
    assert isinstance(seen.last, Delta)
    assert seen.last.finish_reason == "cancelled"
    assert busy.last
    block_until(lambda: worker.state == "idle")
    assert worker.finished_jobs == 1
    assert "prefill" not in {event.stage for event in seen.events if isinstance(event, Progress)}
