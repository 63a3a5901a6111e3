"""Adapters of calls: what they change, and what they leave to fail."""

from __future__ import annotations

from typing import Any

import pytest

from starchat_tui.sandbox.guest.renames.declarations import (
    Adapter,
    drop_argument,
    name_arguments,
    rename_argument,
)


def call(adapter: Adapter, *args: Any, **named: Any) -> tuple[str, list[Any], dict[str, Any]]:
    """Return what an adapter says, and the arguments that it leaves."""
    given = list(args)
    adapted = adapter(print, given, named)
    assert adapted is None or adapted[1] is print
    return adapted[0] if adapted else "", given, named


def test_an_argument_is_renamed_unless_both_are_given() -> None:
    adapter = rename_argument("normed", "density", bool)
    assert call(adapter, 1, normed=1) == ("normed= → density=", [1], {"density": True})
    assert call(adapter, normed=1, density=0) == ("", [], {"normed": 1, "density": 0})
    assert call(adapter, 1) == ("", [1], {})


def test_an_argument_is_dropped_only_if_it_asks_for_what_happens_anyway() -> None:
    adapter = drop_argument("inplace", False)
    assert call(adapter, inplace=False, a=1) == ("inplace=False → nothing", [], {"a": 1})
    assert call(adapter, inplace=True) == ("", [], {"inplace": True})


METHOD = name_arguments("self", "labels", "axis", least=3)
FUNCTION = name_arguments("x", "y", "data", least=2, first="data")


@pytest.mark.parametrize(
    ("adapter", "args", "named", "kept", "result"),
    [
        (METHOD, ["me", "a", 1], {}, ["me"], {"labels": "a", "axis": 1}),
        (METHOD, ["me", "a"], {"axis": 1}, ["me", "a"], {"axis": 1}),
        (METHOD, ["me", "a", 1], {"axis": 0}, ["me", "a", 1], {"axis": 0}),
        (METHOD, ["me", 1, 2, 3], {}, ["me", 1, 2, 3], {}),
        (FUNCTION, ["a", "b"], {}, [], {"x": "a", "y": "b"}),
        (FUNCTION, ["a"], {"data": 5}, [], {"x": "a", "data": 5}),
        (FUNCTION, ["a"], {}, ["a"], {}),
        (FUNCTION, ["a", "b"], {"y": 5}, ["a", "b"], {"y": 5}),
    ],
)
def test_arguments_are_named_where_a_call_would_fail(
    adapter: Adapter,
    args: list[Any],
    named: dict[str, Any],
    kept: list[Any],
    result: dict[str, Any],
) -> None:
    said, left, found = call(adapter, *args, **named)
    assert (left, found) == (kept, result)
    assert bool(said) == (left != args)
