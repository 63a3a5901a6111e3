"""Scheduler: order of the turns, and that no request notices the others."""

from __future__ import annotations

import gc
import random
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import torch

from starchat_tui.client.protocol import Delta, ModelCard, Progress, Request, Sampling
from starchat_tui.engine.generate import PREFILL_CHUNK
from starchat_tui.engine.models import device as devices
from starchat_tui.engine.models.bigcode import BigCodeModel, StaticCache
from starchat_tui.engine.serving.completion import Completion
from starchat_tui.engine.serving.job import Event, Job
from starchat_tui.engine.serving.model_pool import ModelPool
from starchat_tui.engine.serving.scheduler import Scheduler
from starchat_tui.engine.speculation import StepCosts
from starchat_tui.errors import OutOfMemory, StarChatError, UsageError
from tests.engine.requests import ignore_progress
from tests.fakes import save_tiny_model

SAMPLINGS = {
    "greedy": Sampling(40, temperature=0.0),
    "seeded": Sampling(40, temperature=0.9, top_k=40, top_p=0.9, seed=3),
    "penalized": Sampling(40, temperature=0.7, repetition_penalty=1.2, seed=4),
}
FAULT = 77
"""Token that a model under `break_model` fails at."""


@dataclass
class Asker:
    """Client of one job, and the events that it got."""

    job: Job
    events: list[Event] = field(default_factory=list)

    @property
    def ids(self) -> list[int]:
        return [token for event in self.events if isinstance(event, Delta) for token in event.ids]

    @property
    def reason(self) -> str | None:
        last = self.events[-1]
        assert isinstance(last, Delta), last
        return last.finish_reason


@pytest.fixture(autouse=True)
def one_token_each_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """No tokens are proposed, as on a device where each token of a forward pass costs a pass."""
    monkeypatch.setattr(StepCosts, "estimate_ratio", lambda costs, size: size**2)


@pytest.fixture
def pool(tmp_path: Path) -> ModelPool:
    return ModelPool(device="cpu", cache_dir=tmp_path / "cache")


@pytest.fixture
def scheduler(pool: ModelPool) -> Scheduler:
    return Scheduler(pool, device="cpu", capacity=8)


def ask(scheduler: Scheduler, folder: Path, *ids: int, **fields: object) -> Asker:
    """Start a greedy request that ends after 40 tokens, with other fields replaced."""
    plain = Request(str(folder), ids or (1, 2, 3), SAMPLINGS["greedy"], ignore_eos=True)
    asker = Asker(Job(str(folder), lambda event: asker.events.append(event)))
    asker.job.request = replace(plain, **fields)  # type: ignore[arg-type]
    scheduler.start(asker.job)
    return asker


def run_all(scheduler: Scheduler) -> list[Job]:
    """Run turns until no request is left; return the jobs in the order of their ends."""
    ended = []
    while not scheduler.is_idle:
        if job := scheduler.run_turn():
            ended.append(job)
    return ended


def trace_order(askers: Iterable[Asker], run_turn: Callable[[], object]) -> str:
    """Return the letters of the askers whose tokens came, in order, until `run_turn` is false."""
    order, counts = "", [0, 0]
    askers = list(askers)
    while run_turn():
        for index, asker in enumerate(askers):
            new = len(asker.ids) - counts[index]
            order += "ab"[index] * new
            counts[index] += new
    return order


def test_the_tokens_of_two_requests_alternate(scheduler: Scheduler, tiny_folder: Path) -> None:
    askers = ask(scheduler, tiny_folder, 1), ask(scheduler, tiny_folder, 2)

    def run_turn() -> bool:
        if scheduler.is_idle:
            return False
        scheduler.run_turn()
        return True

    assert trace_order(askers, run_turn) == "ab" * 40


def test_a_short_question_is_answered_during_a_long_answer(
    scheduler: Scheduler, tiny_folder: Path
) -> None:
    long = ask(scheduler, tiny_folder, sampling=Sampling(400, temperature=0.0))
    for _ in range(10):
        scheduler.run_turn()
    short = ask(scheduler, tiny_folder, 9, 8, sampling=Sampling(8, temperature=0.0))
    before = len(long.ids)
    while not short.ids:
        scheduler.run_turn()
    assert len(long.ids) - before <= 3
    while scheduler.run_turn() is not short.job:
        pass
    assert short.reason == "length"
    assert len(long.ids) - before <= 10
    assert run_all(scheduler) == [long.job]
    assert len(long.ids) == 400


def test_an_answer_continues_between_the_chunks_of_a_long_prompt(
    scheduler: Scheduler, long_folder: Path
) -> None:
    talking = ask(scheduler, long_folder, sampling=Sampling(60, temperature=0.0))
    scheduler.run_turn()
    prompt = random.Random(0).choices(range(256), k=5 * PREFILL_CHUNK)
    reading = ask(scheduler, long_folder, *prompt)
    while not reading.ids:
        scheduler.run_turn()
    assert len(talking.ids) == 1 + 5, "one token before each chunk"
    run_all(scheduler)
    assert (len(talking.ids), len(reading.ids)) == (60, 40)


