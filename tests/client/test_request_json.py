"""JSON of requests: round trip, validation, spellings of other clients."""

from __future__ import annotations

import json

import pytest

from starchat_tui.client.protocol import Request, Sampling
from starchat_tui.client.request_json import encode_request, parse_request
from starchat_tui.errors import UsageError

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


def round_trip(body: object) -> object:
    """Return `body` as the other side reads it."""
    return json.loads(json.dumps(body))


@pytest.mark.parametrize("request_", REQUESTS)
def test_request_round_trips(request_: Request) -> None:
    arrived = parse_request(round_trip(encode_request(request_)))
    assert arrived == request_


def test_top_k_zero_is_sent() -> None:
    keep_all = Request("m", (1,), Sampling(top_k=0))
    body = encode_request(keep_all)
    assert body["top_k"] == 0


def test_progress_is_requested_only_explicitly() -> None:
    assert "progress" not in encode_request(Request("m", (1,)))


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
def test_invalid_field_is_named_in_the_error(change: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=f"`{said}`") as caught:
        parse_request({"model": "m", "prompt": [1], **change})
    assert caught.value.hint


@pytest.mark.parametrize("body", [None, [], "text", 5])
def test_body_must_be_an_object(body: object) -> None:
    with pytest.raises(UsageError, match="JSON object"):
        parse_request(body)


def test_openai_spellings_are_accepted() -> None:
    body = {"model": "m", "prompt": "a", "stop": "end", "n": 1, "echo": False, "user": "me"}
    body |= {"frequency_penalty": 0, "logit_bias": {}, "logprobs": None}
    assert parse_request(body) == Request("m", "a", stop=("end",), stream=False)


@pytest.mark.parametrize("temperature", [0, 1e-300, 5e-324, 0.0009])
def test_a_temperature_close_to_zero_is_greedy(temperature: float) -> None:
    request = parse_request({"model": "m", "prompt": [1], "temperature": temperature})
    assert request.sampling.temperature == 0.0


def test_going_on_behind_the_end_is_asked_for() -> None:
    request = Request("m", (1,), ignore_eos=True)
    assert encode_request(request)["ignore_eos"] is True
    assert parse_request(encode_request(request)).ignore_eos
