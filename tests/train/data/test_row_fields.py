"""Roles, texts and the order of turns, whatever the schema of the row."""

from __future__ import annotations

from typing import Literal

import pytest

from starchat_tui.dialogue import Role
from train.data.row_fields import RefusedRow, check_order, parse_role, parse_text


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("human", "user"),
        ("prompter", "user"),
        ("gpt", "assistant"),
        ("model", "assistant"),
        ("developer", "system"),
    ],
)
def test_roles_of_all_schemas_have_our_names(
    name: str, role: Literal["user", "assistant", "system"]
) -> None:
    assert parse_role(name) == role


@pytest.mark.parametrize("name", ["tool", "User", "", None, 3, ["user"]])
def test_an_unknown_role_is_refused_and_named(name: object) -> None:
    with pytest.raises(RefusedRow, match="unknown role") as caught:
        parse_role(name)
    assert str(name) in str(caught.value)


def test_a_long_role_is_shortened() -> None:
    with pytest.raises(RefusedRow) as caught:
        parse_role("x" * 1000)
    assert len(str(caught.value)) < 60


@pytest.mark.parametrize(
    ("value", "text"),
    [("a", "a"), ("", ""), ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "ab")],
)
def test_a_text_may_have_parts(value: object, text: str) -> None:
    assert parse_text(value) == text


@pytest.mark.parametrize("value", [None, 1, {}, [], ["a"], [{"text": "a"}, {"image": "b"}]])
def test_anything_else_is_no_text(value: object) -> None:
    with pytest.raises(RefusedRow, match="a text is not a text"):
        parse_text(value)


@pytest.mark.parametrize(
    ("role", "before", "reason"),
    [
        ("user", None, ""),
        ("assistant", "user", ""),
        ("user", "assistant", ""),
        ("assistant", None, "the assistant begins"),
        ("user", "user", "two user turns in a row"),
        ("assistant", "assistant", "two assistant turns in a row"),
    ],
)
def test_the_user_begins_and_the_roles_alternate(
    role: Role, before: Role | None, reason: str
) -> None:
    if not reason:
        check_order(role, before)
        return
    with pytest.raises(RefusedRow, match=reason):
        check_order(role, before)