def answer_alone(folder: Path, cache_dir: Path, request: Request) -> tuple[list[int], str]:
    """Return the ids and the text of an answer by an engine that has nothing else to do."""
    model = ModelPool(device="cpu", cache_dir=cache_dir).get_model(str(folder), ignore_progress)
    deltas: list[Delta | Progress] = []
    last = Completion(model, request, keep_going=lambda: True).run(deltas.append)
    found = [delta for delta in (*deltas, last) if isinstance(delta, Delta)]
    ids = [token for delta in found for token in delta.ids]
    return ids, "".join(delta.text for delta in found)


@pytest.mark.parametrize("speculates", [False, True])
@pytest.mark.parametrize("sampling", SAMPLINGS.values(), ids=SAMPLINGS)
def test_four_askers_get_what_they_would_alone(
    scheduler: Scheduler,
    tiny_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    sampling: Sampling,
    speculates: bool,
) -> None:
    if speculates:
        monkeypatch.setattr(StepCosts, "estimate_ratio", lambda costs, size: 1.0)
    rng = random.Random(1)
    begin = rng.choices(range(256), k=30)
    prompts = [begin + rng.choices(range(256), k=number) for number in (3, 50, 9, 21)]
    askers = []
    for prompt in prompts:
        askers.append(ask(scheduler, tiny_folder, *prompt, sampling=sampling))
        scheduler.run_turn()
    run_all(scheduler)
    monkeypatch.setattr(StepCosts, "estimate_ratio", lambda costs, size: size**2)
    for asker, prompt in zip(askers, prompts, strict=True):
        request = Request("m", tuple(prompt), sampling, ignore_eos=True)
        ids, text = answer_alone(tiny_folder, tmp_path, request)
        assert asker.ids == ids
        assert "".join(one.text for one in asker.events if isinstance(one, Delta)) == text
        assert asker.reason == "length"


def test_one_of_four_is_cancelled(scheduler: Scheduler, tiny_folder: Path) -> None:
    askers = [ask(scheduler, tiny_folder, number) for number in range(4)]
    for _ in range(4 * 5):
        scheduler.run_turn()
    askers[2].job.cancelled.set()
    assert scheduler.run_turn() is None
    assert scheduler.run_turn() is None
    assert scheduler.run_turn() is askers[2].job
    assert (askers[2].reason, len(askers[2].ids)) == ("cancelled", 5)
    run_all(scheduler)
    assert [len(asker.ids) for asker in askers] == [40, 40, 5, 40]
    assert scheduler.generated_tokens == 125
    assert scheduler.prefilled_tokens == 4


def break_model(monkeypatch: pytest.MonkeyPatch, *errors: Exception) -> None:
    """Have the model fail at each sequence of tokens with a `FAULT`, once for each error."""
    forward, left = BigCodeModel.forward, list(errors)

    def failing(self: BigCodeModel, ids: list[int], cache: StaticCache) -> torch.Tensor:
        if FAULT in ids and left:
            raise left.pop(0)
        return forward(self, ids, cache)

    monkeypatch.setattr(BigCodeModel, "forward", failing)


