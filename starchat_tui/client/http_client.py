"""Talks to an engine, ours or another OpenAI-compatible server: ids in, text deltas and usage out.

vLLM and llama-server accept the same requests; only `progress` is kept for our own engine.
"""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starchat_tui.client.protocol import (
    Delta,
    Health,
    ModelCard,
    Progress,
    Request,
    joined,
    parse_card,
    parse_error,
    parse_event,
    parse_health,
    request_json,
)
from starchat_tui.errors import (
    ConfigError,
    EngineGone,
    StarChatError,
    Unavailable,
)

if TYPE_CHECKING:
    import httpx2

CONNECT_SECONDS = 10.0
READ_SECONDS = 60.0
"""For what a living server answers at once; answers to questions have no such limit."""
_WRONG_LINE = 200
"""Characters of an answer nobody understands that the error shows."""


class EngineClient:
    """A server by the path of its Unix socket, or by its URL.

    Each request has a connection of its own, so that closing it is what ends the answer. An answer
    has no read timeout, because loading a model takes minutes: a Unix socket closes with its
    process, and TCP asks the peer every few seconds whether it is there.
    """

    def __init__(
        self,
        where: Path | str,
        *,
        token: str | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        local = isinstance(where, Path) or where.startswith("/")
        self.socket = Path(where) if local else None
        self.url = "http://engine" if local else _base(str(where))
        self._token = token
        self._transport = transport
        self._ours: bool | None = None

    async def stream(self, request: Request) -> AsyncGenerator[Delta | Progress, None]:
        """The answer in pieces; the last one has the reason it ended, and usage where known.

        Raises `Unavailable` where nobody listens, `EngineGone` where the server hangs up in
        mid-answer, and whatever error the server names. Closing the generator ends the answer.
        """
        if (request.progress or request.shared) and not await self._is_ours():
            request = replace(request, progress=False, shared=0)
        if not request.stream:
            yield await self._whole(request)
            return
        ending: list[Delta] = []
        async with aclosing(self._events("/v1/completions", request_json(request))) as events:
            async for event in events:
                if isinstance(event, ModelCard):
                    continue
                if isinstance(event, Progress):
                    yield event
                    continue
                delta, over = _until_stop(event, request.stop_ids)
                if ending or over or delta.finish_reason:
                    # Usage comes after the reason, in a chunk of its own, from some servers.
                    ending.append(delta)
                    if over:
                        break
                else:
                    yield delta
        if not ending:
            raise self._gone("hung up before the answer was complete")
        yield joined(ending)

    async def models(self) -> list[ModelCard]:
        """The models the server offers."""
        body = await self._json("GET", "/v1/models", None, patience=READ_SECONDS)
        found = body.get("data") if isinstance(body, dict) else None
        if not isinstance(found, list):
            raise self._strange(json.dumps(body))
        return [parse_card(one) for one in found if isinstance(one, dict)]

    async def health(self) -> Health:
        """What our engine is doing; another server's health has only empty fields."""
        return await self._health()

    async def _health(self, *, refused: bool = False) -> Health:
        asked = self._response("GET", "/health", None, patience=READ_SECONDS, refused=refused)
        async with asked as response:
            raw = await response.aread()
        try:
            body = json.loads(raw)
        except ValueError:
            body = {}
        return parse_health(body if isinstance(body, dict) else {})

    async def load(self, model: str) -> AsyncGenerator[Progress | ModelCard, None]:
        """Have our engine load a model; ends with its card."""
        async with aclosing(self._events("/v1/starchat/load", {"model": model})) as events:
            async for event in events:
                if not isinstance(event, Delta):
                    yield event

    async def stop_engine(self, *, if_idle: bool = False) -> None:
        """Tell our engine to leave; raises `Busy` where it answers and only an idle one was to."""
        body = {"if_idle": if_idle}
        await self._json("POST", "/v1/starchat/stop", body, patience=READ_SECONDS)

    async def _whole(self, request: Request) -> Delta:
        body = await self._json("POST", "/v1/completions", request_json(request))
        if not isinstance(body, dict) or "choices" not in body:
            raise self._strange(json.dumps(body))
        event = parse_event(json.dumps(body))
        assert isinstance(event, Delta)
        return _until_stop(event, request.stop_ids)[0]

    async def _is_ours(self) -> bool:
        if self._ours is None:
            # Other servers need not have the path, and may well refuse it.
            self._ours = (await self._health(refused=True)).engine == "starchat"
        return self._ours

    async def _events(
        self, path: str, body: dict[str, Any]
    ) -> AsyncGenerator[Delta | Progress | ModelCard, None]:
        """The server-sent events of one answer up to its end; raises the error among them."""
        async with self._response("POST", path, body) as response:
            async for line in _lines(response.aiter_bytes()):
                if not line.startswith(b"data:"):
                    continue
                event = parse_event(line[5:].decode(errors="replace"))
                if event is None:
                    return
                if isinstance(event, StarChatError):
                    raise event
                yield event

    async def _json(
        self, method: str, path: str, body: dict[str, Any] | None, *, patience: float | None = None
    ) -> Any:
        async with self._response(method, path, body, patience=patience) as response:
            raw = await response.aread()
        try:
            return json.loads(raw)
        except ValueError as error:
            raise self._strange(raw.decode(errors="replace")) from error

    @asynccontextmanager
    async def _response(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None,
        *,
        patience: float | None = None,
        refused: bool = False,
    ) -> AsyncIterator[httpx2.Response]:
        """An answer that is not an error, still to be read; closed at the end.

        `patience` is the longest silence, in seconds; with `refused`, an error is an answer, too.
        """
        import httpx2

        headers = {"authorization": f"Bearer {self._token}"} if self._token else {}
        timeout = httpx2.Timeout(patience, connect=CONNECT_SECONDS)
        connected = False
        try:
            async with (
                httpx2.AsyncClient(
                    base_url=self.url,
                    headers=headers,
                    timeout=timeout,
                    # No proxy and no password of ~/.netrc comes between.
                    trust_env=False,
                    transport=self._transport or self._wire(),
                ) as client,
                client.stream(method, path, json=body) as response,
            ):
                connected = True
                if response.status_code >= 400 and not refused:
                    raise await _refusal(response)
                yield response
        except httpx2.InvalidURL as error:
            raise ConfigError(
                f"`{self.url}` is not a URL ({error})", "write it as http://HOST:PORT"
            ) from error
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.UnsupportedProtocol) as error:
            raise self._absent(error) from error
        except httpx2.TimeoutException as error:
            raise self._gone("does not answer") from error
        except httpx2.TransportError as error:
            when = "before the answer was complete" if connected else "before it answered"
            raise self._gone(f"hung up {when} ({type(error).__name__})") from error

    def _wire(self) -> httpx2.AsyncBaseTransport:
        import httpx2

        if self.socket:
            return httpx2.AsyncHTTPTransport(uds=str(self.socket), verify=False)
        # Making a TLS context takes longer than a short answer.
        secure = self.url.startswith("https:")
        return httpx2.AsyncHTTPTransport(verify=secure, socket_options=_keep_asking())

    def _absent(self, error: Exception) -> Unavailable:
        if self.socket:
            return Unavailable(
                f"No engine listens on `{self.socket}`",
                "one starts with the first question, or by hand with `starchat serve`",
            )
        return Unavailable(
            f"No server answers at {self.url} ({error})",
            "is it running, and are host and port right?",
        )

    def _gone(self, what: str) -> EngineGone:
        if self.socket:
            return EngineGone(f"The engine {what}", "ask again: a new one starts")
        return EngineGone(f"The server at {self.url} {what}", "ask again; its own log says why")

    def _strange(self, answer: str) -> Unavailable:
        return Unavailable(
            f"{self.socket or self.url} does not answer as an OpenAI-compatible server does",
            f"it said {answer[:_WRONG_LINE]!r}",
        )


