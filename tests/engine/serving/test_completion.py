"""Completion of one request, without a server: prompt checks, usage, stop texts, cancellation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from starchat_tui.client.protocol import Delta, Progress, Request, Sampling
from starchat_tui.engine.serving.completion import Completion, encode_prompt
from starchat_tui.engine.serving.model_pool import LoadedModel, ModelPool
from starchat_tui.engine.speculation import StepCosts
from starchat_tui.errors import PromptTooLong, UsageError
from tests.engine.requests import ignore_progress
from tests.fakes import CHAT_IDS, VOCABULARY_SIZE, WINDOW

REQUEST = Request("m", (1, 2, 3), Sampling(max_tokens=20, temperature=0))


@pytest.fixture
def model(tiny_folder: Path, tmp_path: Path) -> LoadedModel:
    return ModelPool(device="cpu", cache_dir=tmp_path).get_model(str(tiny_folder), ignore_progress)


@pytest.fixture(autouse=True)
def one_token_each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """No tokens are proposed, as on a device where each token of a forward pass costs a pass."""
    monkeypatch.setattr(StepCosts, "estimate_ratio", lambda costs, size: size**2)


def complete(
    model: LoadedModel, request: Request, *, steps: int = 10_000
) -> tuple[list[Delta | Progress], Delta]:
    """Return the events and the last delta of a request that is cancelled after `steps` checks."""
    events: list[Delta | Progress] = []
    checks = iter(range(10_000))
    completion = Completion(model, request, keep_going=lambda: next(checks) < steps)
    return events, completion.run(events.append, queued=1.5)


def list_ids(events: list[Delta | Progress]) -> list[int]:
    return [token for event in events if isinstance(event, Delta) for token in event.ids]


def test_the_last_delta_counts_and_times(model: LoadedModel) -> None:
    events, last = complete(model, REQUEST)
    assert (last.finish_reason, len(list_ids(events))) == ("length", 20)
    assert last.usage
    assert (last.usage.prompt_tokens, last.usage.completion_tokens) == (3, 20)
    assert last.usage.cached_tokens == 0
    assert last.timings
    assert last.timings.queued == 1.5
    _, again = complete(model, REQUEST)
    assert again.usage
    assert again.usage.cached_tokens == 2, "the last token is computed for its logits"


def test_the_text_is_that_of_the_ids(model: LoadedModel) -> None:
    events, last = complete(model, replace(REQUEST, sampling=Sampling(60, 1.0, seed=4)))
    text = "".join(event.text for event in events if isinstance(event, Delta)) + last.text
    assert text == model.tokenizer.decode_with_controls(list_ids(events))


def test_a_control_token_in_mid_answer_is_spelled(model: LoadedModel) -> None:
    # Of two answers in one text, the first ends where its token is.
    token = "<|end|>"
    sampling = Sampling(max_tokens=400, temperature=1.5, seed=1)
    request = replace(REQUEST, sampling=sampling, ignore_eos=True)
    events, last = complete(model, request)
    ids = list_ids(events)
    assert (last.finish_reason, len(ids)) == ("length", 400)
    control_ids = [one for one in ids if one in CHAT_IDS]
    assert control_ids
    text = "".join(event.text for event in events if isinstance(event, Delta)) + last.text
    assert text.count(token) == ids.count(CHAT_IDS[3]) > 0
    ending, last = complete(model, replace(request, ignore_eos=False))
    ends = [ids.index(one) for one in model.end_ids if one in ids]
    assert (list_ids(ending), last.finish_reason) == (ids[: min(ends)], "stop")


def complete_anew(model: LoadedModel, request: Request) -> tuple[list[int], str, str | None, Delta]:
    """Return ids, text, reason and last delta of a request whose prefix is not known."""
    model.cache_pool.clear()
    events, last = complete(model, request)
    text = "".join(event.text for event in events if isinstance(event, Delta)) + last.text
    return list_ids(events), text, last.finish_reason, last


def test_proposals_change_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Unlike a random model it copies the code of its prompt.
    model = ModelPool(device="cpu", cache_dir=tmp_path).get_model("nano-chat", ignore_progress)
    code = "def add(a, b):\n    total = a + b\n    print(total)\n    return total\n\n\n"
    long = Request("m", code * 3, Sampling(60, temperature=0), ignore_eos=True)
    ids, text, *_ = complete_anew(model, long)
    penalized = Sampling(60, temperature=0.5, repetition_penalty=1.05, seed=5)
    requests = (
        long,
        *(replace(long, stop=(text[start : start + 9],)) for start in range(40, 80, 7)),
        *(replace(long, stop_ids=(ids[index],)) for index in range(8, 40, 7)),
        replace(long, sampling=penalized),
    )
    expected = [complete_anew(model, request) for request in requests]
    monkeypatch.setattr(StepCosts, "estimate_ratio", lambda costs, size: 1.0)
    accepted = 0
    for request, (*same, last) in zip(requests, expected, strict=True):
        *found, fast = complete_anew(model, request)
        assert found == same
        assert fast.usage == last.usage
        assert fast.timings
        assert last.timings
        assert last.timings.proposed_tokens == 0
        assert fast.timings.accepted_tokens <= fast.timings.proposed_tokens
        accepted += fast.timings.accepted_tokens
    assert accepted > 50


def test_a_stop_id_ends_the_answer_and_is_not_sent(model: LoadedModel) -> None:
    free = list_ids(complete(model, REQUEST)[0])
    stop = free[7]
    events, last = complete(model, replace(REQUEST, stop_ids=(stop,)))
    assert list_ids(events) == free[: free.index(stop)]
    assert last.finish_reason == "stop"
    assert last.usage
    assert last.usage.completion_tokens == free.index(stop) + 1


def test_a_request_is_cancelled_between_prefill_chunks(model: LoadedModel) -> None:
    events, last = complete(model, REQUEST, steps=0)
    assert events == [Progress("prefill", 0, 3)]
    assert last.finish_reason == "cancelled"
    assert last.usage
    assert last.usage.completion_tokens == 0


def test_a_request_is_cancelled_after_a_token(model: LoadedModel) -> None:
    free = list_ids(complete(model, REQUEST)[0])
    events, last = complete(model, REQUEST, steps=5)
    assert last.finish_reason == "cancelled"
    assert list_ids(events) == free[:5], "one check is before the prefill, four pass, one cancels"
    assert list_ids(complete(model, REQUEST)[0]) == free


def test_a_text_prompt_spells_no_control_token(model: LoadedModel) -> None:
    ids = encode_prompt(model, "<|end|>")
    assert ids == tuple(b"<|end|>")
    assert not set(ids) & set(CHAT_IDS)


@pytest.mark.parametrize(
    ("prompt", "error", "message"),
    [
        ((), UsageError, "no token"),
        ("", UsageError, "no token"),
        ((1,) * WINDOW, PromptTooLong, f"{WINDOW} tokens"),
        ((1, VOCABULARY_SIZE), UsageError, str(VOCABULARY_SIZE)),
        ((1, -1), UsageError, "-1"),
    ],
)
def test_a_prompt_that_the_model_cannot_read_is_refused(
    model: LoadedModel, prompt: tuple[int, ...] | str, error: type[UsageError], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        encode_prompt(model, prompt)
    assert caught.value.hint


def test_the_longest_prompt_leaves_one_token_to_answer(model: LoadedModel) -> None:
    prompt = (5,) * (WINDOW - 1)
    assert encode_prompt(model, prompt) == prompt
    events, last = complete(model, replace(REQUEST, prompt=prompt))
    assert (len(list_ids(events)), last.finish_reason) == (1, "length")


def test_the_models_own_end_token_ends_the_answer(model: LoadedModel) -> None:
    request = Request("m", (1, 2, 3), Sampling(max_tokens=8, temperature=0.0))
    ids = list_ids(complete(model, request)[0])
    assert len(ids) == 8
    end = ids[3]
    ending = replace(model, end_ids=frozenset({end}))
    events, last = complete(ending, request)
    assert (list_ids(events), last.finish_reason) == (ids[: ids.index(end)], "stop")
    events, last = complete(ending, replace(request, ignore_eos=True))
    assert (list_ids(events), last.finish_reason) == (ids, "length")