@pytest.mark.parametrize(
    "error",
    [
        UsageError("a refusal", "a hint"),
        RuntimeError("mat1 and mat2 do not fit"),
        LookupError("a defect"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_of_one_of_four_ends_only_that(
    scheduler: Scheduler, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    break_model(monkeypatch, error)
    askers = [ask(scheduler, tiny_folder, *ids) for ids in ((1,), (2,), (3, FAULT), (4,))]
    assert run_all(scheduler)[0] is askers[2].job
    failure = askers[2].events[-1]
    assert isinstance(failure, StarChatError)
    assert str(error).split()[-1] in failure.message
    assert [len(asker.ids) for asker in askers] == [40, 40, 0, 40]
    assert not scheduler.is_device_broken


def test_a_broken_device_is_noted(
    scheduler: Scheduler, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_model(monkeypatch, RuntimeError("CUDA error: device-side assert triggered"))
    asker = ask(scheduler, tiny_folder, FAULT)
    assert scheduler.run_turn() is asker.job
    assert scheduler.is_device_broken


def test_a_request_without_memory_is_tried_once_more(
    scheduler: Scheduler, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = ask(scheduler, tiny_folder, 5, FAULT)
    run_all(scheduler)
    break_model(monkeypatch, *(torch.OutOfMemoryError("CUDA out of memory") for _ in range(3)))
    askers = [ask(scheduler, tiny_folder, *ids) for ids in ((1,), (6, FAULT))]
    run_all(scheduler)
    assert isinstance(askers[1].events[-1], OutOfMemory)
    assert len(askers[0].ids) == 40
    again = ask(scheduler, tiny_folder, 5, FAULT)
    run_all(scheduler)
    assert again.ids == free.ids, "the third error is followed by an answer"
    last = again.events[-1]
    assert isinstance(last, Delta)
    assert last.usage
    assert last.usage.cached_tokens == 0, "the known prefixes made room"


def test_a_request_that_has_answered_is_not_tried_again(
    scheduler: Scheduler, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asker = ask(scheduler, tiny_folder)
    for _ in range(3):
        scheduler.run_turn()
    monkeypatch.setattr(BigCodeModel, "forward", raise_out_of_memory)
    assert scheduler.run_turn() is asker.job
    assert isinstance(asker.events[-1], OutOfMemory)
    assert len(asker.ids) == 3
    assert scheduler.generated_tokens == 3


def raise_out_of_memory(*arguments: object) -> torch.Tensor:
    raise torch.OutOfMemoryError("CUDA out of memory")


def test_no_more_requests_run_than_allowed(pool: ModelPool, tiny_folder: Path) -> None:
    scheduler = Scheduler(pool, device="cpu", capacity=2)
    waiting = Job(str(tiny_folder), print, Request(str(tiny_folder), (1,)))
    assert scheduler.can_start(waiting)
    askers = [ask(scheduler, tiny_folder, number) for number in range(2)]
    assert not scheduler.can_start(waiting)
    askers[0].job.cancelled.set()
    scheduler.run_turn()
    assert scheduler.can_start(waiting)


def test_a_load_waits_for_the_running_requests(
    scheduler: Scheduler, tiny_folder: Path, tmp_path: Path
) -> None:
    other = save_tiny_model(tmp_path / "other", seed=1)
    asker = ask(scheduler, tiny_folder)
    load = Asker(Job(str(other), lambda event: load.events.append(event)))
    assert not scheduler.can_start(load.job)
    known = Asker(Job(str(tiny_folder), lambda event: known.events.append(event)))
    assert scheduler.can_start(known.job), "there is nothing to load"
    assert scheduler.start(known.job)
    assert isinstance(known.events[-1], ModelCard)
    run_all(scheduler)
    assert len(asker.ids) == 40
    assert scheduler.can_start(load.job)
    assert scheduler.start(load.job)
    assert isinstance(load.events[-1], ModelCard)
    mixed = ask(scheduler, tiny_folder), ask(scheduler, other)
    assert scheduler.can_start(Job(str(other), print, Request(str(other), (1,))))
    run_all(scheduler)
    assert [len(one.ids) for one in mixed] == [40, 40]
    assert mixed[0].ids == asker.ids


def test_a_request_waits_where_its_cache_would_not_fit(
    scheduler: Scheduler, pool: ModelPool, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        ask(scheduler, tiny_folder, *([number] * 100))
        run_all(scheduler)
    caches = pool.get_model(str(tiny_folder), ignore_progress).cache_pool
    running = ask(scheduler, tiny_folder, 9)
    scheduler.run_turn()
    known = caches.tree.bytes
    assert known > 0
    waiting = Job(str(tiny_folder), print, Request(str(tiny_folder), (8,) * 10, Sampling(30)))
    needed = caches.estimate_growth(40)
    free = {"bytes": needed}
    monkeypatch.setattr(devices, "get_free_bytes", lambda device: free["bytes"])
    assert scheduler.can_start(waiting)
    assert caches.tree.bytes == known, "nothing had to go"
    free["bytes"] = needed - 1
    assert scheduler.can_start(waiting)
    assert 0 < caches.tree.bytes < known, "the tree shrinks first"
    free["bytes"] = needed - known - 1
    assert not scheduler.can_start(waiting)
    free["bytes"] = needed
    assert not scheduler.can_start(waiting), "not asked again before a request has ended"
    running.job.cancelled.set()
    ask(scheduler, tiny_folder, 7)
    assert scheduler.run_turn() is running.job
    assert scheduler.can_start(waiting)


def test_four_clients_that_hang_up_leave_no_caches(
    scheduler: Scheduler, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    created: list[weakref.ref[StaticCache]] = []
    new_cache = BigCodeModel.new_cache

    def count(self: BigCodeModel) -> StaticCache:
        cache = new_cache(self)
        created.append(weakref.ref(cache))
        return cache

    monkeypatch.setattr(BigCodeModel, "new_cache", count)
    for _ in range(5):
        askers = [ask(scheduler, tiny_folder, number, 1, 2) for number in range(4)]
        for _ in range(10):
            scheduler.run_turn()
        for asker in askers:
            asker.job.cancelled.set()
        assert len(run_all(scheduler)) == 4
    gc.collect()
    assert len(created) > 4
    assert sum(cache() is not None for cache in created) == 1, "the one that is kept for the next"
