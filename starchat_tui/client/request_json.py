"""JSON of completion requests, as a client writes it and a server reads it.

`POST /v1/completions` with `prompt` as a list of ids and `stream: true`. Sampling fields beyond
OpenAI's (`top_k`, `repetition_penalty`, `stop_token_ids`, `return_token_ids`) are spelled as in
vLLM. Our own engine understands two more: `progress` and `shared`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from starchat_tui.client.protocol import Request, Sampling
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


_MAX_TOKENS = 2**24
"""Tokens of the largest context window, in any place where a request counts tokens."""
_MAX_ID = 2**31 - 1
_MAX_STOPS, _MAX_STOP_CHARACTERS = 16, 256
"""Every stop text is looked for after each token: a million of them held the device for minutes."""
_MAX_STOP_IDS = 256
_MAX_NAME_CHARACTERS = 512
_GREEDY_BELOW = 1e-3
"""Temperature below which the likeliest token is taken: its logits would overflow if divided."""
_NUMBERS: Mapping[str, tuple[type, float, float]] = {
    "max_tokens": (int, 1, _MAX_TOKENS),
    "temperature": (float, 0.0, 100.0),
    "top_p": (float, 0.0, 1.0),
    "top_k": (int, 0, _MAX_ID),
    "repetition_penalty": (float, 0.01, 100.0),
    "seed": (int, -(2**63), 2**63 - 1),
}
_NEUTRAL = {"n": 1, "best_of": 1, "echo": False, "logprobs": None, "suffix": None}
_NEUTRAL |= {"presence_penalty": 0, "frequency_penalty": 0, "logit_bias": None}
"""OpenAI fields that we do not implement, accepted only at the value that changes nothing."""
_KNOWN = {*_NUMBERS, *_NEUTRAL, "model", "prompt", "stream", "stop", "stop_token_ids", "user"}
_KNOWN |= {"stream_options", "return_token_ids", "progress", "shared", "ignore_eos"}


def parse_request(body: object) -> Request:
    """Return the request in `body`; raises `UsageError` that names the invalid field."""
    if not isinstance(body, dict):
        raise UsageError("The body is not a JSON object", "send an OpenAI-style completion request")
    unknown = sorted(set(body) - _KNOWN)
    if unknown:
        raise UsageError(
            f"Unknown field `{unknown[0]}`", f"known fields: {', '.join(sorted(_KNOWN))}"
        )
    for field, neutral in _NEUTRAL.items():
        if body.get(field) not in (neutral, None):
            raise UsageError(f"`{field}` other than {neutral} is not supported", "leave it out")
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise UsageError("`model` is missing", "`GET /v1/models` lists the names")
    _check_name(model, "model")
    _check_name(body.get("user") or "", "user")
    (shared,) = _parse_ids([body.get("shared") or 0], "shared", limit=1)
    return Request(
        model=model,
        prompt=_parse_prompt(body.get("prompt")),
        sampling=_parse_sampling(body),
        stop=_parse_stop(body.get("stop")),
        stop_ids=_parse_ids(body.get("stop_token_ids") or [], "stop_token_ids"),
        stream=bool(body.get("stream", False)),
        progress=bool(body.get("progress", False)),
        shared=shared,
        ignore_eos=bool(body.get("ignore_eos", False)),
    )


def _check_name(value: object, field: str) -> None:
    if not isinstance(value, str) or len(value) > _MAX_NAME_CHARACTERS:
        raise UsageError(
            f"`{field}` is no text of at most {_MAX_NAME_CHARACTERS} characters", "shorten it"
        )
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise UsageError(
            f"`{field}` holds half of a surrogate pair", "send well-formed Unicode"
        ) from error


def _parse_prompt(value: object) -> tuple[int, ...] | str:
    if isinstance(value, str) and value:
        return value
    if isinstance(value, list) and value:
        return _parse_ids(value, "prompt", limit=_MAX_TOKENS)
    raise UsageError("`prompt` is empty", "send a text or a list of token ids")


def _parse_ids(value: object, field: str, *, limit: int = _MAX_STOP_IDS) -> tuple[int, ...]:
    if not isinstance(value, list) or not all(
        type(one) is int and 0 <= one <= _MAX_ID for one in value
    ):
        raise UsageError(f"`{field}` is not a list of token ids", "ids are integers from 0 on")
    if len(value) > limit:
        raise UsageError(f"`{field}` has {len(value):,} ids", f"at most {limit:,} are accepted")
    return tuple(value)


def _parse_stop(value: object) -> tuple[str, ...]:
    texts = [value] if isinstance(value, str) else value or []
    if not isinstance(texts, list) or not all(isinstance(one, str) and one for one in texts):
        raise UsageError("`stop` is not a text or a list of texts", "leave it out to set none")
    if len(texts) > _MAX_STOPS or any(len(one) > _MAX_STOP_CHARACTERS for one in texts):
        raise UsageError(
            f"`stop` has more than {_MAX_STOPS} texts, or one of more than "
            f"{_MAX_STOP_CHARACTERS} characters",
            "send fewer and shorter ones",
        )
    return tuple(texts)


def _parse_sampling(body: Mapping[str, Any]) -> Sampling:
    given: dict[str, Any] = {}
    for field, (kind, low, high) in _NUMBERS.items():
        value = body.get(field)
        if value is None:
            continue
        # `isinstance` would take True for 1.
        numeric = type(value) is int or (kind is float and type(value) is float)
        if not numeric or not low <= value <= high:
            raise UsageError(f"`{field}` is {value!r}", f"it is a number from {low:g} to {high:g}")
        given[field] = kind(value)
    if given.get("temperature", 1.0) < _GREEDY_BELOW:
        given["temperature"] = 0.0
    return Sampling(**given)
