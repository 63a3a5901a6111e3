"""The OpenAI-shaped JSON of requests and streamed answers, read and written in one place.

`POST /v1/completions` with `prompt` as a list of ids and `stream: true`. Sampling fields beyond
OpenAI's (`top_k`, `repetition_penalty`, `stop_token_ids`, `return_token_ids`) are spelled as vLLM
spells them. Our engine adds `progress` events (only where the request asks for them) and `timings`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from starchat_tui.errors import EngineGone, PromptTooLong, StarChatError, UsageError, of_code

DONE = "[DONE]"


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is drawn, applied in Hugging Face's order: penalty, temperature, k, p."""

    max_tokens: int = 1024
    temperature: float = 0.2
    """0 takes the likeliest token."""
    top_p: float = 0.95
    top_k: int = 50
    """0 keeps all, and is always sent: the default of other servers is another."""
    repetition_penalty: float = 1.0
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """One completion: ids (or text) in, at most `sampling.max_tokens` out."""

    model: str
    prompt: tuple[int, ...] | str
    sampling: Sampling = Sampling()
    stop: tuple[str, ...] = ()
    stop_ids: tuple[int, ...] = ()
    stream: bool = True
    progress: bool = False
    """Whether queueing, loading and prefill are reported in the stream."""
    shared: int = 0
    """The first tokens that every conversation begins with; our engine keeps them on disk."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts of one completion."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds of one completion, measured by the engine."""

    queued: float = 0.0
    prefill: float = 0.0
    decode: float = 0.0


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of the answer; the last one has `finish_reason`, and may bring usage and timings."""

    text: str = ""
    ids: tuple[int, ...] = ()
    finish_reason: str | None = None
    """`stop`, `length`, `cancelled` or None."""
    usage: Usage | None = None
    timings: Timings | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """What the engine does before the first token: `stage` is one word, `done` of `total`."""

    stage: str
    """`starting`, `queued`, `importing`, `downloading`, `loading`, `warming` or `prefill`.

    `queued` counts places (`done` 1 is the next), `downloading` bytes, `prefill` tokens.
    """
    done: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True)
class ModelCard:
    """One entry of `/v1/models`."""

    name: str
    window: int
    """Context length in tokens; 0 when it is not known before loading."""
    loaded: bool
    tokenizer: str = ""
    """Path of its tokenizer.json on the engine's machine."""
    bytes: int = 0
    """Memory of the loaded weights."""


@dataclass(frozen=True, slots=True)
class Health:
    """What an engine says of itself; every field is empty where the server is not ours."""

    engine: str = ""
    version: str = ""
    pid: int = 0
    state: str = ""
    """`starting`, `idle`, `busy` or `leaving`."""
    idle: float = 0.0
    """Seconds since the last answer."""
    keep_alive: float = 0.0
    """Seconds it stays without one; negative is for ever."""
    queue: int = 0
    """Requests that wait."""
    models: tuple[str, ...] = ()
    bytes: int = 0
    """Memory of the loaded weights."""
    prefilled_tokens: int = 0
    """Prompt tokens computed since its start."""
    generated_tokens: int = 0
    """Tokens drawn since its start."""
    device: str = ""
    """Where it was told to compute; `auto` where it chose itself."""
    quantize: str = ""
    """The weights it was told to make."""


def request_json(request: Request) -> dict[str, Any]:
    """The body of `POST /v1/completions`; what is at its neutral value is left out."""
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
    if request.progress:
        body["progress"] = True
    if request.shared:
        body["shared"] = request.shared
    return body


_NUMBERS: Mapping[str, tuple[type, float, float]] = {
    "max_tokens": (int, 1, float("inf")),
    "temperature": (float, 0.0, 100.0),
    "top_p": (float, 0.0, 1.0),
    "top_k": (int, 0, float("inf")),
    "repetition_penalty": (float, 0.01, 100.0),
    "seed": (int, -(2**63), 2**63 - 1),
}
_NEUTRAL = {"n": 1, "best_of": 1, "echo": False, "logprobs": None, "suffix": None}
_NEUTRAL |= {"presence_penalty": 0, "frequency_penalty": 0, "logit_bias": None}
"""Fields of OpenAI's that change nothing at these values, which alone are accepted."""
_KNOWN = {*_NUMBERS, *_NEUTRAL, "model", "prompt", "stream", "stop", "stop_token_ids", "user"}
_KNOWN |= {"stream_options", "return_token_ids", "progress", "shared"}


