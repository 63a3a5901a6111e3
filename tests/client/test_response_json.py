"""JSON of answers: our own round trip, and the formats of other servers."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from starchat_tui import errors
from starchat_tui.client.protocol import Delta, Health, ModelCard, Progress, Timings, Usage
from starchat_tui.client.response_json import (
    encode_delta,
    encode_error,
    encode_model_card,
    encode_progress,
    parse_delta,
    parse_error,
    parse_event,
    parse_health,
    parse_model_card,
)
from starchat_tui.errors import (
    Busy,
    EngineGone,
    ModelUnavailable,
    OutOfMemory,
    PromptTooLong,
    StarChatError,
    Unavailable,
    UsageError,
)


def round_trip(body: object) -> object:
    """Return `body` as the other side reads it."""
    return json.loads(json.dumps(body))


def test_delta_round_trips() -> None:
    delta = Delta("é\n", (5, 6), "stop", Usage(10, 2, 7), Timings(0.5, 1.25, 2.0, 9, 5))
    body = round_trip(encode_delta(delta, name="c", model="m"))
    assert parse_event(json.dumps(body)) == delta


@pytest.mark.parametrize("event", [Progress("loading", 3, 40), ModelCard("m", 8192, True, "/t", 5)])
def test_starchat_events_round_trip(event: Progress | ModelCard) -> None:
    write = encode_progress if isinstance(event, Progress) else encode_model_card
    assert parse_event(json.dumps(write(event))) == event  # type: ignore[operator]


def test_end_of_stream_is_none() -> None:
    assert parse_event(" [DONE]") is None


def list_error_classes() -> list[type[StarChatError]]:
    """Error classes that an engine may raise; those of sandbox and training are never sent."""
    pending: list[type[StarChatError]] = [StarChatError]
    for known in pending:
        pending.extend(known.__subclasses__())
    return [kind for kind in pending if kind.__module__ == errors.__name__]


@pytest.mark.parametrize("kind", list_error_classes())
def test_error_class_survives_the_round_trip(kind: type[StarChatError]) -> None:
    event = parse_event(json.dumps(encode_error(kind("what", "then"))))
    assert type(event) is kind
    assert isinstance(event, StarChatError)
    assert (event.message, event.hint) == ("what", "then")
    assert errors.find_error_class(kind.code) is kind


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        # vLLM
        ({"error": {"message": "maximum context length is 8", "code": 400}}, 400, PromptTooLong),
        (
            {"error": {"message": "no model", "type": "NotFoundError", "code": 404}},
            404,
            ModelUnavailable,
        ),
        ({"error": "Unauthorized"}, 401, UsageError),
        # llama-server
        (
            {"error": {"code": 400, "type": "exceed_context_size_error", "message": "x"}},
            400,
            PromptTooLong,
        ),
        ({"error": {"code": 503, "message": "Loading model"}}, 503, Unavailable),
        # FastAPI, and proxies
        ({"detail": "Not Found"}, 404, ModelUnavailable),
        ("<html>", 502, Unavailable),
        (None, 429, Busy),
        ({"error": {"code": "no_such_code", "message": "x"}}, 400, StarChatError),
        ({"error": {"code": "out_of_memory", "message": "x"}}, 507, OutOfMemory),
    ],
)
def test_errors_of_other_servers_are_translated(
    body: object, status: int, kind: type[StarChatError]
) -> None:
    error = parse_error(body, status)
    assert type(error) is kind
    assert error.message


def test_usage_chunk_without_choices() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    event = parse_event(json.dumps({"choices": [], "usage": usage}))
    assert event == Delta(usage=Usage(3, 2, 0))


def test_llama_server_timings_are_understood() -> None:
    body = {
        "choices": [{"text": "", "finish_reason": "stop", "index": 0}],
        "usage": {"prompt_tokens": 30, "completion_tokens": 2},
        "timings": {
            **{"cache_n": 28, "prompt_n": 2, "prompt_ms": 50.0, "predicted_ms": 125.0},
            **{"draft_n": 6, "draft_n_accepted": 4},
        },
    }
    event = parse_delta(body)
    assert event.usage == Usage(30, 2, 28)
    assert event.timings == Timings(0.0, 0.05, 0.125, 6, 4)


@pytest.mark.parametrize(
    ("body", "card"),
    [
        ({"id": "v", "max_model_len": 4096}, ModelCard("v", 4096, True)),
        (
            {"id": "l", "meta": {"n_ctx_train": 8192, "size": 77}},
            ModelCard("l", 8192, True, bytes=77),
        ),
        (
            {"id": "l", "meta": {"n_ctx_train": 8192, "n_ctx": 512}},
            ModelCard("l", 512, True),
        ),
        ({"id": "o"}, ModelCard("o", 0, True)),
        ({"id": "s", "meta": None, "max_model_len": "big"}, ModelCard("s", 0, True)),
    ],
)
def test_model_lists_of_other_servers(body: dict[str, object], card: ModelCard) -> None:
    assert parse_model_card(body) == card


@pytest.mark.parametrize(
    "data",
    ["", "{", "[]", "5", '"text"', "null"],
)
def test_malformed_event_becomes_an_error(data: str) -> None:
    assert isinstance(parse_event(data), EngineGone)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"choices": None},
        {"choices": "x"},
        {"choices": [None]},
        {"choices": [{"text": None, "token_ids": None}]},
        {"choices": [{"token_ids": "x", "finish_reason": None}], "usage": None, "error": None},
        {"usage": {"prompt_tokens": None, "prompt_tokens_details": None}, "timings": []},
        {"object": "starchat.progress", "done": "x"},
        {"object": "model", "meta": []},
    ],
    ids=str,
)
def test_event_with_wrong_types_is_tolerated(body: dict[str, object]) -> None:
    assert not isinstance(parse_event(json.dumps(body)), StarChatError)


def test_health_round_trips_and_foreign_health_is_empty() -> None:
    health = Health("starchat", "1.0", 7, "idle", 1.5, 600.0, 2, ("m",), 10, 3, 4)
    body = round_trip({name: getattr(health, name) for name in Health.__slots__})
    assert isinstance(body, dict)
    assert parse_health(body) == health
    assert parse_health({"status": "ok", "pid": "x", "idle": None}) == Health()
    assert parse_health({**body, "keep_alive": -1}) == replace(health, keep_alive=-1.0)
