"""Body of a request: read, bounded and parsed, before anything is done with it."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from starlette.requests import Request as HTTPRequest

from starchat_tui.client.request_bounds import MAX_IDS
from starchat_tui.config.json_file import parse_json
from starchat_tui.errors import Busy, UsageError

MAX_BODY_BYTES = 2**24
"""Size limit of a request body, in bytes."""
MAX_PENDING_BYTES = 2**26
"""Size limit of all bodies that are being received, in bytes."""
BODY_SECONDS = 30.0
"""Seconds that the body of a request may take to arrive."""
MAX_CONTAINERS = 256
"""Lists and objects in a body; each takes 20 to 100 times its two bytes of JSON."""
MAX_VALUES = MAX_IDS + 1024
"""Values in a body: the ids of a prompt, and all other fields."""
MAX_STRINGS = 256
"""Texts in a body, names of fields included."""
# With an optional end: a string without one is scanned once only.
_STRING = re.compile(rb'"[^"]*"?')


class BodyReader:
    """Reader of the requests' bodies of one server."""

    def __init__(self) -> None:
        self._pending_bytes = 0

    async def read_json(self, request: HTTPRequest) -> Any:
        """Return the JSON of a request's body, {} if it is empty.

        Raises `UsageError` for a body that is too large, too slow or no JSON, and `Busy` if the
        others that are being received fill the memory.
        """
        raw = await self._receive(request)
        return parse_body(raw) if raw else {}

    async def _receive(self, request: HTTPRequest) -> bytearray:
        declared = request.headers.get("content-length", "")
        if declared.isascii() and declared.isdigit():
            _check_size(int(declared[:20]))
        raw = bytearray()
        try:
            async with asyncio.timeout(BODY_SECONDS):
                # Counted as it arrives: Content-Length may be missing, or false.
                async for chunk in request.stream():
                    _check_size(len(raw) + len(chunk))
                    if self._pending_bytes + len(chunk) > MAX_PENDING_BYTES:
                        raise Busy("Too many large requests arrive at once", "try again later")
                    self._pending_bytes += len(chunk)
                    raw += chunk
        except TimeoutError as error:
            raise UsageError(
                f"The body did not arrive within {BODY_SECONDS:g} s", "send it at once"
            ) from error
        finally:
            self._pending_bytes -= len(raw)
        return raw


def _check_size(count: int) -> None:
    if count > MAX_BODY_BYTES:
        raise UsageError(
            f"The request has {count:,} bytes or more, and at most {MAX_BODY_BYTES:,} are accepted",
            "send less: no model reads a prompt of this size",
        )


def parse_body(raw: bytes | bytearray) -> Any:
    """Return the value of a body; raise `UsageError` if it is no JSON, or of too many values."""
    _check_structure(raw)
    try:
        return parse_json(raw.decode("utf-8-sig"))
    except ValueError as error:
        raise UsageError(f"The body is not JSON ({error})", "send a JSON object") from error


def _check_structure(raw: bytes | bytearray) -> None:
    """Raise `UsageError` for a body of more values than any request has.

    Parsed, they would take up to a hundred times the memory of their JSON.
    """
    if (
        _count_containers(raw) <= MAX_CONTAINERS
        and raw.count(b",") < MAX_VALUES
        and raw.count(b'"') <= 2 * MAX_STRINGS
    ):
        return
    # Without the escapes, which are pairs from the left, a quote begins or ends a string.
    plain = raw.replace(rb"\\", b"").replace(rb"\"", b"")
    strings = plain.count(b'"') // 2
    if strings > MAX_STRINGS:
        raise _create_error(strings, "texts", MAX_STRINGS)
    outside = _STRING.sub(b"", plain)
    if (containers := _count_containers(outside)) > MAX_CONTAINERS:
        raise _create_error(containers, "lists and objects", MAX_CONTAINERS)
    if (values := outside.count(b",") + 1) > MAX_VALUES:
        raise _create_error(values, "values", MAX_VALUES)


def _count_containers(raw: bytes | bytearray) -> int:
    return raw.count(b"[") + raw.count(b"{")


def _create_error(count: int, what: str, limit: int) -> UsageError:
    return UsageError(
        f"The body holds {count:,} {what}, and at most {limit:,} are accepted",
        "send one prompt in a request, as a text or a flat list of token ids",
    )
