"""The engine's HTTP face: OpenAI-style completions, models, health, and two words of its own.

The socket answers before torch is imported, so a face sees progress at once.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HTTPRequest
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from starchat_tui import __version__
from starchat_tui.client import protocol
from starchat_tui.engine.serving.worker import Event, Job, Worker
from starchat_tui.errors import Busy, EngineGone, ModelUnavailable, StarChatError, UsageError
from starchat_tui.models import registry

LARGEST_BODY = 2**24
"""Bytes of a request."""
HEARTBEAT = 10.0
"""Seconds without an event after which a comment shows that the engine is there."""


class Ticket:
    """One job as its client sees it: events in order, on the event loop."""

    def __init__(self, worker: Worker, model: str, request: protocol.Request | None = None) -> None:
        self._worker = worker
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._job = Job(model, self._emit, request)
        self.streamed = request.stream if request else True
        self.progress = request.progress if request else True
        worker.submit(self._job)

    def _emit(self, event: Event) -> None:
        # The loop is closed where the engine left in mid-answer.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._events.put_nowait, event)

    def cancel(self) -> None:
        """End the job; its last event still comes."""
        self._worker.cancel(self._job)

    async def events(self) -> AsyncIterator[Event | None]:
        """Every event to the last one, None after each `HEARTBEAT` without any."""
        waiting: asyncio.Task[Event] | None = None
        try:
            while True:
                waiting = waiting or asyncio.ensure_future(self._events.get())
                done, _ = await asyncio.wait({waiting}, timeout=HEARTBEAT)
                if not done:
                    yield None
                    continue
                event, waiting = waiting.result(), None
                if self.progress or not isinstance(event, protocol.Progress):
                    yield event
                if is_last(event):
                    return
        finally:
            if waiting:
                waiting.cancel()
            self.cancel()


def is_last(event: Event) -> bool:
    """Whether nothing follows."""
    if isinstance(event, protocol.Delta):
        return event.finish_reason is not None
    return not isinstance(event, protocol.Progress)


class Routes:
    """The answers to each path."""

    def __init__(self, worker: Worker, *, keep_alive: float, model: str = "") -> None:
        """`model` is listed before it is loaded: the one that the engine was started for."""
        self._worker = worker
        self._keep_alive = keep_alive
        self._model = model
        self._answers = 0

    def app(self) -> Starlette:
        """The ASGI application."""
        return Starlette(
            routes=[
                Route("/health", self.health),
                Route("/v1/models", self.models),
                Route("/v1/completions", self.complete, methods=["POST"]),
                Route("/v1/starchat/load", self.load, methods=["POST"]),
                Route("/v1/starchat/stop", self.stop, methods=["POST"]),
            ],
            exception_handlers={
                StarChatError: _refused,
                HTTPException: _no_such_path,
                ClientDisconnect: _hung_up,
                500: _failed,
            },
        )

    async def health(self, _: HTTPRequest) -> Response:
        """Who this is and what it is doing."""
        worker = self._worker
        return JSONResponse(
            {
                "engine": "starchat",
                "version": __version__,
                "pid": os.getpid(),
                "state": worker.state,
                "idle": round(worker.idle_seconds, 3),
                "keep_alive": self._keep_alive,
                "device": worker.choices.device,
                "quantize": worker.choices.quantize,
                "queue": worker.queue,
                "models": [card.name for card in worker.cards],
                "bytes": sum(card.bytes for card in worker.cards),
                "prefilled_tokens": worker.prefilled,
                "generated_tokens": worker.generated,
            }
        )

    async def models(self, _: HTTPRequest) -> Response:
        """The loaded models, the one that is to be, and those that come with the package."""
        loaded = self._worker.cards
        known: list[protocol.ModelCard] = []
        if self._model and self._model not in {card.name for card in loaded}:
            # The Hub may have to be asked for its config.
            known = await asyncio.to_thread(announced, self._model)
        cards = {card.name: card for card in (*known, *bundled(), *loaded)}
        return JSONResponse(
            {"object": "list", "data": [protocol.card_json(card) for card in cards.values()]}
        )

    async def complete(self, request: HTTPRequest) -> Response:
        """A completion, streamed or whole."""
        asked = protocol.parse_request(await _body(request))
        self._answers += 1
        name = f"cmpl-{os.getpid()}-{self._answers}"
        ticket = Ticket(self._worker, asked.model, asked)
        return await self._answer(request, ticket, name=name, model=asked.model)

    async def load(self, request: HTTPRequest) -> Response:
        """Load a model ahead of the first question, with progress."""
        body = await _body(request)
        name = body.get("model") if isinstance(body, dict) else None
        if not isinstance(name, str) or not name:
            raise UsageError("`model` is missing", "name the model to load")
        return await self._answer(request, Ticket(self._worker, name), name="load", model=name)

    async def stop(self, request: HTTPRequest) -> Response:
        """Leave; running answers are ended, unless only an idle engine was to leave."""
        body = await _body(request)
        if isinstance(body, dict) and body.get("if_idle") and self._worker.busy:
            raise Busy("The engine is answering", "ask it to leave once it is idle")
        self._worker.leave()
        return JSONResponse({"engine": "starchat", "stopping": True, "pid": os.getpid()})

    async def _answer(
        self, request: HTTPRequest, ticket: Ticket, *, name: str, model: str
    ) -> Response:
        events = ticket.events()
        async with _ended_on_hang_up(request, ticket):
            if not ticket.streamed:
                return JSONResponse(
                    protocol.delta_json(await _whole(events), name=name, model=model)
                )
            first = await anext(events)
        if isinstance(first, StarChatError):
            raise first
        lines = _lines(first, events, name=name, model=model)
        return StreamingResponse(
            lines, media_type="text/event-stream", headers={"cache-control": "no-store"}
        )


async def _lines(
    first: Event | None, events: AsyncIterator[Event | None], *, name: str, model: str
) -> AsyncIterator[str]:
    """The server-sent events of an answer."""
    yield _line(first, name=name, model=model)
    async for event in events:
        yield _line(event, name=name, model=model)
    yield f"data: {protocol.DONE}\n\n"


def _line(event: Event | None, *, name: str, model: str) -> str:
    if event is None:
        return ": still here\n\n"
    if isinstance(event, protocol.Progress):
        body = protocol.progress_json(event)
    elif isinstance(event, protocol.Delta):
        body = protocol.delta_json(event, name=name, model=model)
    elif isinstance(event, protocol.ModelCard):
        body = protocol.card_json(event)
    else:
        body = protocol.error_json(event)
    return f"data: {json.dumps(body, ensure_ascii=False)}\n\n"


async def _whole(events: AsyncIterator[Event | None]) -> protocol.Delta:
    """All deltas as one; raises the error that came instead."""
    found: list[protocol.Delta] = []
    async for event in events:
        if isinstance(event, StarChatError):
            raise event
        if isinstance(event, protocol.Delta):
            found.append(event)
    return protocol.joined(found)


@asynccontextmanager
async def _ended_on_hang_up(request: HTTPRequest, ticket: Ticket) -> AsyncIterator[None]:
    """End the job where the client leaves before the first byte of its answer."""

    async def watch() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        ticket.cancel()

    watching = asyncio.create_task(watch())
    try:
        yield
    except asyncio.CancelledError:
        ticket.cancel()
        raise
    finally:
        watching.cancel()


async def _body(request: HTTPRequest) -> Any:
    raw = b""
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > LARGEST_BODY:
            raise UsageError("The request is larger than 16 MiB", "send less")
    if not raw:
        return {}
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"The body is not JSON ({error})", "send a JSON object") from error


def bundled() -> list[protocol.ModelCard]:
    """The models that come with the package, unloaded."""
    found = []
    for model in registry.KNOWN.values():
        if model.local:
            with suppress(ModelUnavailable):
                tokenizer = registry.local_file(model, "tokenizer.json")
                window = registry.window(model)
                found.append(protocol.ModelCard(model.name, window, False, str(tokenizer)))
    return found


def announced(name: str) -> list[protocol.ModelCard]:
    """The card of a model that is yet to be loaded; none where it cannot be had."""
    with suppress(ModelUnavailable):
        return [protocol.ModelCard(name, registry.window(registry.resolve(name)), False)]
    return []


async def _refused(_: HTTPRequest, error: Exception) -> Response:
    assert isinstance(error, StarChatError)
    return JSONResponse(protocol.error_json(error), status_code=error.status)


async def _no_such_path(request: HTTPRequest, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    said = UsageError(
        f"{error.detail}: {request.method} {request.url.path}",
        "this engine knows POST /v1/completions, GET /v1/models and GET /health",
    )
    return JSONResponse(
        protocol.error_json(said), status_code=error.status_code, headers=error.headers
    )


async def _hung_up(_: HTTPRequest, error: Exception) -> Response:
    return Response(status_code=499)


async def _failed(_: HTTPRequest, error: Exception) -> Response:
    said = EngineGone(f"The engine failed ({type(error).__name__})", "its log says more")
    return JSONResponse(protocol.error_json(said), status_code=500)
