"""HTTP client of an engine, ours or another OpenAI-compatible server.

Token ids go in, text deltas and usage come out. vLLM and llama-server accept the same requests;
only our own engine is sent `progress` and `shared`.
"""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starchat_tui.client.engine_process import find_engine_process, find_listening_pid
from starchat_tui.client.protocol import (
    Delta,
    Health,
    ModelCard,
    Progress,
    Request,
    merge_deltas,
)
from starchat_tui.client.request_json import encode_request
from starchat_tui.client.response_json import (
    parse_error,
    parse_event,
    parse_health,
    parse_model_card,
)
from starchat_tui.client.silence import await_heartbeat
from starchat_tui.config.json_file import parse_json
from starchat_tui.errors import (
    ConfigError,
    EngineGone,
    EngineSilent,
    StarChatError,
    Unavailable,
)

if TYPE_CHECKING:
    import httpx2

CONNECT_TIMEOUT = 10.0
READ_TIMEOUT = 30.0
"""Seconds, for requests that a healthy server answers at once; completions have no such limit."""
HEALTH_TIMEOUT = 2.0
"""Seconds to connect for a health report, and to receive it."""
_SERVER_HINT = "see its log, then ask again"
_SHOWN_CHARACTERS = 200
"""Characters of a malformed answer that the error quotes."""


