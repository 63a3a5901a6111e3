"""Roles and texts in rows of any schema, and the refusal of a row that cannot be learned from.

A row that does not fit is refused with a reason: half a dialogue would teach what nobody said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from starchat_tui.dialogue import Role

Row = Mapping[str, Any]
LocatedRow = tuple[str, Row]
"""Location and content of a row."""
ReportRefusal = Callable[[str, str], None]
"""Callback that records a reason and a location."""
_ROLES: dict[str, Role | Literal["system"]] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "prompter": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "model": "assistant",
}
"""Role names of the schemas, mapped to ours."""


class RefusedRow(Exception):
    """A row or message cannot be learned from; the text is the reason."""


def parse_role(name: object) -> Role | Literal["system"]:
    """Return our name for a role; raises `RefusedRow` for an unknown one."""
    found = _ROLES.get(name) if isinstance(name, str) else None
    if found is None:
        raise RefusedRow(f"unknown role {str(name)[:40]!r}")
    return found


def parse_text(text: object) -> str:
    """Return a message's text, also from a list of text parts; raises `RefusedRow`."""
    if isinstance(text, str):
        return text
    if isinstance(text, Sequence):
        parts = [part.get("text") if isinstance(part, Mapping) else None for part in text]
        if parts and all(isinstance(part, str) for part in parts):
            return "".join(str(part) for part in parts)
    raise RefusedRow("a text is not a text")


def check_order(role: Role, before: Role | None) -> None:
    """Raise `RefusedRow` if `role` cannot follow `before` (None at the beginning)."""
    if before is None and role != "user":
        raise RefusedRow("the assistant begins")
    if role == before:
        raise RefusedRow(f"two {role} turns in a row")
