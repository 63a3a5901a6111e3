"""HTTP routes of the engine: OpenAI-style completions and models, health, load and stop.

They answer before torch is imported, so that a client sees progress at once.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HTTPRequest
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from starchat_tui import __version__
from starchat_tui.client import protocol, request_json, response_json
from starchat_tui.client.request_bounds import check_field
from starchat_tui.engine.serving.job_stream import JobStream, collect_delta, format_events
from starchat_tui.engine.serving.request_body import BodyReader
from starchat_tui.engine.serving.worker import Worker
from starchat_tui.errors import (
    Busy,
    EngineGone,
    Forbidden,
    ModelUnavailable,
    StarChatError,
    UsageError,
)
from starchat_tui.models import hub_files, registry


class Routes:
    """Handlers of the HTTP routes."""

    def __init__(
        self,
        worker: Worker,
        *,
        keep_alive: float,
        model: str = "",
        allowed_models: Sequence[str] | None = None,
    ) -> None:
        """Serve the jobs of `worker`.

        Args:
            worker: Thread that owns the device.
            keep_alive: Idle seconds before the engine exits, for the health report.
            model: Model that the engine was started for: listed before it is loaded.
            allowed_models: Models that clients may ask for, on the network; None for the user's own
                clients, which may ask for any and may stop the engine.
        """
        self._allowed_models = allowed_models
        self._worker = worker
        self._keep_alive = keep_alive
        self._model = model
        self._completion_count = 0
        self._bodies = BodyReader()

    def create_app(self) -> Starlette:
        """Return the ASGI application."""
        return Starlette(
            routes=[
                Route("/health", self.report_health),
                Route("/v1/models", self.list_models),
                Route("/v1/completions", self.create_completion, methods=["POST"]),
                Route("/v1/starchat/load", self.load_model, methods=["POST"]),
                Route("/v1/starchat/stop", self.stop_engine, methods=["POST"]),
            ],
            exception_handlers={
                StarChatError: _handle_starchat_error,
                HTTPException: _handle_http_exception,
                ClientDisconnect: _handle_disconnect,
                500: _handle_unexpected_error,
            },
        )

    async def report_health(self, _: HTTPRequest) -> Response:
        """Report version, state and counters."""
        worker = self._worker
        return JSONResponse(
            {
                "engine": "starchat",
                "version": __version__,
                "pid": os.getpid(),
                "state": worker.state,
                "idle": round(worker.idle_seconds, 3),
                "keep_alive": self._keep_alive,
                "device": worker.options.device,
                "quantize": worker.options.quantize,
                "queue": worker.queue_length,
                "models": [card.name for card in worker.cards],
                "forwards": [card.forward for card in worker.cards],
                "bytes": sum(card.bytes for card in worker.cards),
                "prefilled_tokens": worker.prefilled_tokens,
                "generated_tokens": worker.generated_tokens,
            }
        )

    async def list_models(self, _: HTTPRequest) -> Response:
        """List the loaded models, the one to be loaded, and those that come with the package."""
        loaded = self._worker.cards
        pending: list[protocol.ModelCard] = []
        if self._model and self._model not in {card.name for card in loaded}:
            # In a thread, because its config may have to be fetched from the Hub.
            pending = await asyncio.to_thread(describe_pending_model, self._model)
        # The loaded last: they replace what is only known of their files.
        cards = {card.name: card for card in (*pending, *list_bundled_models(), *loaded)}
        if self._allowed_models is not None:
            cards = {name: card for name, card in cards.items() if name in self._allowed_models}
            # Paths of this machine are of no use elsewhere, and none of a client's business.
            cards = {name: replace(card, tokenizer="") for name, card in cards.items()}
        return JSONResponse(
            {
                "object": "list",
                "data": [response_json.encode_model_card(card) for card in cards.values()],
            }
        )

    async def create_completion(self, request: HTTPRequest) -> Response:
        """Answer a prompt, streamed or whole."""
        completion = request_json.parse_request(await self._bodies.read_json(request))
        self._check_model(completion.model)
        self._completion_count += 1
        name = f"cmpl-{os.getpid()}-{self._completion_count}"
        stream = JobStream(self._worker, completion.model, completion)
        return await self._respond(request, stream, name=name, model=completion.model)

    async def load_model(self, request: HTTPRequest) -> Response:
        """Load a model ahead of the first question; stream the progress."""
        self._require_own_client()
        body = await self._bodies.read_json(request)
        name = body.get("model") if isinstance(body, dict) else None
        check_field("model", name)
        assert isinstance(name, str)
        return await self._respond(request, JobStream(self._worker, name), name="load", model=name)

    async def stop_engine(self, request: HTTPRequest) -> Response:
        """Shut the engine down, ending its answers; with `if_idle`, refuse if it is busy."""
        self._require_own_client()
        body = await self._bodies.read_json(request)
        if isinstance(body, dict) and body.get("if_idle") and self._worker.is_busy:
            raise Busy("The engine is answering", "stop it once it is idle")
        self._worker.shutdown()
        return JSONResponse({"engine": "starchat", "stopping": True, "pid": os.getpid()})

    def _check_model(self, name: str) -> None:
        """Raise `ModelUnavailable` for a model that clients of the network may not ask for."""
        if self._allowed_models is None or name in self._allowed_models:
            return
        # Any other name would have this machine read a folder or download from the Hub.
        known = ", ".join(self._allowed_models)
        raise ModelUnavailable(f"This server does not offer `{name[:100]}`", f"it offers {known}")

    def _require_own_client(self) -> None:
        """Raise `Forbidden` for a client of the network."""
        if self._allowed_models is not None:
            raise Forbidden(
                "Only the user who started this server can load models or stop it",
                "ask them, or use the commands on that machine",
            )

    async def _respond(
        self, request: HTTPRequest, stream: JobStream, *, name: str, model: str
    ) -> Response:
        """Return the response to a job.

        Args:
            request: HTTP request, watched until the response begins.
            stream: Events of the job.
            name: Id of the completion.
            model: Name of the model.
        """
        events = stream.iter_events()
        async with _cancel_on_disconnect(request, stream):
            if not stream.is_streamed:
                delta = await collect_delta(events)
                return JSONResponse(response_json.encode_delta(delta, name=name, model=model))
            # Before the response begins, so that a job that fails at once has its status.
            first = await anext(events)
        if isinstance(first, StarChatError):
            raise first
        lines = format_events(first, events, name=name, model=model)
        return StreamingResponse(
            lines, media_type="text/event-stream", headers={"cache-control": "no-store"}
        )


@asynccontextmanager
async def _cancel_on_disconnect(request: HTTPRequest, stream: JobStream) -> AsyncIterator[None]:
    """Cancel the job if the client hangs up before the first byte of the response.

    From then on Starlette watches the connection, and cancels the iteration of the events.
    """

    async def watch() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        stream.cancel()

    watching = asyncio.create_task(watch())
    try:
        yield
    except asyncio.CancelledError:
        stream.cancel()
        raise
    finally:
        # Two readers of one connection would take messages from each other.
        watching.cancel()


def list_bundled_models() -> list[protocol.ModelCard]:
    """Return the cards of the models that come with the package, not loaded."""
    cards = []
    for model in registry.KNOWN_MODELS.values():
        if model.is_local:
            with suppress(ModelUnavailable):
                tokenizer = hub_files.find_model_file(model, "tokenizer.json")
                window = hub_files.read_model_window(model)
                cards.append(protocol.ModelCard(model.name, window, False, str(tokenizer)))
    return cards


def describe_pending_model(name: str) -> list[protocol.ModelCard]:
    """Return the card of a model that is yet to be loaded; none if it is not available."""
    with suppress(ModelUnavailable):
        return [
            protocol.ModelCard(name, hub_files.read_model_window(registry.find_model(name)), False)
        ]
    return []


async def _handle_starchat_error(_: HTTPRequest, error: Exception) -> Response:
    assert isinstance(error, StarChatError)
    return JSONResponse(response_json.encode_error(error), status_code=error.status)


async def _handle_http_exception(request: HTTPRequest, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    usage_error = UsageError(
        f"{error.detail}: {request.method} {request.url.path}",
        "use POST /v1/completions, GET /v1/models or GET /health",
    )
    return JSONResponse(
        response_json.encode_error(usage_error),
        status_code=error.status_code,
        headers=error.headers,
    )


async def _handle_disconnect(_: HTTPRequest, error: Exception) -> Response:
    # nginx's status for a client that closed the request; nobody receives it.
    return Response(status_code=499)


async def _handle_unexpected_error(_: HTTPRequest, error: Exception) -> Response:
    failure = EngineGone(f"The engine failed ({type(error).__name__})", "its log says more")
    return JSONResponse(response_json.encode_error(failure), status_code=500)