class EngineClient:
    """Client of a server at the path of its Unix socket, or at its URL.

    Each request opens its own connection, so that closing it cancels the completion. A completion
    may take as long as it wants, because loading a model takes minutes, but our own engine sends a
    heartbeat meanwhile: without one, `EngineSilent` is raised. Other servers send none. Where one
    of them dies, a Unix socket closes with its process, and TCP keepalive probes the machine.
    """

    def __init__(
        self,
        address: Path | str,
        *,
        token: str | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
        is_starchat_engine: bool | None = None,
    ) -> None:
        """Create a client; nothing is connected yet.

        Args:
            address: Path of a Unix socket, or a URL.
            token: Bearer token, if the server wants one.
            transport: Replacement of the network, for tests.
            is_starchat_engine: Whether the server is our own engine; None to ask it.
        """
        local = isinstance(address, Path) or address.startswith("/")
        self.socket = Path(address) if local else None
        self.url = "http://engine" if local else _base_url(str(address))
        self._token = token
        self._transport = transport
        self._starchat_engine = is_starchat_engine

    async def stream(self, request: Request) -> AsyncGenerator[Delta | Progress, None]:
        """Yield the answer in pieces; the last one has its finish reason, and usage if known.

        Closing the generator cancels the completion.

        Raises:
            Unavailable: No server listens at the address.
            EngineGone: The server closed the connection before the answer was complete.
            EngineSilent: Our engine missed its heartbeats.
            StarChatError: The error that the server reported.
        """
        if (request.progress or request.shared) and not await self._is_starchat_engine():
            request = replace(request, progress=False, shared=0)
        if not request.stream:
            yield await self._complete(request)
            return
        ending: list[Delta] = []
        async with aclosing(
            self._stream_events("/v1/completions", encode_request(request))
        ) as events:
            async for event in events:
                if isinstance(event, ModelCard):
                    continue
                if isinstance(event, Progress):
                    yield event
                    continue
                delta, over = _cut_at_stop_token(event, request.stop_ids)
                if ending or over or delta.finish_reason:
                    # Some servers send usage after the finish reason, in a chunk of its own.
                    ending.append(delta)
                    # vLLM includes the stop token, and a server that ignores `stop_token_ids`
                    # would continue after it.
                    if over:
                        break
                else:
                    yield delta
        if not ending:
            raise self._lost_connection_error(
                "closed the connection before the answer was complete"
            )
        yield merge_deltas(ending)

    async def list_models(self) -> list[ModelCard]:
        """Return the models that the server offers."""
        body = await self._request_json("GET", "/v1/models", None, read_timeout=READ_TIMEOUT)
        found = body.get("data") if isinstance(body, dict) else None
        if not isinstance(found, list):
            raise self._malformed_answer_error(json.dumps(body))
        return [parse_model_card(one) for one in found if isinstance(one, dict)]

    async def fetch_health(self) -> Health:
        """Return the state of our engine; all fields are empty for another server."""
        return await self._fetch_health()

    async def _fetch_health(self, *, accept_errors: bool = False) -> Health:
        request = self._open_response(
            "GET", "/health", None, read_timeout=HEALTH_TIMEOUT, accept_errors=accept_errors
        )
        async with request as response:
            raw = await response.aread()
        try:
            body = parse_json(raw)
        except ValueError:
            body = {}
        return parse_health(body if isinstance(body, dict) else {})

    async def load_model(self, model: str) -> AsyncGenerator[Progress | ModelCard, None]:
        """Make our engine load a model; yields progress and finally the model's card."""
        # Only our own engine has this route.
        self._starchat_engine = True
        async with aclosing(self._stream_events("/v1/starchat/load", {"model": model})) as events:
            async for event in events:
                if not isinstance(event, Delta):
                    yield event

    async def stop_engine(self, *, if_idle: bool = False) -> None:
        """Tell our engine to exit; raises `Busy` if it is answering and `if_idle` is set."""
        body = {"if_idle": if_idle}
        await self._request_json("POST", "/v1/starchat/stop", body, read_timeout=HEALTH_TIMEOUT)

    async def _complete(self, request: Request) -> Delta:
        body = await self._request_json("POST", "/v1/completions", encode_request(request))
        if not isinstance(body, dict) or "choices" not in body:
            raise self._malformed_answer_error(json.dumps(body))
        event = parse_event(json.dumps(body))
        assert isinstance(event, Delta)
        return _cut_at_stop_token(event, request.stop_ids)[0]

    async def _is_starchat_engine(self) -> bool:
        if self._starchat_engine is None:
            # Other servers need not have `/health`, and may refuse it.
            self._starchat_engine = (
                await self._fetch_health(accept_errors=True)
            ).engine == "starchat"
        return self._starchat_engine

    async def _stream_events(
        self, path: str, body: dict[str, Any]
    ) -> AsyncGenerator[Delta | Progress | ModelCard, None]:
        """Yield the server-sent events of one answer up to its end; raises an error among them."""
        # Other servers send no heartbeats, and may compute a long prompt in silence.
        limited = bool(self._starchat_engine)
        async with self._open_response("POST", path, body, limited=limited) as response:
            pieces = self._limit_silence(response.aiter_bytes(), limited=limited)
            async for line in _split_lines(pieces):
                # Comments and blank lines keep a connection alive and carry no event.
                if not line.startswith(b"data:"):
                    continue
                event = parse_event(line[5:].decode(errors="replace"))
                if event is None:
                    return
                if isinstance(event, StarChatError):
                    raise event
                yield event

    async def _limit_silence(
        self, pieces: AsyncIterator[bytes], *, limited: bool
    ) -> AsyncGenerator[bytes, None]:
        """Yield the pieces; raises `EngineSilent` if `limited` and the heartbeats stop."""
        while True:
            try:
                piece = await await_heartbeat(anext(pieces, None), limited=limited)
            except TimeoutError as error:
                raise self._silent_error() from error
            if piece is None:
                return
            yield piece

    async def _request_json(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None,
        *,
        read_timeout: float | None = None,
    ) -> Any:
        async with self._open_response(method, path, body, read_timeout=read_timeout) as response:
            raw = await response.aread()
        try:
            return parse_json(raw)
        except ValueError as error:
            raise self._malformed_answer_error(raw.decode(errors="replace")) from error

    @asynccontextmanager
    async def _open_response(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None,
        *,
        read_timeout: float | None = None,
        limited: bool = False,
        accept_errors: bool = False,
    ) -> AsyncIterator[httpx2.Response]:
        """Open a response that is not an error, with its body unread; closed at the end.

        Args:
            method: HTTP method.
            path: Path of the URL.
            body: Value to send as JSON, or None.
            read_timeout: Longest silence in seconds.
            limited: Whether the response begins within the time of the heartbeats.
            accept_errors: Whether an error status is returned like any other response.
        """
        import httpx2

        headers = {"authorization": f"Bearer {self._token}"} if self._token else {}
        connect_timeout = min(CONNECT_TIMEOUT, read_timeout or CONNECT_TIMEOUT)
        timeout = httpx2.Timeout(read_timeout, connect=connect_timeout)
        connected = False
        try:
            async with AsyncExitStack() as stack:
                client = await stack.enter_async_context(
                    httpx2.AsyncClient(
                        base_url=self.url,
                        headers=headers,
                        timeout=timeout,
                        # Neither a proxy nor a password from ~/.netrc may come between.
                        trust_env=False,
                        transport=self._transport or self._create_transport(),
                    )
                )
                opening = stack.enter_async_context(client.stream(method, path, json=body))
                response = await await_heartbeat(opening, limited=limited)
                connected = True
                if response.status_code >= 400 and not accept_errors:
                    raise await _read_error(response)
                yield response
        except httpx2.InvalidURL as error:
            raise ConfigError(
                f"`{self.url}` is not a URL ({error})", "write it as http://HOST:PORT"
            ) from error
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.UnsupportedProtocol) as error:
            # Nobody accepts, and as many connections wait as the system lets wait.
            if self.socket and isinstance(error, httpx2.ConnectTimeout):
                raise self._silent_error() from error
            raise self._unreachable_error(error) from error
        except (httpx2.TimeoutException, TimeoutError) as error:
            raise self._silent_error() from error
        except httpx2.TransportError as error:
            when = "before the answer was complete" if connected else "before it answered"
            raise self._lost_connection_error(
                f"closed the connection {when} ({type(error).__name__})"
            ) from error

    def _create_transport(self) -> httpx2.AsyncBaseTransport:
        import httpx2

        if self.socket:
            return httpx2.AsyncHTTPTransport(uds=str(self.socket), verify=False)
        # Creating a TLS context takes longer than a short answer.
        secure = self.url.startswith("https:")
        return httpx2.AsyncHTTPTransport(verify=secure, socket_options=_keepalive_options())

    def _unreachable_error(self, error: Exception) -> Unavailable:
        if self.socket:
            return Unavailable(
                f"No engine listens on `{self.socket}`",
                "the first question starts one; `starchat serve` starts it by hand",
            )
        return Unavailable(
            f"No server answers at {self.url} ({error})",
            "check that it is running, and its host and port",
        )

    def _lost_connection_error(self, what: str) -> EngineGone:
        if self.socket:
            return EngineGone(f"The engine {what}", "ask again to start a new one")
        return EngineGone(f"The server at {self.url} {what}", _SERVER_HINT)

    def _silent_error(self) -> EngineSilent:
        if not self.socket:
            return EngineSilent(f"The server at {self.url} does not answer", _SERVER_HINT)
        process = find_engine_process(self.socket)
        if process is not None:
            return create_silent_error(process.pid)
        # No engine of ours: it holds no lock. It may be private, or another program.
        pid = find_listening_pid(self.socket)
        ending = f"end it with `kill -9 {pid}`" if pid else "end it"
        return EngineSilent(
            f"The process that listens on `{self.socket}`{f' (pid {pid})' if pid else ''} "
            "does not answer",
            f"{ending}, or remove the socket; the next question starts a new engine",
        )

    def _malformed_answer_error(self, answer: str) -> Unavailable:
        return Unavailable(
            f"{self.socket or self.url} does not answer like an OpenAI-compatible server",
            f"its answer: {answer[:_SHOWN_CHARACTERS]!r}",
        )


