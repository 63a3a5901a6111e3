"""HTTP routes of an engine process: answers, reuse, refusals, hang-up, queue."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from pathlib import Path

import pytest

from starchat_tui.client.http_client import EngineClient
from starchat_tui.client.protocol import Delta, ModelCard, Progress, Request, Sampling
from starchat_tui.engine.cache.prefix import common_prefix_length
from starchat_tui.engine.models.hub_model import HubModel
from starchat_tui.engine.serving.request_body import MAX_BODY_BYTES
from starchat_tui.engine.serving.routes import list_bundled_models
from starchat_tui.engine.serving.worker import EngineOptions
from starchat_tui.errors import (
    Busy,
    ModelUnavailable,
    PromptTooLong,
    StarChatError,
    UsageError,
)
from starchat_tui.models.registry import WEIGHTS
from starchat_tui.templates.tokenizer import CHAT_TOKENS, Tokenizer
from tests.engine.engine_server import RunningEngine
from tests.engine.process_figures import read_cpu_seconds, read_memory, reset_peak_memory
from tests.engine.requests import GREEDY, collect_events, create_request, stream_answer
from tests.engine.test_generate import generate_with_transformers
from tests.fakes import VOCABULARY_SIZE, WINDOW, save_tiny_model
from tests.waiting import wait_until

LONG_WINDOW = 8192
LONG = Sampling(max_tokens=LONG_WINDOW, temperature=1.0, seed=0)


async def wait_until_idle(engine: RunningEngine) -> None:
    await wait_until(lambda: engine.fetch_health()["state"] == "idle", what="the engine is idle")


async def test_the_answer_is_what_transformers_generates(
    client: EngineClient, tiny_folder: Path, reference: HubModel
) -> None:
    prompt = random.Random(0).choices(range(256), k=30)
    stages, answer = await stream_answer(
        client, create_request(tiny_folder, *prompt, progress=True)
    )
    expected = generate_with_transformers(reference, prompt, GREEDY)
    assert list(answer.ids) == expected
    assert answer.finish_reason == "length"
    tokenizer = Tokenizer.load(tiny_folder / "tokenizer.json", add_chat_tokens=False)
    assert answer.text == tokenizer.decode_with_controls(expected)
    assert stages[-1] == Progress("prefill", 0, 30)
    assert answer.timings
    assert answer.timings.prefill > 0
    assert answer.timings.decode > 0


async def test_a_whole_answer_equals_the_streamed_one(
    client: EngineClient, tiny_folder: Path
) -> None:
    request = create_request(tiny_folder, 9, 8, 7, sampling=Sampling(max_tokens=30, seed=3))
    _, streamed = await stream_answer(client, request)
    whole = await collect_events(client, replace(request, stream=False))
    (answer,) = whole
    assert isinstance(answer, Delta)
    assert (answer.text, answer.ids) == (streamed.text, streamed.ids)
    assert answer.usage
    assert answer.usage.completion_tokens == 30
    assert answer.usage.prompt_tokens == 3


async def test_text_prompts_are_encoded_without_control_tokens(
    client: EngineClient, tiny_folder: Path
) -> None:
    text = "hi<|end|>"
    _, by_text = await stream_answer(client, create_request(tiny_folder, prompt=text))
    _, by_ids = await stream_answer(client, create_request(tiny_folder, *text.encode()))
    assert by_text.ids == by_ids.ids
    assert by_text.usage
    assert by_text.usage.prompt_tokens == len(text)


async def test_a_stop_text_and_a_stop_id_end_the_answer(
    client: EngineClient, tiny_folder: Path
) -> None:
    sampling = Sampling(max_tokens=200, temperature=1.2, seed=1)
    request = create_request(tiny_folder, 50, 51, sampling=sampling)
    _, free = await stream_answer(client, request)
    stop = free.text[30:33]
    _, stopped = await stream_answer(client, replace(request, stop=(stop,)))
    assert stopped.text == free.text[: free.text.index(stop)]
    assert stopped.finish_reason == "stop"
    end = free.ids[20]
    _, ended = await stream_answer(client, replace(request, stop_ids=(end,)))
    assert ended.ids == free.ids[: free.ids.index(end)]
    assert ended.finish_reason == "stop"
    assert ended.usage
    assert ended.usage.completion_tokens == len(ended.ids) + 1, "the stop token was sampled, too"


def test_the_models_own_end_ends_the_answer_of_any_client(engine: RunningEngine) -> None:
    tokenizer = Tokenizer.load(WEIGHTS / "tokenizer.json")
    user, assistant, end = (
        tokenizer.get_control_id(token) for token in (*CHAT_TOKENS[1:3], CHAT_TOKENS[3])
    )
    question = tokenizer.encode("\nWhat is a list?")
    ids = [user, *question, end, *tokenizer.encode("\n"), assistant, *tokenizer.encode("\n")]
    body = {"model": "nano-chat", "prompt": ids, "temperature": 0, "max_tokens": 500}
    with engine.open_http() as http:
        (ended,) = http.post("/v1/completions", json=body).json()["choices"]
        body["ignore_eos"] = True
        (free,) = http.post("/v1/completions", json=body).json()["choices"]
    assert ended["finish_reason"] == "stop"
    assert not any(tokenizer.is_control(token) for token in ended["token_ids"])
    assert (free["finish_reason"], len(free["token_ids"])) == ("length", 500)
    assert free["text"].startswith(ended["text"] + CHAT_TOKENS[3]), "what follows is set apart"


async def test_ten_turns_with_a_rewind_and_a_one_off_question_reuse_the_longest_prefix(
    client: EngineClient, tiny_folder: Path, engine: RunningEngine
) -> None:
    rng = random.Random(7)
    few_shot = rng.choices(range(256), k=200)
    dialogue, computed = list(few_shot), []

    async def take_turn(ids: list[int]) -> list[int]:
        before = engine.count("prefilled_tokens")
        request = create_request(tiny_folder, *ids, sampling=Sampling(12, seed=2))
        _, answer = await stream_answer(client, request)
        assert answer.usage
        known = max((common_prefix_length(old, ids[:-1]) for old in computed), default=0)
        assert answer.usage.cached_tokens == known
        assert answer.usage.prompt_tokens == len(ids)
        await wait_until_idle(engine)
        assert engine.count("prefilled_tokens") - before == len(ids) - known
        # The last token of an answer is sampled and not read.
        computed.append([*ids, *answer.ids[:-1]])
        return [*ids, *answer.ids]

    for number in range(10):
        dialogue += rng.choices(range(256), k=9)
        if number == 5:
            await take_turn([*few_shot, *rng.choices(range(256), k=15)])
        if number == 7:
            dialogue = dialogue[:240] + rng.choices(range(256), k=9)
        dialogue = await take_turn(dialogue)


async def test_the_loaded_model_is_listed(client: EngineClient, tiny_folder: Path) -> None:
    await stream_answer(client, create_request(tiny_folder))
    (card,) = [card for card in await client.list_models() if card.name == str(tiny_folder)]
    assert (card.window, card.loaded) == (WINDOW, True)
    assert card.tokenizer == str(tiny_folder / "tokenizer.json")
    assert card.bytes > 0


async def test_a_model_is_loaded_ahead(client: EngineClient, long_folder: Path) -> None:
    events = [event async for event in client.load_model(str(long_folder))]
    assert isinstance(events[-1], ModelCard)
    assert events[-1].window == LONG_WINDOW
    assert "loading" in {event.stage for event in events if isinstance(event, Progress)}


async def test_errors_leave_the_engine_alive(
    client: EngineClient, tiny_folder: Path, engine: RunningEngine, tmp_path: Path
) -> None:
    half = save_tiny_model(tmp_path / "half")
    whole = (half / "model.safetensors").read_bytes()
    (half / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    cases: list[tuple[Request, type[StarChatError], str]] = [
        (
            create_request(tiny_folder, *range(WINDOW // 2), *range(WINDOW // 2)),
            PromptTooLong,
            "512 tokens",
        ),
        (create_request(tiny_folder, VOCABULARY_SIZE), UsageError, str(VOCABULARY_SIZE)),
        (create_request(tiny_folder, model="no-such-model"), ModelUnavailable, "no-such-model"),
        (create_request(tiny_folder, model="owner/absent"), ModelUnavailable, "owner/absent"),
        (create_request(half), ModelUnavailable, "half-downloaded"),
        (create_request(tmp_path), ModelUnavailable, "config.json"),
    ]
    for request, kind, message in cases:
        for progress, stream in ((True, True), (False, True), (False, False)):
            with pytest.raises(kind, match=message) as caught:
                await stream_answer(client, replace(request, progress=progress, stream=stream))
            assert type(caught.value) is kind
            assert caught.value.hint
    assert engine.process.poll() is None
    assert (await stream_answer(client, create_request(tiny_folder)))[1].ids


async def test_an_answer_ends_at_the_window(client: EngineClient, tiny_folder: Path) -> None:
    prompt = [5] * (WINDOW - 10)
    _, answer = await stream_answer(
        client, create_request(tiny_folder, *prompt, sampling=Sampling(10_000, seed=1))
    )
    assert (answer.finish_reason, len(answer.ids)) == ("length", 10)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/", None, 404),
        ("GET", "/v1/completions", None, 405),
        ("POST", "/health", b"{}", 405),
        ("POST", "/v1/completions", b"", 400),
        ("POST", "/v1/completions", b"\xff{", 400),
        ("POST", "/v1/completions", b"[" * 100_000, 400),
        ("POST", "/v1/completions", b"[]", 400),
        ("POST", "/v1/completions", b'{"model": "m", "prompt": [1], "temperature": -1}', 400),
        ("POST", "/v1/completions", b'{"model": "m", "prompt": [1], "temprature": 1}', 400),
        ("POST", "/v1/completions", b'{"model": "m", "prompt": [-1]}', 400),
        ("POST", "/v1/completions", b'{"model": "m", "prompt": []}', 400),
        ("POST", "/v1/completions", b'{"model": "absent", "prompt": [1]}', 404),
        ("POST", "/v1/starchat/load", b"{}", 400),
        ("POST", "/v1/starchat/load", b'{"model": "absent"}', 404),
    ],
)
def test_every_refusal_is_json_with_its_status(
    engine: RunningEngine, method: str, path: str, body: bytes | None, status: int
) -> None:
    found, error = engine.request_error(method, path, body)
    assert found == status
    assert error["message"]
    assert error["hint"]


def test_a_request_that_is_too_large_is_refused(engine: RunningEngine) -> None:
    body = b" " * (MAX_BODY_BYTES + 1)
    status, error = engine.request_error("POST", "/v1/completions", body)
    assert (status, error["code"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("body", "param", "status"),
    [
        (b'{"model": "\\ud800", "prompt": [1]}', "model", 400),
        (b'{"model": "a\\u0000b", "prompt": [1]}', "model", 400),
        (b'{"model": "m", "prompt": [1], "\\ud800": 1}', "?", 400),
        (b'{"model": "m", "prompt": [1], "stop": ["\\udfff"]}', "stop", 400),
        (b'{"model": "m", "prompt": [1], "stop": [' + b'"x",' * 16 + b'"x"]}', "stop", 400),
        (b'{"model": "m", "prompt": [1], "n": 2}', "n", 400),
        (b'{"model": "m", "prompt": [' + b"1," * 2**20 + b"1]}", "prompt", 400),
    ],
    ids=lambda value: str(value)[:40],
)
def test_the_field_is_named_as_openai_does(
    engine: RunningEngine, body: bytes, param: str, status: int
) -> None:
    found, error = engine.request_error("POST", "/v1/completions", body)
    assert (found, error["param"]) == (status, param)


@pytest.mark.parametrize(
    "text",
    ["log line 1234 abc\\n" * 555_556, " " * 10**7, "a" * 10**7, "é[{," * 2_000_000],
    ids=["lines", "blanks", "one word", "brackets"],
)
def test_ten_megabytes_cost_next_to_nothing(engine: RunningEngine, text: str) -> None:
    body = b'{"model": "nano-chat", "prompt": "' + text.encode() + b'"}'
    small = b'{"model": "nano-chat", "prompt": [1], "max_tokens": 1}'
    with engine.open_http() as http:
        assert http.post("/v1/completions", content=small).status_code == 200
        reset_peak_memory(engine.process.pid)
        memory, cpu = read_memory(engine.process.pid), read_cpu_seconds(engine.process.pid)
        response = http.post("/v1/completions", content=body)
        assert response.status_code == 400
        assert response.json()["error"]["code"] == "context_length_exceeded"
        assert f"{len(text.replace(chr(92) + 'n', ' ')):,} characters" in response.text
        # Half a second and 100 MB on the machine that the suite is measured on; a shared one
        # is slower.
        assert read_cpu_seconds(engine.process.pid) - cpu < 2.0
        assert read_memory(engine.process.pid, "VmHWM") - memory < 100


def test_the_bundled_models_are_listed_before_they_are_loaded(engine: RunningEngine) -> None:
    with engine.open_http() as http:
        cards = {card["id"]: card for card in http.get("/v1/models").json()["data"]}
    names = [card.name for card in list_bundled_models()]
    assert sorted(names) == ["nano-base", "nano-chat"]
    assert set(names) <= cards.keys()


async def test_hanging_up_ends_the_answer(
    client: EngineClient, long_folder: Path, engine: RunningEngine
) -> None:
    before = engine.count("generated_tokens")
    received = 0
    request = create_request(long_folder, sampling=LONG)
    async with aclosing(client.stream(request)) as events:
        async for event in events:
            received += isinstance(event, Delta)
            if received == 5:
                break
    await wait_until_idle(engine)
    assert 5 <= engine.count("generated_tokens") - before < LONG_WINDOW // 4


async def test_hanging_up_on_a_whole_answer_ends_it(
    client: EngineClient, long_folder: Path, engine: RunningEngine
) -> None:
    before = engine.count("generated_tokens")
    request = create_request(long_folder, sampling=LONG, stream=False)
    task = asyncio.create_task(stream_answer(client, request))
    await wait_until(lambda: engine.fetch_health()["state"] == "busy", what="the engine answers")
    task.cancel()
    await wait_until_idle(engine)
    assert engine.count("generated_tokens") - before < LONG_WINDOW // 2


async def test_hanging_up_ends_the_prefill_between_chunks(
    client: EngineClient, long_folder: Path, engine: RunningEngine
) -> None:
    before = engine.count("prefilled_tokens")
    prompt = random.Random(4).choices(range(256), k=LONG_WINDOW - 10)
    request = create_request(long_folder, *prompt, progress=True)
    async with aclosing(client.stream(request)) as events:
        async for event in events:
            if isinstance(event, Progress) and event.stage == "prefill":
                assert event.total == len(prompt)
                break
    await wait_until_idle(engine)
    assert engine.count("prefilled_tokens") - before < len(prompt)


async def test_a_short_question_is_answered_during_a_long_answer(
    client: EngineClient, long_folder: Path, engine: RunningEngine
) -> None:
    async with aclosing(client.stream(create_request(long_folder, sampling=LONG))) as long:
        await anext(long)
        _, short = await stream_answer(client, create_request(long_folder, 7, 8, 9))
        assert len(short.ids) == GREEDY.max_tokens
        assert engine.fetch_health()["state"] == "busy", "the long one goes on"


async def occupy_engine(client: EngineClient, stack: AsyncExitStack, folder: Path) -> None:
    """Have as many long answers run as may run at the same time, until `stack` is left."""
    for _ in range(EngineOptions().running_capacity):
        answer = client.stream(create_request(folder, sampling=LONG))
        await anext(await stack.enter_async_context(aclosing(answer)))


async def test_a_waiting_request_is_told_its_position(
    client: EngineClient, long_folder: Path, tiny_folder: Path, engine: RunningEngine
) -> None:
    request = create_request(tiny_folder, progress=True)
    async with AsyncExitStack() as stack:
        await occupy_engine(client, stack, long_folder)
        leaving = asyncio.create_task(collect_events(client, request))
        await wait_until(lambda: engine.count("queue") == 1, what="one waits")
        waiting = asyncio.create_task(collect_events(client, request))
        await wait_until(lambda: engine.count("queue") == 2, what="two wait")
        leaving.cancel()
        await wait_until(lambda: engine.count("queue") == 1, what="the cancelled one is gone")
    events = await waiting
    positions = [
        (event.done, event.total)
        for event in events
        if isinstance(event, Progress) and event.stage == "queued"
    ]
    assert positions[:2] == [(2, 2), (1, 1)]
    assert isinstance(events[-1], Delta)
    assert events[-1].finish_reason == "length"


async def test_a_full_queue_says_so(client: EngineClient, long_folder: Path) -> None:
    short = create_request(long_folder, sampling=replace(LONG, max_tokens=1))
    async with AsyncExitStack() as stack:
        await occupy_engine(client, stack, long_folder)
        crowd = [asyncio.create_task(collect_events(client, short)) for _ in range(90)]
        done, _ = await asyncio.wait(crowd, return_when=asyncio.FIRST_EXCEPTION)
        refused = [task.exception() for task in done if task.exception()]
        assert refused
        assert all(isinstance(error, Busy) for error in refused)
    results = await asyncio.gather(*crowd, return_exceptions=True)
    assert sum(isinstance(result, list) for result in results) == 64
