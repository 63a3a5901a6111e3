"""The JSON of requests and answers, in both directions and as others write it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from starchat_tui import errors
from starchat_tui.client import protocol
from starchat_tui.client.protocol import (
    Delta,
    Health,
    ModelCard,
    Progress,
    Request,
    Sampling,
    Timings,
    Usage,
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

REQUESTS = [
    Request("m", (1, 2)),
    Request("m", "text"),
    Request(
        "owner/name",
        (0,),
        Sampling(5, 0.0, 1.0, 7, 1.5, seed=-3),
        stop=("\nHuman:", "-----"),
        stop_ids=(49155, 0),
        progress=True,
        shared=1,
    ),
    Request("m", (1,), Sampling(temperature=0), stream=False),
]


def there_and_back(body: object) -> object:
    return json.loads(json.dumps(body))


@pytest.mark.parametrize("request_", REQUESTS)
def test_a_request_arrives_as_it_was_sent(request_: Request) -> None:
    arrived = protocol.parse_request(there_and_back(protocol.request_json(request_)))
    assert arrived == request_


def test_keeping_all_tokens_is_said_aloud() -> None:
    keep_all = Request("m", (1,), Sampling(top_k=0))
    body = protocol.request_json(keep_all)
    assert body["top_k"] == 0


def test_only_our_own_engine_is_asked_for_progress() -> None:
    assert "progress" not in protocol.request_json(Request("m", (1,)))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model": None}, "model"),
        ({"model": 5}, "model"),
        ({"prompt": None}, "prompt"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": [1, -1]}, "prompt"),
        ({"prompt": [1, True]}, "prompt"),
        ({"prompt": [[1]]}, "prompt"),
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"top_p": 1.1}, "top_p"),
        ({"top_k": 1.5}, "top_k"),
        ({"top_k": True}, "top_k"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"seed": 2**63}, "seed"),
        ({"stop": [""]}, "stop"),
        ({"stop": 5}, "stop"),
        ({"stop_token_ids": ["a"]}, "stop_token_ids"),
        ({"n": 2}, "n"),
        ({"echo": True}, "echo"),
        ({"logprobs": 3}, "logprobs"),
        ({"presence_penalty": 0.5}, "presence_penalty"),
        ({"shared": -1}, "shared"),
        ({"tempurature": 1}, "tempurature"),
    ],
    ids=str,
)
def test_a_wrong_field_is_named(change: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=f"`{said}`") as caught:
        protocol.parse_request({"model": "m", "prompt": [1], **change})
    assert caught.value.hint


@pytest.mark.parametrize("body", [None, [], "text", 5])
def test_a_body_that_is_no_object_is_refused(body: object) -> None:
    with pytest.raises(UsageError, match="JSON object"):
        protocol.parse_request(body)


def test_openais_own_spellings_are_understood() -> None:
    body = {"model": "m", "prompt": "a", "stop": "end", "n": 1, "echo": False, "user": "me"}
    body |= {"frequency_penalty": 0, "logit_bias": None}
    assert protocol.parse_request(body) == Request("m", "a", stop=("end",), stream=False)


def test_a_delta_arrives_as_it_was_sent() -> None:
    delta = Delta("é\n", (5, 6), "stop", Usage(10, 2, 7), Timings(0.5, 1.25, 2.0))
    body = there_and_back(protocol.delta_json(delta, name="c", model="m"))
    assert protocol.parse_event(json.dumps(body)) == delta


@pytest.mark.parametrize("event", [Progress("loading", 3, 40), ModelCard("m", 8192, True, "/t", 5)])
def test_our_own_events_arrive_as_they_were_sent(event: Progress | ModelCard) -> None:
    write = protocol.progress_json if isinstance(event, Progress) else protocol.card_json
    assert protocol.parse_event(json.dumps(write(event))) == event  # type: ignore[operator]


def test_the_end_of_a_stream_is_none() -> None:
    assert protocol.parse_event(" [DONE]") is None


def every_error() -> list[type[StarChatError]]:
    """Those an engine may raise; what only a sandbox or training raises crosses no wire."""
    pending: list[type[StarChatError]] = [StarChatError]
    for known in pending:
        pending.extend(known.__subclasses__())
    return [kind for kind in pending if kind.__module__ == errors.__name__]


@pytest.mark.parametrize("kind", every_error())
def test_every_error_arrives_as_itself(kind: type[StarChatError]) -> None:
    event = protocol.parse_event(json.dumps(protocol.error_json(kind("what", "then"))))
    assert type(event) is kind
    assert isinstance(event, StarChatError)
    assert (event.message, event.hint) == ("what", "then")
    assert errors.of_code(kind.code) is kind


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
        # FastAPI, and what stands between
        ({"detail": "Not Found"}, 404, ModelUnavailable),
        ("<html>", 502, Unavailable),
        (None, 429, Busy),
        ({"error": {"code": "no_such_code", "message": "x"}}, 400, StarChatError),
        ({"error": {"code": "out_of_memory", "message": "x"}}, 507, OutOfMemory),
    ],
)
def test_the_errors_of_others_become_ours(
    body: object, status: int, kind: type[StarChatError]
) -> None:
    error = protocol.parse_error(body, status)
    assert type(error) is kind
    assert error.message


def test_usage_after_the_reason_comes_without_choices() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    event = protocol.parse_event(json.dumps({"choices": [], "usage": usage}))
    assert event == Delta(usage=Usage(3, 2, 0))


def test_llama_servers_counts_are_understood() -> None:
    body = {
        "choices": [{"text": "", "finish_reason": "stop", "index": 0}],
        "usage": {"prompt_tokens": 30, "completion_tokens": 2},
        "timings": {"cache_n": 28, "prompt_n": 2, "prompt_ms": 50.0, "predicted_ms": 125.0},
    }
    event = protocol.parse_delta(body)
    assert event.usage == Usage(30, 2, 28)
    assert event.timings == Timings(0.0, 0.05, 0.125)


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
def test_models_as_others_list_them(body: dict[str, object], card: ModelCard) -> None:
    assert protocol.parse_card(body) == card


@pytest.mark.parametrize(
    "data",
    ["", "{", "[]", "5", '"text"', "null"],
)
def test_a_line_that_is_no_event_is_an_error(data: str) -> None:
    assert isinstance(protocol.parse_event(data), EngineGone)


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
def test_a_strange_event_is_survived(body: dict[str, object]) -> None:
    assert not isinstance(protocol.parse_event(json.dumps(body)), StarChatError)


def test_joined_is_the_whole_answer() -> None:
    deltas = [
        Delta("a", (1,)),
        Delta("b", (2, 3)),
        Delta("", (), "length"),
        Delta(usage=Usage(1, 3)),
    ]
    assert protocol.joined(deltas) == Delta("ab", (1, 2, 3), "length", Usage(1, 3))
    assert protocol.joined([]) == Delta()


def test_health_arrives_and_a_strangers_is_empty() -> None:
    health = Health("starchat", "1.0", 7, "idle", 1.5, 600.0, 2, ("m",), 10, 3, 4)
    body = there_and_back({name: getattr(health, name) for name in Health.__slots__})
    assert isinstance(body, dict)
    assert protocol.parse_health(body) == health
    assert protocol.parse_health({"status": "ok", "pid": "x", "idle": None}) == Health()
    assert protocol.parse_health({**body, "keep_alive": -1}) == replace(health, keep_alive=-1.0)