def _base(url: str) -> str:
    """The URL without the API's version, which the paths bring."""
    if not url.startswith(("http://", "https://")):
        raise ConfigError(f"`{url}` is not a URL", "write it as http://HOST:PORT")
    return url.rstrip("/").removesuffix("/v1")


def _keep_asking() -> list[tuple[int, int, int]]:
    """Socket options with which a peer that died without a word is noticed in half a minute."""
    options = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    for name, value in (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, name):
            options.append((socket.IPPROTO_TCP, getattr(socket, name), value))
    return options


async def _lines(pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """Bytes cut at line ends, and only there: text may hold U+2028, which `splitlines` cuts at."""
    pending = b""
    async for piece in pieces:
        *whole, pending = (pending + piece).split(b"\n")
        for line in whole:
            yield line
    yield pending


async def _refusal(response: httpx2.Response) -> StarChatError:
    raw = await response.aread()
    try:
        body = json.loads(raw)
    except ValueError:
        body = raw.decode(errors="replace")[:_WRONG_LINE] or None
    return parse_error(body, response.status_code)


def _until_stop(delta: Delta, stop_ids: tuple[int, ...]) -> tuple[Delta, bool]:
    """The delta without a stop token, and whether the server would have gone on after it."""
    for index, token in enumerate(delta.ids):
        if token in stop_ids:
            over = delta.finish_reason is None
            reason = delta.finish_reason or "stop"
            return replace(delta, ids=delta.ids[:index], finish_reason=reason), over
    return delta, False