def create_silent_error(pid: int) -> EngineSilent:
    """Return the error of an engine that does not answer."""
    return EngineSilent(
        f"The engine (pid {pid}) does not answer",
        f"`starchat stop` (or `kill -9 {pid}`) ends it; the next question starts a new one",
    )


def _base_url(url: str) -> str:
    """Return the URL without `/v1`, which the request paths contain."""
    if not url.startswith(("http://", "https://")):
        raise ConfigError(f"`{url}` is not a URL", "write it as http://HOST:PORT")
    return url.rstrip("/").removesuffix("/v1")


def _keepalive_options() -> list[tuple[int, int, int]]:
    """Return socket options that detect a peer that died silently within half a minute."""
    options = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    for name, value in (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, name):
            options.append((socket.IPPROTO_TCP, getattr(socket, name), value))
    return options


async def _split_lines(pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """Yield the lines of a byte stream; only LF ends one, as U+2028 may be part of the text."""
    pending = b""
    async for piece in pieces:
        *lines, pending = (pending + piece).split(b"\n")
        for line in lines:
            yield line
    yield pending


async def _read_error(response: httpx2.Response) -> StarChatError:
    raw = await response.aread()
    try:
        body = parse_json(raw)
    except ValueError:
        body = raw.decode(errors="replace")[:_SHOWN_CHARACTERS] or None
    return parse_error(body, response.status_code)


def _cut_at_stop_token(delta: Delta, stop_ids: tuple[int, ...]) -> tuple[Delta, bool]:
    """Return the delta up to a stop token, and whether the server would have continued."""
    for index, token in enumerate(delta.ids):
        if token in stop_ids:
            over = delta.finish_reason is None
            reason = delta.finish_reason or "stop"
            return replace(delta, ids=delta.ids[:index], finish_reason=reason), over
    return delta, False