def parse_request(body: object) -> Request:
    """A request from its JSON; raises `UsageError` that names the field and what was expected."""
    if not isinstance(body, dict):
        raise UsageError("The body is not a JSON object", "send an OpenAI-style completion request")
    unknown = sorted(set(body) - _KNOWN)
    if unknown:
        raise UsageError(f"Unknown field `{unknown[0]}`", f"known are {', '.join(sorted(_KNOWN))}")
    for field, neutral in _NEUTRAL.items():
        if body.get(field) not in (neutral, None):
            raise UsageError(f"`{field}` other than {neutral} is not supported", "leave it out")
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise UsageError("`model` is missing", "`GET /v1/models` lists the names")
    (shared,) = _ids([body.get("shared") or 0], "shared")
    return Request(
        model=model,
        prompt=_prompt(body.get("prompt")),
        sampling=_sampling(body),
        stop=_strings(body.get("stop")),
        stop_ids=_ids(body.get("stop_token_ids") or [], "stop_token_ids"),
        stream=bool(body.get("stream", False)),
        progress=bool(body.get("progress", False)),
        shared=shared,
    )


def _prompt(value: object) -> tuple[int, ...] | str:
    if isinstance(value, str) and value:
        return value
    if isinstance(value, list) and value:
        return _ids(value, "prompt")
    raise UsageError("`prompt` is empty", "send a text or a list of token ids")


def _ids(value: object, field: str) -> tuple[int, ...]:
    if not isinstance(value, list) or not all(type(one) is int and one >= 0 for one in value):
        raise UsageError(f"`{field}` is not a list of token ids", "ids are integers from 0 on")
    return tuple(value)


def _strings(value: object) -> tuple[str, ...]:
    texts = [value] if isinstance(value, str) else value or []
    if not isinstance(texts, list) or not all(isinstance(one, str) and one for one in texts):
        raise UsageError("`stop` is not a text or a list of texts", "leave it out for none")
    return tuple(texts)


def _sampling(body: Mapping[str, Any]) -> Sampling:
    given: dict[str, Any] = {}
    for field, (kind, low, high) in _NUMBERS.items():
        value = body.get(field)
        if value is None:
            continue
        numeric = type(value) is int or (kind is float and type(value) is float)
        if not numeric or not low <= value <= high:
            raise UsageError(f"`{field}` is {value!r}", f"it is a number from {low:g} to {high:g}")
        given[field] = kind(value)
    return Sampling(**given)


def delta_json(delta: Delta, *, name: str, model: str) -> dict[str, Any]:
    """One streamed chunk, or with everything in it the whole answer."""
    choice: dict[str, Any] = {"index": 0, "text": delta.text, "token_ids": list(delta.ids)}
    choice["finish_reason"] = delta.finish_reason
    body: dict[str, Any] = {"id": name, "object": "text_completion", "model": model}
    body["choices"] = [choice]
    if delta.usage is not None:
        body["usage"] = {
            "prompt_tokens": delta.usage.prompt_tokens,
            "completion_tokens": delta.usage.completion_tokens,
            "total_tokens": delta.usage.prompt_tokens + delta.usage.completion_tokens,
            "prompt_tokens_details": {"cached_tokens": delta.usage.cached_tokens},
        }
    if delta.timings is not None:
        body["timings"] = asdict(delta.timings)
    return body


def progress_json(progress: Progress) -> dict[str, Any]:
    """One progress event."""
    return {"object": "starchat.progress", **asdict(progress)}


def card_json(card: ModelCard) -> dict[str, Any]:
    """One entry of `/v1/models`; the window is spelled as vLLM spells it, too."""
    return {
        "id": card.name,
        "object": "model",
        "owned_by": "starchat",
        "max_model_len": card.window,
        **asdict(card),
    }


def parse_card(body: Mapping[str, Any]) -> ModelCard:
    """A model as our engine, vLLM (`max_model_len`) or llama-server (`meta`) lists it."""
    meta = _object(body.get("meta"))
    windows = (
        *(body.get("window"), body.get("max_model_len")),
        *(meta.get("n_ctx"), meta.get("n_ctx_train")),
    )
    return ModelCard(
        name=str(body.get("id") or ""),
        window=next(filter(None, map(_count, windows)), 0),
        loaded=bool(body.get("loaded", True)),
        tokenizer=str(body.get("tokenizer") or ""),
        bytes=_count(body.get("bytes")) or _count(meta.get("size")),
    )


