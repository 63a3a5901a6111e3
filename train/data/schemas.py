"""Rows of the known schemas as dialogues: `messages`, `conversations`, `prompt`/`completion`.

A row that does not fit is refused with a reason: half a dialogue would teach what nobody said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from starchat_tui.dialogue import Role
from train.data.trees import Message, Tree, chain_messages

Schema = Literal["oasst tree", "oasst message", "messages", "prompt/completion", "conversations"]

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


@dataclass(frozen=True, slots=True)
class Filters:
    """Filters of the training data; a row without the field in question passes."""

    languages: tuple[str, ...] = ("en",)
    """Language codes such as `en`, which includes `en-US`; empty for every language."""
    deleted: bool = False
    """Keep messages that their authors or moderators deleted."""
    rejected: bool = False
    """Keep messages that reviewers rejected."""
    synthetic: bool = True
    """Keep messages written by a model."""
    max_rank: int | None = None
    """Worst rank of a reply among its siblings that is kept, 0 the best; None for all."""
    states: tuple[str, ...] = ("ready_for_export",)
    """States of OpenAssistant trees that are kept; empty for all."""

    def accepts_language(self, language: object) -> bool:
        """Return whether `language` passes; a missing one does."""
        if not self.languages or not isinstance(language, str):
            return True
        code = language.lower()
        wanted = [one.lower() for one in self.languages]
        return code in wanted or code.partition("-")[0] in wanted


class RefusedRow(Exception):
    """A row or message cannot be learned from; the text is the reason."""


def detect_schema(row: Mapping[str, Any]) -> Schema | None:
    """Return the schema of a row by its keys, or None if it is unknown."""
    # Trees first: they have a `prompt` too, as an object.
    if isinstance(row.get("prompt"), dict) and "replies" in row["prompt"]:
        return "oasst tree"
    if "message_id" in row and "text" in row and "role" in row:
        return "oasst message"
    if "messages" in row:
        return "messages"
    if "conversations" in row:
        return "conversations"
    if "prompt" in row and "completion" in row:
        return "prompt/completion"
    return None


def parse_role(name: object) -> Role | Literal["system"]:
    """Return our name for a role; raises `RefusedRow` for an unknown one."""
    found = _ROLES.get(name) if isinstance(name, str) else None
    if found is None:
        raise RefusedRow(f"unknown role {str(name)[:40]!r}")
    return found


def parse_dialogue(row: Mapping[str, Any], schema: Schema, where: str, filters: Filters) -> Tree:
    """Return the dialogue of a row, not trimmed yet; raises `RefusedRow`."""
    if not filters.accepts_language(row.get("lang", row.get("language"))):
        raise RefusedRow("another language")
    if schema == "prompt/completion":
        turns = [*_parse_side(row["prompt"], "user"), *_parse_side(row["completion"], "assistant")]
    else:
        turns = _parse_turns(row["messages" if schema == "messages" else "conversations"])
    # The key of the row counts only if the turns have no system prompt of their own.
    system = row.get("system") or row.get("system_prompt") or ""
    if not isinstance(system, str):
        raise RefusedRow("a text is not a text")
    if turns and turns[0][0] == "system":
        system, turns = turns[0][1], turns[1:]
    return chain_messages(_build_messages(turns), system=system, where=where)


_Turn = tuple[Role | Literal["system"], str, bool]
"""Role, text, and whether the turn may be learned."""


def _parse_turns(listed: object) -> list[_Turn]:
    if not isinstance(listed, Sequence) or isinstance(listed, str):
        raise RefusedRow("the turns are not a list")
    return [_parse_turn(one) for one in listed]


def _parse_turn(one: object) -> _Turn:
    if not isinstance(one, Mapping):
        raise RefusedRow("a turn is not an object")
    role = parse_role(one.get("role", one.get("from")))
    text = next((one[key] for key in ("content", "value", "text") if key in one), None)
    # `weight` 0 makes an answer context that is not learned (OpenAI's fine-tuning format).
    return role, parse_text(text), one.get("weight", 1) not in (0, False)


def parse_text(text: object) -> str:
    """Return a message's text, also from a list of text parts; raises `RefusedRow`."""
    if isinstance(text, str):
        return text
    if isinstance(text, Sequence):
        parts = [part.get("text") if isinstance(part, Mapping) else None for part in text]
        if parts and all(isinstance(part, str) for part in parts):
            return "".join(str(part) for part in parts)
    raise RefusedRow("a text is not a text")


def _parse_side(text: object, role: Role) -> list[_Turn]:
    """Return the turns of a prompt or a completion, a text or a list; prompts are never learned."""
    if isinstance(text, Sequence) and not isinstance(text, str):
        learned = role == "assistant"
        return [
            (speaker, text, may_learn and learned)
            for speaker, text, may_learn in _parse_turns(text)
        ]
    return [(role, parse_text(text), True)]


def _build_messages(turns: Sequence[_Turn]) -> list[Message]:
    """Return the turns as messages; raises `RefusedRow` unless user and assistant alternate."""
    messages: list[Message] = []
    for role, text, learned in turns:
        if role == "system":
            raise RefusedRow("a system turn after the first turn")
        check_order(role, messages[-1].role if messages else None)
        if not text.strip():
            raise RefusedRow(f"an empty {role} turn")
        messages.append(Message(role, text, may_learn=learned))
    if not messages:
        raise RefusedRow("no turns")
    return messages


def check_order(role: Role, before: Role | None) -> None:
    """Raise `RefusedRow` if `role` cannot follow `before` (None at the beginning)."""
    if before is None and role != "user":
        raise RefusedRow("the assistant begins")
    if role == before:
        raise RefusedRow(f"two {role} turns in a row")
