"""Bodies of requests: bounded in size, time and structure before they are parsed."""

from __future__ import annotations

import asyncio
import json
import random
import tracemalloc
from collections.abc import AsyncIterator

import pytest
from starlette.requests import Request

from starchat_tui.engine.serving import request_body
from starchat_tui.engine.serving.request_body import (
    MAX_BODY_BYTES,
    MAX_CONTAINERS,
    MAX_STRINGS,
    MAX_VALUES,
    BodyReader,
    parse_body,
)
from starchat_tui.errors import Busy, UsageError
from tests.fuzz_size import choose_size


def create_request(chunks: AsyncIterator[bytes], **headers: str) -> Request:
    async def receive() -> dict[str, object]:
        try:
            return {"type": "http.request", "body": await anext(chunks), "more_body": True}
        except StopAsyncIteration:
            return {"type": "http.request", "body": b"", "more_body": False}

    pairs = [(name.replace("_", "-").encode(), text.encode()) for name, text in headers.items()]
    return Request({"type": "http", "method": "POST", "headers": pairs}, receive)


async def iter_chunks(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def test_a_body_is_read_in_any_number_of_pieces() -> None:
    body = json.dumps({"model": "m", "prompt": 'é[{,\\"]'}).encode()
    pieces = [body[at : at + 1] for at in range(len(body))]
    assert await BodyReader().read_json(create_request(iter_chunks(*pieces))) == json.loads(body)
    assert await BodyReader().read_json(create_request(iter_chunks())) == {}
    assert await BodyReader().read_json(create_request(iter_chunks(b"\xef\xbb\xbf[1]"))) == [1]


async def test_a_body_is_refused_by_the_size_it_declares_before_it_is_read() -> None:
    read = 0

    async def count() -> AsyncIterator[bytes]:
        nonlocal read
        read += 1
        yield b""

    request = create_request(count(), content_length=str(MAX_BODY_BYTES + 1))
    with pytest.raises(UsageError, match="16,777,217 bytes"):
        await BodyReader().read_json(request)
    assert not read


async def test_a_body_is_refused_while_it_arrives() -> None:
    taken = 0

    async def flood() -> AsyncIterator[bytes]:
        nonlocal taken
        while True:
            taken += 2**20
            yield b" " * 2**20

    with pytest.raises(UsageError, match=r"at most 16,777,216"):
        await BodyReader().read_json(create_request(flood(), content_length="12"))
    assert taken <= MAX_BODY_BYTES + 2**20


async def test_a_body_that_stalls_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_body, "BODY_SECONDS", 0.05)

    async def stall() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    with pytest.raises(UsageError, match="did not arrive"):
        await BodyReader().read_json(create_request(stall()))


async def test_the_sum_of_all_bodies_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_body, "MAX_PENDING_BYTES", 100)
    reader, arrived, released = BodyReader(), asyncio.Event(), asyncio.Event()

    async def wait() -> AsyncIterator[bytes]:
        yield b" " * 60
        arrived.set()
        await released.wait()
        yield b"[1]"

    first = asyncio.create_task(reader.read_json(create_request(wait())))
    await arrived.wait()
    with pytest.raises(Busy):
        await reader.read_json(create_request(iter_chunks(b" " * 60)))
    released.set()
    assert await first == [1]
    assert await reader.read_json(create_request(iter_chunks(b" " * 97, b"[2]"))) == [2]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"[" * 10**6, "lists and objects"),
        (b'{"a":' * 10**6, "texts"),
        (b"[" + b"[]," * 10**6 + b"1]", "lists and objects"),
        (b"[" + b"1," * MAX_VALUES + b"1]", f"{MAX_VALUES + 1:,} values"),
        (b"[" + b'"",' * 10**6 + b"1]", "texts"),
        (b'{"a": "x', "not JSON"),
        (b'"' + b'\\"' * 10**6, "not JSON"),
        (b"\xff", "not JSON"),
        ("{}".encode("utf-16"), "not JSON"),
        (b"[NaN", "not JSON"),
        (b"9" * 5000, "not JSON"),
    ],
    ids=lambda value: str(value[:12]),
)
def test_a_body_of_too_much_is_refused_before_it_is_parsed(raw: bytes, message: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(UsageError, match=message) as caught:
            parse_body(raw)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert caught.value.hint
    assert peak < 4 * len(raw) + 2**20


def test_brackets_quotes_and_commas_in_a_text_are_no_structure() -> None:
    text = '[{,"\\' * 200_000 + "\\"
    assert parse_body(json.dumps({"prompt": text, "stop": ["]"]}).encode())["prompt"] == text


def test_the_largest_structure_is_accepted() -> None:
    assert len(parse_body(b"[" + b"1," * (MAX_VALUES - 1) + b"1]")) == MAX_VALUES
    assert parse_body(b"[" * MAX_CONTAINERS + b"]" * MAX_CONTAINERS)
    assert len(parse_body(json.dumps([""] * MAX_STRINGS).encode())) == MAX_STRINGS


def count_structure(value: object) -> tuple[int, int]:
    """Return the numbers of containers and of strings in a value, keys included."""
    if isinstance(value, dict):
        counts = [count_structure(one) for pair in value.items() for one in pair]
    elif isinstance(value, list):
        counts = [count_structure(one) for one in value]
    else:
        return 0, int(isinstance(value, str))
    return 1 + sum(one for one, _ in counts), sum(one for _, one in counts)


@pytest.mark.fuzz
def test_the_structure_is_that_of_the_parsed_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_body, "MAX_CONTAINERS", 3)
    monkeypatch.setattr(request_body, "MAX_STRINGS", 3)
    rng = random.Random(5)

    def make(depth: int) -> object:
        kind = rng.randrange(5 if depth else 2)
        if kind == 0:
            return "".join(rng.choices('\\"[]{},:n\n\ud800é', k=rng.randrange(6)))
        if kind == 1:
            return rng.choice([1, -1.5, None, True])
        if kind == 2:
            return {str(make(0)): make(depth - 1) for _ in range(rng.randrange(3))}
        return [make(depth - 1) for _ in range(rng.randrange(4))]

    for _ in range(choose_size(3_000, 300_000)):
        value = make(3)
        containers, strings = count_structure(value)
        raw = json.dumps(value, ensure_ascii=rng.random() < 0.5).encode(errors="replace")
        if containers > 3 or strings > 3:
            with pytest.raises(UsageError, match="at most 3"):
                parse_body(raw)
        else:
            parse_body(raw)