def parse_health(body: Mapping[str, Any]) -> Health:
    """The body of `GET /health`; what is missing or of another type keeps its default."""
    known: dict[str, Any] = {}
    for field in fields(Health):
        value = body.get(field.name)
        if field.name == "models" and isinstance(value, list):
            known["models"] = tuple(map(str, value))
        elif type(value) in (type(field.default), int) and type(value) is not bool:
            known[field.name] = value
    return Health(**known)


def joined(deltas: Sequence[Delta]) -> Delta:
    """A whole answer of its deltas."""
    return Delta(
        text="".join(delta.text for delta in deltas),
        ids=tuple(token for delta in deltas for token in delta.ids),
        finish_reason=next((d.finish_reason for d in deltas if d.finish_reason), None),
        usage=next((delta.usage for delta in deltas if delta.usage), None),
        timings=next((delta.timings for delta in deltas if delta.timings), None),
    )


def error_json(error: StarChatError) -> dict[str, Any]:
    """An error as OpenAI's clients expect it, with our hint beside it."""
    return {
        "error": {
            "message": error.message,
            "type": type(error).__name__,
            "code": error.code,
            "hint": error.hint,
        }
    }


def parse_error(body: object, status: int) -> StarChatError:
    """The error a server answered with; one that is not ours is told by its words and status."""
    found = body.get("error", body) if isinstance(body, dict) else body
    found = found if isinstance(found, dict) else {"message": found}
    message = str(found.get("message") or found.get("detail") or f"The server answered {status}")
    code = found.get("code")
    if isinstance(code, str):
        return of_code(code)(message, str(found.get("hint") or ""))
    return _foreign_error(message, str(found.get("type")), code if type(code) is int else status)


def _foreign_error(message: str, kind: str, status: int) -> StarChatError:
    if kind == "exceed_context_size_error" or "maximum context length" in message:
        return PromptTooLong(message, "shorten the question, or start a new conversation")
    if status in (401, 403):
        return UsageError(message, "send the server's token: set STARCHAT_TOKEN")
    by_status = {400: "invalid_request", 404: "model_unavailable", 429: "busy"}
    kind = by_status.get(status, "unavailable" if status >= 500 else "error")
    return of_code(kind)(message, "the server's log, or its `GET /v1/models`, may say more")


def parse_event(data: str) -> Delta | Progress | ModelCard | StarChatError | None:
    """What one server-sent `data:` line says; None at the end of the stream."""
    if data.strip() == DONE:
        return None
    try:
        body = json.loads(data)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        return EngineGone("The server sent something that is not an event", f"it was {data[:60]!r}")
    if body.get("error"):
        return parse_error(body, 500)
    if body.get("object") == "starchat.progress":
        return Progress(str(body.get("stage")), _count(body.get("done")), _count(body.get("total")))
    if body.get("object") == "model":
        return parse_card(body)
    return parse_delta(body)


def parse_delta(body: Mapping[str, Any]) -> Delta:
    """A chunk, or a whole answer, from its JSON; llama-server's own counts are understood."""
    choices = body.get("choices")
    choice = _object(choices[0] if isinstance(choices, list) and choices else {})
    timings = _object(body.get("timings"))
    ids = choice.get("token_ids")
    reason = choice.get("finish_reason")
    return Delta(
        text=str(choice.get("text") or ""),
        ids=tuple(map(_count, ids)) if isinstance(ids, list) else (),
        finish_reason=str(reason) if reason else None,
        usage=_usage(body["usage"], timings) if isinstance(body.get("usage"), dict) else None,
        timings=_timings(timings) if timings else None,
    )


def _usage(usage: Mapping[str, Any], timings: Mapping[str, Any]) -> Usage:
    details = _object(usage.get("prompt_tokens_details"))
    return Usage(
        prompt_tokens=_count(usage.get("prompt_tokens")),
        completion_tokens=_count(usage.get("completion_tokens")),
        cached_tokens=_count(details.get("cached_tokens", timings.get("cache_n"))),
    )


def _timings(timings: Mapping[str, Any]) -> Timings:
    if "prompt_ms" in timings:
        prefill, decode = (_number(timings.get(name)) for name in ("prompt_ms", "predicted_ms"))
        return Timings(0.0, prefill / 1e3, decode / 1e3)
    return Timings(*(_number(timings.get(field.name)) for field in fields(Timings)))


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _count(value: object) -> int:
    return value if isinstance(value, int) else 0
