"""JSON of completion requests, as a client writes it and a server reads it.

`POST /v1/completions` with `prompt` as a list of ids and `stream: true`. Sampling fields beyond
OpenAI's (`top_k`, `repetition_penalty`, `stop_token_ids`, `return_token_ids`) are spelled as in
vLLM. Our own engine understands two more: `progress` and `shared`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from starchat_tui.client.protocol import Request, Sampling
from starchat_tui.client.request_bounds import check_fields
from starchat_tui.errors import UsageError


def encode_request(request: Request) -> dict[str, Any]:
    """Return the body of `POST /v1/completions`, without the fields that are at their defaults."""
    sampling = {key: value for key, value in asdict(request.sampling).items() if value is not None}
    body: dict[str, Any] = {
        "model": request.model,
        "prompt": request.prompt if isinstance(request.prompt, str) else list(request.prompt),
        "stream": request.stream,
        **sampling,
    }
    if request.stop:
        body["stop"] = list(request.stop)
    if request.stop_ids:
        body["stop_token_ids"] = list(request.stop_ids)
    if request.stream:
        body |= {"stream_options": {"include_usage": True}, "return_token_ids": True}
    if request.ignore_eos:
        body["ignore_eos"] = True
    if request.progress:
        body["progress"] = True
    if request.shared:
        body["shared"] = request.shared
    return body


_GREEDY_BELOW = 1e-3
"""Temperature below which the likeliest token is taken: its logits would overflow if divided."""


def parse_request(body: object) -> Request:
    """Return the request in `body`; raises `UsageError` that names the invalid field."""
    if not isinstance(body, dict):
        raise UsageError("The body is not a JSON object", "send an OpenAI-style completion request")
    check_fields(body)
    # Null is the default of every field.
    given = {field: value for field, value in body.items() if value is not None}
    prompt, stop = given["prompt"], given.get("stop", ())
    return Request(
        model=given["model"],
        prompt=prompt if isinstance(prompt, str) else tuple(prompt),
        sampling=_create_sampling(given),
        stop=(stop,) if isinstance(stop, str) else tuple(stop),
        stop_ids=tuple(given.get("stop_token_ids", ())),
        stream=given.get("stream", False),
        progress=given.get("progress", False),
        shared=given.get("shared", 0),
        ignore_eos=given.get("ignore_eos", False),
    )


def _create_sampling(given: Mapping[str, Any]) -> Sampling:
    known = {field.name for field in fields(Sampling)}
    chosen = {field: value for field, value in given.items() if field in known}
    if chosen.get("temperature", 1.0) < _GREEDY_BELOW:
        chosen["temperature"] = 0.0
    return Sampling(**chosen)
