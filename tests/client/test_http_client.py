"""EngineClient against a scripted server, the formats of other servers and broken connections."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

from starchat_tui.client.http_client import EngineClient
from starchat_tui.client.protocol import (
    Delta,
    ModelCard,
    Progress,
    Request,
    Sampling,
    Timings,
    Usage,
)
from starchat_tui.errors import (
    Busy,
    ConfigError,
    EngineGone,
    ModelUnavailable,
    PromptTooLong,
    StarChatError,
    Unavailable,
    UsageError,
)
from tests.waiting import wait_until

ASKED = Request("m", (1, 2, 3), Sampling(max_tokens=5), stop_ids=(9,), progress=True)


def encode_events(*events: object) -> bytes:
    texts = (
        event if isinstance(event, str) else json.dumps(event, ensure_ascii=False)
        for event in events
    )
    return b"".join(f"data: {text}\r\n\n".encode() for text in texts)


def make_chunk(text: str = "", *ids: int, reason: str | None = None) -> dict[str, object]:
    choice = {"index": 0, "text": text, "token_ids": list(ids), "finish_reason": reason}
    return {"object": "text_completion", "choices": [choice]}


class Server:
    """Server that answers every completion with the same body and records the requests."""

    def __init__(
        self, answer: bytes | Callable[[], AsyncIterator[bytes]], **health: object
    ) -> None:
        self.answer = answer
        self.health = health
        self.sent: list[dict[str, object]] = []
        self.headers: list[httpx2.Headers] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.headers.append(request.headers)
        if request.url.path == "/health":
            return httpx2.Response(200, json=self.health)
        self.sent.append(json.loads(request.content))
        body = self.answer if isinstance(self.answer, bytes) else self.answer()
        return httpx2.Response(200, content=body)

    def client(self, **arguments: str) -> EngineClient:
        transport = httpx2.MockTransport(self)
        return EngineClient("http://host:8000/v1/", transport=transport, **arguments)


async def collect(client: EngineClient, request: Request = ASKED) -> list[Delta | Progress]:
    return [event async for event in client.stream(request)]


async def collect_into(found: list[object], client: EngineClient, request: Request = ASKED) -> None:
    """Collect events into a list, which also has those that arrived before an error."""
    async for event in client.stream(request):
        found.append(event)


OURS = {"engine": "starchat", "version": "1"}
USAGE = {
    "prompt_tokens": 3,
    "completion_tokens": 2,
    "prompt_tokens_details": {"cached_tokens": 2},
}


async def test_our_engine_reports_progress() -> None:
    progress = {"object": "starchat.progress", "stage": "loading", "done": 1, "total": 2}
    server = Server(
        encode_events(progress, make_chunk("a", 5), make_chunk("", reason="stop"), "[DONE]"), **OURS
    )
    assert await collect(server.client()) == [
        Progress("loading", 1, 2),
        Delta("a", (5,)),
        Delta(finish_reason="stop"),
    ]
    assert server.sent[0]["progress"] is True


@pytest.mark.parametrize("status", [401, 404, 500, 503])
async def test_server_without_health_is_not_ours(status: int) -> None:
    server = Server(encode_events(make_chunk("a", 5), make_chunk("", reason="stop"), "[DONE]"))

    def respond(request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/health":
            return httpx2.Response(status, json={"detail": "Not Found"})
        return server(request)

    client = EngineClient("http://host", transport=httpx2.MockTransport(respond))
    assert await collect(client) == [Delta("a", (5,)), Delta(finish_reason="stop")]
    assert "progress" not in server.sent[0]
    with pytest.raises(StarChatError):
        await client.fetch_health()


async def test_vllm_stream() -> None:
    """The stop token is among the ids, and usage arrives in a chunk of its own."""
    usage = {"object": "text_completion", "choices": [], "usage": USAGE}
    server = Server(
        encode_events(make_chunk("a", 5), make_chunk("", 9, reason="stop"), usage, "[DONE]")
    )
    assert await collect(server.client()) == [
        Delta("a", (5,)),
        Delta("", (), "stop", Usage(3, 2, 2)),
    ]
    assert "progress" not in server.sent[0]
    assert server.sent[0]["prompt"] == [1, 2, 3]
    assert server.sent[0]["stop_token_ids"] == [9]
    assert server.sent[0]["stream_options"] == {"include_usage": True}


async def test_llama_server_stream() -> None:
    last = {
        "choices": [{"text": "", "index": 0, "logprobs": None, "finish_reason": "length"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
        "timings": {"cache_n": 2, "prompt_ms": 10.0, "predicted_ms": 20.0},
    }
    first = {"choices": [{"text": "ab", "index": 0, "logprobs": None, "finish_reason": None}]}
    server = Server(encode_events(first, last, "[DONE]"), status="ok")
    assert await collect(server.client()) == [
        Delta("ab"),
        Delta("", (), "length", Usage(3, 2, 2), Timings(0.0, 0.01, 0.02)),
    ]


async def test_connection_is_closed_after_a_stop_token(empty_home: Path) -> None:
    path = empty_home / "raw.sock"
    raw = Raw(
        HEAD,
        frame_chunk(
            encode_events(make_chunk("a", 5), make_chunk("b", 6, 9, 7), make_chunk("c", 8))
        ),
        then="wait",
    )
    async with await asyncio.start_unix_server(raw, path):
        events = await collect(EngineClient(path), replace(ASKED, progress=False))
        assert events == [Delta("a", (5,)), Delta("b", (6,), "stop")]
        await wait_until(raw.hung_up.is_set, what="the server notices")


async def test_comments_and_blank_lines_are_skipped() -> None:
    body = b": still here\n\n\r\n" + encode_events(make_chunk("a", reason="stop"), "[DONE]")
    assert await collect(Server(body).client()) == [Delta("a", (), "stop")]


async def test_events_do_not_depend_on_chunk_boundaries() -> None:
    whole = encode_events(
        make_chunk("é🙂\x85\u2028\n\x0b", 5), make_chunk("b", 6, reason="length"), "[DONE]"
    )
    expected = await collect(Server(whole).client())

    for cut in range(0, len(whole), 3):

        async def halves(cut: int = cut) -> AsyncIterator[bytes]:
            yield whole[:cut]
            yield whole[cut:]

        assert await collect(Server(halves).client()) == expected


@pytest.mark.parametrize(
    "body", [b"", encode_events(make_chunk("a", 5)), encode_events(make_chunk("a", 5), "[DONE]")]
)
async def test_answer_without_end_is_an_error(body: bytes) -> None:
    with pytest.raises(EngineGone, match="before the answer was complete"):
        await collect(Server(body).client())


@pytest.mark.parametrize("body", [b"data: {\n\n", b"data: []\n\n"])
async def test_malformed_event_ends_the_answer(body: bytes) -> None:
    with pytest.raises(EngineGone):
        await collect(Server(body).client())


async def test_error_within_an_answer_is_raised_after_its_text() -> None:
    error = {"error": {"message": "no", "code": "out_of_memory", "hint": "less"}}
    found: list[object] = []
    with pytest.raises(Unavailable, match="no") as caught:
        await collect_into(found, Server(encode_events(make_chunk("a", 5), error)).client())
    assert found == [Delta("a", (5,))]
    assert caught.value.hint == "less"


async def test_token_is_sent() -> None:
    server = Server(encode_events(make_chunk("a", reason="stop")))
    await collect(server.client(token="s3cret"))
    assert {headers["authorization"] for headers in server.headers} == {"Bearer s3cret"}


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"error": {"message": "maximum context length is 8"}}, PromptTooLong),
        (401, {"error": "Unauthorized"}, UsageError),
        (404, {"detail": "Not Found"}, ModelUnavailable),
        (429, {"error": {"message": "later", "code": "busy", "hint": "x"}}, Busy),
        (500, "<html>", Unavailable),
        (503, {"error": {"code": 503, "message": "Loading model"}}, Unavailable),
    ],
)
async def test_error_status_becomes_a_typed_error(
    status: int, body: object, kind: type[StarChatError]
) -> None:
    def refuse(request: httpx2.Request) -> httpx2.Response:
        if isinstance(body, str):
            return httpx2.Response(status, text=body)
        return httpx2.Response(status, json=body)

    client = EngineClient("http://host", transport=httpx2.MockTransport(refuse))
    plain = Request("m", (1,))
    for request in (plain, Request("m", (1,), stream=False)):
        with pytest.raises(kind) as caught:
            await collect(client, request)
        assert type(caught.value) is kind
        assert caught.value.hint


async def test_list_models_of_each_server() -> None:
    data = [{"id": "a", "max_model_len": 10}, {"id": "b", "meta": {"n_ctx_train": 20}}]

    def list_models(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, json={"object": "list", "data": data})

    client = EngineClient("http://host", transport=httpx2.MockTransport(list_models))
    assert await client.list_models() == [ModelCard("a", 10, True), ModelCard("b", 20, True)]


@pytest.mark.parametrize("text", ["<html>hello</html>", "[]", '{"data": 5}', ""])
async def test_answer_of_another_kind_of_server_is_quoted(text: str) -> None:
    def page(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, text=text)

    client = EngineClient("http://host", transport=httpx2.MockTransport(page))
    with pytest.raises(Unavailable, match="OpenAI-compatible"):
        await client.list_models()


@pytest.mark.parametrize("url", ["host:8000", "", "ftp://host", "unix:///x"])
def test_invalid_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="URL"):
        EngineClient(url)


async def test_malformed_url_is_refused() -> None:
    client = EngineClient("http://localhost:80o0")
    for asked in (client.fetch_health, client.list_models):
        with pytest.raises(ConfigError, match=r"80o0.*is not a URL") as caught:
            await asked()
        assert caught.value.hint


async def test_frozen_server_times_out(empty_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("starchat_tui.client.http_client.READ_TIMEOUT", 0.05)
    path = empty_home / "raw.sock"
    async with await asyncio.start_unix_server(Raw(then="wait"), path):
        client = EngineClient(path)
        for asked in (client.fetch_health, client.list_models, client.stop_engine):
            with pytest.raises(EngineGone, match="does not answer"):
                await asked()


async def test_no_server_at_the_url() -> None:
    with pytest.raises(Unavailable, match=r"No server answers at http://127\.0\.0\.1:9") as caught:
        await collect(EngineClient("http://127.0.0.1:9"))
    assert type(caught.value) is Unavailable
    assert "host and port" in caught.value.hint


async def test_no_server_at_the_socket(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="No engine listens") as caught:
        await EngineClient(tmp_path / "engine.sock").fetch_health()
    assert type(caught.value) is Unavailable
    assert "serve" in caught.value.hint


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def frame_chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


class Raw:
    """Server that writes bytes to a Unix socket and notices when its client closes it."""

    def __init__(self, *writes: bytes, then: str) -> None:
        self.writes = writes
        self.then = then
        self.written = asyncio.Event()
        self.hung_up = asyncio.Event()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for data in self.writes:
            writer.write(data)
        await writer.drain()
        self.written.set()
        if self.then == "wait":
            while await reader.read(4096):
                pass
            self.hung_up.set()
        if self.then == "reset":
            writer.transport.abort()
        writer.close()


@pytest.mark.parametrize("then", ["close", "reset"])
@pytest.mark.parametrize(
    "writes", [(), (HEAD,), (HEAD, frame_chunk(encode_events(make_chunk("a", 5))))]
)
async def test_broken_connection_is_engine_gone(
    empty_home: Path, writes: tuple[bytes, ...], then: str
) -> None:
    path = empty_home / "raw.sock"
    async with await asyncio.start_unix_server(Raw(*writes, then=then), path):
        found: list[object] = []
        with pytest.raises(EngineGone, match="closed the connection") as caught:
            await collect_into(found, EngineClient(path), Request("m", (1,)))
    assert len(found) == (1 if len(writes) == 2 else 0)
    assert "ask again" in caught.value.hint


async def test_closing_the_stream_closes_the_connection(empty_home: Path) -> None:
    raw = Raw(HEAD, frame_chunk(encode_events(make_chunk("a", 5), make_chunk("b", 6))), then="wait")
    path = empty_home / "raw.sock"
    async with await asyncio.start_unix_server(raw, path):
        async with aclosing(EngineClient(path).stream(Request("m", (1,)))) as events:
            assert await anext(events) == Delta("a", (5,))
        await wait_until(raw.hung_up.is_set, what="the server notices")


async def test_cancelling_closes_the_connection(empty_home: Path) -> None:
    raw = Raw(HEAD, then="wait")
    path = empty_home / "raw.sock"
    async with await asyncio.start_unix_server(raw, path):
        waiting = asyncio.create_task(collect(EngineClient(path), Request("m", (1,))))
        await wait_until(raw.written.is_set, what="the server has begun")
        waiting.cancel()
        await wait_until(raw.hung_up.is_set, what="the server notices")
        assert waiting.cancelled()


def test_importing_the_client_imports_no_http_library() -> None:
    program = "import starchat_tui.client.http_client, sys; print(*sys.modules)"
    root = Path(__file__).parents[2]
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=root)
    assert "httpx2" not in ran.stdout.split()
    assert "starchat_tui.client.protocol" in ran.stdout.split()
