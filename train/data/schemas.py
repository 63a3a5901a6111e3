"""Rows of the known schemas as dialogues: `messages`, `conversations`, `prompt`/`completion`.

A row that does not fit is refused with a reason: half a dialogue teaches what nobody said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from starchat_tui.dialogue import Role
from train.data.trees import Message, Tree, chain

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
"""What the schemas call the speakers."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What of the data is learned; a field that a row does not have refuses nothing."""

    languages: tuple[str, ...] = ("en",)
    """Codes such as `en`, which also takes `en-US`; none means every language."""
    deleted: bool = False
    """Whether messages that their authors or moderators deleted stay."""
    rejected: bool = False
    """Whether messages that reviewers rejected stay."""
    synthetic: bool = True
    """Whether messages that a model wrote stay."""
    max_rank: int | None = None
    """The worst rank of a reply among its siblings that stays, 0 the best; None is every one."""
    states: tuple[str, ...] = ("ready_for_export",)
    """The states of OpenAssistant trees that stay; none means every state."""

    def speaks(self, language: object) -> bool:
        """Whether a language is one of those wanted."""
        if not self.languages or not isinstance(language, str):
            return True
        code = language.lower()
        wanted = [one.lower() for one in self.languages]
        return code in wanted or code.partition("-")[0] in wanted


class Refused(Exception):
    """A row is not learned from, and why."""


def schema_of(row: Mapping[str, Any]) -> Schema | None:
    """The schema of a row by its keys; None for one that is not known."""
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


def role_of(name: object) -> Role | Literal["system"]:
    """Our name for a speaker; raises `Refused` for one that is not known."""
    found = _ROLES.get(name) if isinstance(name, str) else None
    if found is None:
        raise Refused(f"unknown role {str(name)[:40]!r}")
    return found


def dialogue(row: Mapping[str, Any], schema: Schema, where: str, filters: Filters) -> Tree:
    """The dialogue of a row, its useless tail still on it; raises `Refused`."""
    if not filters.speaks(row.get("lang", row.get("language"))):
        raise Refused("another language")
    if schema == "prompt/completion":
        turns = [*_side(row["prompt"], "user"), *_side(row["completion"], "assistant")]
    else:
        turns = _turns(row["messages" if schema == "messages" else "conversations"])
    system = row.get("system") or row.get("system_prompt") or ""
    if not isinstance(system, str):
        raise Refused("a text is not a text")
    if turns and turns[0][0] == "system":
        system, turns = turns[0][1], turns[1:]
    return chain(_alternating(turns), system=system, where=where)


_Turn = tuple[Role | Literal["system"], str, bool]
"""Who speaks, what, and whether it may be learned."""


def _turns(listed: object) -> list[_Turn]:
    if not isinstance(listed, Sequence) or isinstance(listed, str):
        raise Refused("the turns are not a list")
    return [_turn(one) for one in listed]


def _turn(one: object) -> _Turn:
    if not isinstance(one, Mapping):
        raise Refused("a turn is not an object")
    role = role_of(one.get("role", one.get("from")))
    said = next((one[key] for key in ("content", "value", "text") if key in one), None)
    # `weight` 0 keeps an answer as context and does not learn it (OpenAI's fine-tuning format).
    return role, text_of(said), one.get("weight", 1) not in (0, False)


def text_of(said: object) -> str:
    """A message's text, also where it is a list of text parts; raises `Refused`."""
    if isinstance(said, str):
        return said
    if isinstance(said, Sequence):
        parts = [part.get("text") if isinstance(part, Mapping) else None for part in said]
        if parts and all(isinstance(part, str) for part in parts):
            return "".join(str(part) for part in parts)
    raise Refused("a text is not a text")


def _side(said: object, role: Role) -> list[_Turn]:
    """A prompt or a completion, a text or a list of turns; of a prompt nothing is learned."""
    if isinstance(said, Sequence) and not isinstance(said, str):
        learned = role == "assistant"
        return [(who, text, may and learned) for who, text, may in _turns(said)]
    return [(role, text_of(said), True)]


def _alternating(turns: Sequence[_Turn]) -> list[Message]:
    """The turns as messages; raises `Refused` where the user and the assistant do not alternate."""
    messages: list[Message] = []
    for role, text, learned in turns:
        if role == "system":
            raise Refused("a system turn behind the first turn")
        follows(role, messages[-1].role if messages else None)
        if not text.strip():
            raise Refused(f"an empty {role} turn")
        messages.append(Message(role, text, learned=learned))
    if not messages:
        raise Refused("no turns")
    return messages


def follows(role: Role, before: Role | None) -> None:
    """Raise `Refused` where `role` cannot speak after `before` (None: at the beginning)."""
    if before is None and role != "user":
        raise Refused("the assistant begins")
    if role == before:
        raise Refused(f"two {role} turns in a row")
