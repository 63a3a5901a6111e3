"""Bounds of every field of a completion request: the largest values that are worth an answer.

Without one, a client could hold the device or fill the memory: with a million stop texts, say.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeGuard

from starchat_tui.errors import UsageError

MAX_IDS = 2**20
"""Token ids in a prompt: as many as the largest windows in use have."""
_MAX_COUNT = 10**9
"""Largest number of tokens that a setting of ours may name."""
_MAX_ID = 2**31 - 1
_MAX_SHOWN = 60
"""Characters of a wrong value that the error quotes."""


@dataclass(frozen=True, slots=True)
class Bound:
    """Values that a field of a request accepts; null is the default of every field."""

    kind: Literal[
        "bool", "int", "float", "text", "name", "texts", "ids", "prompt", "object", "neutral"
    ]
    low: float = 0
    """Least number, or least number of characters of a text."""
    high: float = 0
    """Largest number, or most characters of a text."""
    count: int = 1
    """Most elements of a list or an object."""
    neutral: tuple[object, ...] = ()
    """Values that change nothing: the only ones, where a field is not implemented."""


BOUNDS: Mapping[str, Bound] = {
    "model": Bound("name", 1, 1024),
    "prompt": Bound("prompt", 0, _MAX_ID, count=MAX_IDS),
    "max_tokens": Bound("int", 1, _MAX_COUNT),
    "temperature": Bound("float", 0.0, 100.0),
    "top_p": Bound("float", 0.0, 1.0),
    "top_k": Bound("int", 0, _MAX_COUNT),
    "repetition_penalty": Bound("float", 0.01, 100.0),
    "seed": Bound("int", -(2**63), 2**63 - 1),
    # Each is looked for after each token: a million of them held the device for minutes.
    "stop": Bound("texts", 1, 256, count=16),
    "stop_token_ids": Bound("ids", 0, _MAX_ID, count=256),
    "stream": Bound("bool"),
    "stream_options": Bound("object", count=16),
    "ignore_eos": Bound("bool"),
    "return_token_ids": Bound("bool"),
    "progress": Bound("bool"),
    "shared": Bound("int", 0, _MAX_COUNT),
    "user": Bound("text", 0, 512),
    "n": Bound("neutral", neutral=(1,)),
    "best_of": Bound("neutral", neutral=(1,)),
    "echo": Bound("neutral", neutral=(False,)),
    "logprobs": Bound("neutral", neutral=()),
    "suffix": Bound("neutral", neutral=("",)),
    "presence_penalty": Bound("neutral", neutral=(0,)),
    "frequency_penalty": Bound("neutral", neutral=(0,)),
    "logit_bias": Bound("neutral", neutral=({},)),
}
"""Every field that is known; another one is refused, since a misspelled one would do nothing."""
_REQUIRED = ("model", "prompt")


def check_fields(body: Mapping[str, object]) -> None:
    """Raise `UsageError`, which names the field, for one that is unknown, missing or not accepted.

    Null is accepted everywhere but in `model` and `prompt`.
    """
    for field in body:
        if field not in BOUNDS:
            name = _shorten(field)
            raise _create_error(name, f"Unknown field `{name}`", f"known are {', '.join(BOUNDS)}")
    for field in BOUNDS:
        check_field(field, body.get(field))


def check_field(field: str, value: object) -> None:
    """Raise `UsageError` for a value that a field does not accept."""
    if value is None and field in _REQUIRED:
        raise _create_error(field, f"`{field}` is missing", "every request needs it")
    if value is not None and not _is_within(BOUNDS[field], value):
        hint = f"it must be {describe_bound(BOUNDS[field])}"
        raise _create_error(field, f"`{field}` {_describe_value(value, BOUNDS[field])}", hint)


def _describe_value(value: object, bound: Bound) -> str:
    """Return what a value is, in few words: the error is sent back."""
    if isinstance(value, list | dict):
        if len(value) > bound.count:
            return f"has {len(value):,} elements"
        return f"is a{' list' if isinstance(value, list) else 'n object'} that is not accepted"
    if isinstance(value, str) and len(value) > _MAX_SHOWN:
        return f"has {len(value):,} characters, or one that is not accepted"
    # As JSON writes it, which also escapes what UTF-8 cannot express.
    return f"is {_shorten(json.dumps(value))}"


def _shorten(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"


def describe_bound(bound: Bound) -> str:
    """Return the values that a bound accepts, in words."""
    match bound.kind:
        case "int" | "float":
            kind = "an integer" if bound.kind == "int" else "a number"
            return f"{kind} from {bound.low:.10g} to {bound.high:.10g}"
        case "text" | "name":
            return f"{bound.low:g} to {bound.high:g} characters of well-formed Unicode"
        case "texts":
            return (
                f"a text or a list of at most {bound.count:,}, each of {bound.low:g} to "
                f"{bound.high:g} characters of well-formed Unicode"
            )
        case "ids":
            return f"a list of at most {bound.count:,} token ids"
        case "prompt":
            return f"a text or a list of 1 to {bound.count:,} token ids"
        case "object":
            return f"an object of at most {bound.count} members"
        case "bool":
            return "true or false"
    return " or ".join(("left out", *map(json.dumps, bound.neutral)))


def _is_within(bound: Bound, value: object) -> bool:
    match bound.kind:
        case "bool":
            return type(value) is bool
        case "int" | "float":
            # `isinstance` would take True for 1.
            is_number = type(value) is int or (bound.kind == "float" and type(value) is float)
            return is_number and bound.low <= value <= bound.high  # type: ignore[operator]
        case "text":
            return _is_text(value, bound)
        case "name":
            # No path holds NUL, and the functions of Python that take one raise.
            return _is_text(value, bound) and "\0" not in str(value)
        case "texts":
            texts = [value] if isinstance(value, str) else value
            return _is_list(texts, bound) and all(_is_text(one, bound) for one in texts)
        case "ids":
            return _is_list(value, bound) and _are_ids(value, bound)
        case "prompt":
            if isinstance(value, str):
                return bool(value)
            return _is_list(value, bound) and bool(value) and _are_ids(value, bound)
        case "object":
            return isinstance(value, dict) and len(value) <= bound.count
    # False equals 0 in Python, not in JSON.
    return any(
        value == one and (type(value) is bool) == (type(one) is bool) for one in bound.neutral
    )


def _is_text(value: object, bound: Bound) -> bool:
    if not isinstance(value, str) or not bound.low <= len(value) <= bound.high:
        return False
    # Half of a surrogate pair occurs in no text, and UTF-8 cannot express it.
    return value.encode(errors="ignore").decode() == value


def _is_list(value: object, bound: Bound) -> TypeGuard[list[object]]:
    return isinstance(value, list) and len(value) <= bound.count


def _are_ids(values: list[object], bound: Bound) -> bool:
    return all(type(one) is int and bound.low <= one <= bound.high for one in values)


def _create_error(field: str, message: str, hint: str) -> UsageError:
    error = UsageError(message, hint)
    error.param = field
    return error
