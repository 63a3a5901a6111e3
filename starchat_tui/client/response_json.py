"""JSON of everything a server sends: completion chunks, progress, models, health, errors.

The shapes are OpenAI's; what vLLM and llama-server do differently is understood, too. Our engine
adds `progress` events (only if the request asks for them) and `timings`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from starchat_tui.client.protocol import Delta, Health, ModelCard, Progress, Timings, Usage
from starchat_tui.config.json_file import parse_json
from starchat_tui.errors import (
    EngineGone,
    PromptTooLong,
    StarChatError,
    UsageError,
    find_error_class,
)

DONE = "[DONE]"
"""Data of the last server-sent event of a stream."""


def encode_delta(delta: Delta, *, name: str, model: str) -> dict[str, Any]:
    """Return the JSON of one streamed chunk, or of a whole answer."""
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


def encode_progress(progress: Progress) -> dict[str, Any]:
    """Return the JSON of a progress event."""
    return {"object": "starchat.progress", **asdict(progress)}


def encode_model_card(card: ModelCard) -> dict[str, Any]:
    """Return an entry of `/v1/models`; the window also has vLLM's name, `max_model_len`."""
    return {
        "id": card.name,
        "object": "model",
        "owned_by": "starchat",
        "max_model_len": card.window,
        **asdict(card),
    }


def parse_model_card(body: Mapping[str, Any]) -> ModelCard:
    """Return a model as our engine, vLLM (`max_model_len`) or llama-server (`meta`) lists it."""
    meta = _as_mapping(body.get("meta"))
    windows = (
        *(body.get("window"), body.get("max_model_len")),
        *(meta.get("n_ctx"), meta.get("n_ctx_train")),
    )
    return ModelCard(
        name=str(body.get("id") or ""),
        window=next(filter(None, map(_as_int, windows)), 0),
        loaded=bool(body.get("loaded", True)),
        tokenizer=str(body.get("tokenizer") or ""),
        bytes=_as_int(body.get("bytes")) or _as_int(meta.get("size")),
        forward=str(body.get("forward") or ""),
    )


def parse_health(body: Mapping[str, Any]) -> Health:
    """Return the body of `GET /health`; missing and mistyped fields keep their defaults."""
    known: dict[str, Any] = {}
    for field in fields(Health):
        value = body.get(field.name)
        if isinstance(field.default, tuple) and isinstance(value, list):
            known[field.name] = tuple(map(str, value))
        elif type(value) in (type(field.default), int) and type(value) is not bool:
            known[field.name] = value
    return Health(**known)


def encode_error(error: StarChatError) -> dict[str, Any]:
    """Return an error in OpenAI's shape, with our hint as an extra field."""
    return {
        "error": {
            "message": _clean_text(error.message),
            "type": type(error).__name__,
            "param": _clean_text(error.param) if isinstance(error, UsageError) else None,
            "code": error.code,
            "hint": _clean_text(error.hint),
        }
    }


def _clean_text(text: str | None) -> str | None:
    """Return a text that may quote a request, without what UTF-8 cannot express."""
    return text and text.encode(errors="replace").decode()


def parse_error(body: object, status: int) -> StarChatError:
    """Return the error in a server's answer.

    Errors of other servers have no code of ours and are recognized by their text and status.
    """
    found = body.get("error", body) if isinstance(body, dict) else body
    found = found if isinstance(found, dict) else {"message": found}
    message = str(found.get("message") or found.get("detail") or f"The server answered {status}")
    code = found.get("code")
    # Our own codes are words; other servers repeat the HTTP status as a number.
    if isinstance(code, str):
        return find_error_class(code)(message, str(found.get("hint") or ""))
    return _translate_error(message, str(found.get("type")), code if type(code) is int else status)


def _translate_error(message: str, kind: str, status: int) -> StarChatError:
    # llama-server names the error; vLLM only describes it.
    if kind == "exceed_context_size_error" or "maximum context length" in message:
        return PromptTooLong(message, "shorten the question, or start a new conversation")
    if status in (401, 403):
        return UsageError(message, "send the server's token: set STARCHAT_TOKEN")
    by_status = {400: "invalid_request", 404: "model_unavailable", 429: "busy"}
    kind = by_status.get(status, "unavailable" if status >= 500 else "error")
    return find_error_class(kind)(
        message, "the server's log, or its `GET /v1/models`, may say more"
    )


def parse_event(data: str) -> Delta | Progress | ModelCard | StarChatError | None:
    """Return the event in the data of one server-sent event; None at the end of the stream."""
    if data.strip() == DONE:
        return None
    try:
        body = parse_json(data)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        return EngineGone("The server sent a malformed event", f"it was {data[:60]!r}")
    if body.get("error"):
        return parse_error(body, 500)
    if body.get("object") == "starchat.progress":
        return Progress(
            str(body.get("stage")), _as_int(body.get("done")), _as_int(body.get("total"))
        )
    if body.get("object") == "model":
        return parse_model_card(body)
    return parse_delta(body)


def parse_delta(body: Mapping[str, Any]) -> Delta:
    """Return a chunk, or a whole answer, from its JSON; llama-server's timings are understood."""
    choices = body.get("choices")
    choice = _as_mapping(choices[0] if isinstance(choices, list) and choices else {})
    timings = _as_mapping(body.get("timings"))
    ids = choice.get("token_ids")
    reason = choice.get("finish_reason")
    return Delta(
        text=str(choice.get("text") or ""),
        ids=tuple(map(_as_int, ids)) if isinstance(ids, list) else (),
        finish_reason=str(reason) if reason else None,
        usage=_parse_usage(body["usage"], timings) if isinstance(body.get("usage"), dict) else None,
        timings=_parse_timings(timings) if timings else None,
    )


def _parse_usage(usage: Mapping[str, Any], timings: Mapping[str, Any]) -> Usage:
    details = _as_mapping(usage.get("prompt_tokens_details"))
    return Usage(
        prompt_tokens=_as_int(usage.get("prompt_tokens")),
        completion_tokens=_as_int(usage.get("completion_tokens")),
        cached_tokens=_as_int(details.get("cached_tokens", timings.get("cache_n"))),
    )


def _parse_timings(timings: Mapping[str, Any]) -> Timings:
    # llama-server measures in milliseconds.
    if "prompt_ms" in timings:
        return Timings(
            prefill=_as_float(timings["prompt_ms"]) / 1e3,
            decode=_as_float(timings.get("predicted_ms")) / 1e3,
            proposed_tokens=_as_int(timings.get("draft_n")),
            accepted_tokens=_as_int(timings.get("draft_n_accepted")),
        )
    return Timings(
        queued=_as_float(timings.get("queued")),
        prefill=_as_float(timings.get("prefill")),
        decode=_as_float(timings.get("decode")),
        proposed_tokens=_as_int(timings.get("proposed_tokens")),
        accepted_tokens=_as_int(timings.get("accepted_tokens")),
    )


def _as_mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _as_float(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _as_int(value: object) -> int:
    return value if isinstance(value, int) else 0
