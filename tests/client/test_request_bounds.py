"""Bounds of a request's fields: each at, below and above its own."""

from __future__ import annotations

import json

import pytest

from starchat_tui.client.protocol import Sampling
from starchat_tui.client.request_bounds import (
    BOUNDS,
    MAX_IDS,
    Bound,
    check_field,
    check_fields,
    describe_bound,
)
from starchat_tui.client.response_json import encode_error
from starchat_tui.config.settings import Settings
from starchat_tui.errors import UsageError

NO_NUMBERS: tuple[object, ...] = (True, "1", [1], {}, float("nan"), float("inf"), 10**400)
NO_TEXTS: tuple[object, ...] = (1, True, [], {}, "\ud800", "a\udfff")


def step_over(bound: Bound, limit: float, direction: int) -> float:
    """Return the next number beyond a limit."""
    return limit + direction * (1 if bound.kind == "int" else 1e-6 * max(abs(limit), 1))


def list_accepted(bound: Bound) -> list[object]:
    """Return values at and within a bound."""
    low, high = int(bound.low), int(bound.high)
    if bound.kind in ("int", "float"):
        return [bound.low, bound.high, bound.high - 1] if bound.kind == "float" else [low, high]
    if bound.kind in ("text", "name"):
        return ["a" * low, "é" * high]
    if bound.kind == "texts":
        texts = ["a" * low, "é" * high]
        return [*texts, texts, [], [texts[1]] * bound.count]
    if bound.kind == "ids":
        return [[], [low, high], [low] * bound.count]
    if bound.kind == "prompt":
        return ["a", "a" * 10**6, "\ud800", [low], [high] * bound.count]
    if bound.kind == "object":
        return [{}, {str(number): 1 for number in range(bound.count)}]
    return [True, False] if bound.kind == "bool" else list(bound.neutral)


def list_refused(bound: Bound) -> list[object]:
    """Return values beyond a bound, and some of other types."""
    low, high = int(bound.low), int(bound.high)
    if bound.kind in ("int", "float"):
        beyond = [step_over(bound, bound.low, -1), step_over(bound, bound.high, 1)]
        numbers = beyond if bound.kind == "float" else [low - 1, high + 1, 1.0]
        return [*numbers, *NO_NUMBERS]
    if bound.kind in ("text", "name"):
        short = ["a" * (low - 1)] if low else []
        return [*short, "a" * (high + 1), *NO_TEXTS, *(["\0"] if bound.kind == "name" else [])]
    if bound.kind == "texts":
        return ["", [""], "a" * (high + 1), ["a"] * (bound.count + 1), [1], 1, {}, "\ud800"]
    if bound.kind in ("ids", "prompt"):
        too_many = [low] * (bound.count + 1)
        return [[low - 1], [high + 1], [True], ["1"], [[1]], [1.0], too_many, 1, {}, True]
    if bound.kind == "object":
        return [[], 1, "a", {str(number): 1 for number in range(bound.count + 1)}]
    if bound.kind == "bool":
        return [0, 1, "true", [], {}]
    return [2, -1, 0.5, "x", [1], {"a": 1}, True, 10**400]


@pytest.mark.parametrize("field", BOUNDS)
def test_a_field_accepts_what_is_within_its_bound(field: str) -> None:
    for value in list_accepted(BOUNDS[field]):
        check_field(field, value)


@pytest.mark.parametrize("field", BOUNDS)
def test_a_field_refuses_what_is_beyond_and_is_named(field: str) -> None:
    for value in list_refused(BOUNDS[field]):
        with pytest.raises(UsageError, match=f"`{field}`") as caught:
            check_field(field, value)
        error = encode_error(caught.value)["error"]
        assert error["param"] == field
        assert describe_bound(BOUNDS[field]) in error["hint"]
        assert len(json.dumps(error, ensure_ascii=False).encode()) < 600, "it quotes no megabytes"


@pytest.mark.parametrize("field", BOUNDS)
def test_null_is_the_default_of_what_is_not_required(field: str) -> None:
    body = {"model": "m", "prompt": "p", field: None}
    if field in ("model", "prompt"):
        with pytest.raises(UsageError, match=f"`{field}` is missing"):
            check_fields(body)
    else:
        check_fields(body)


@pytest.mark.parametrize("name", ["tempurature", "x" * 10**6, "\ud800", ""])
def test_an_unknown_field_is_named_in_short(name: str) -> None:
    with pytest.raises(UsageError, match="Unknown field") as caught:
        check_fields({"model": "m", "prompt": "p", name: 1})
    error = encode_error(caught.value)["error"]
    assert len(json.dumps(error, ensure_ascii=False).encode()) < 1000
    assert error["param"][:5] == name[:5].replace("\ud800", "?")


def test_no_field_is_without_a_bound() -> None:
    for field, bound in BOUNDS.items():
        if bound.kind in ("int", "float", "text", "name", "texts", "ids", "prompt"):
            assert bound.low < bound.high < 2**63, field
        assert bound.count <= MAX_IDS


def test_what_settings_accept_requests_accept() -> None:
    settings = Settings()
    for field in ("temperature", "top_p", "top_k", "repetition_penalty", "max_tokens"):
        check_field(field, getattr(settings, field))
    for field in Sampling.__slots__:
        check_field(field, getattr(Sampling(), field))
    for field in ("max_tokens", "top_k"):
        check_field(field, 10**9)
