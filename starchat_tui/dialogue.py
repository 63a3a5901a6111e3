"""Messages of a conversation as immutable values that every process shares."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Role = Literal["user", "assistant"]
Mode = Literal["chat", "ta"]
"""Chat template of a fine-tuned model, or few-shot prompt (technical assistant) of a base model."""
MODES: tuple[Mode, ...] = ("chat", "ta")


@dataclass(frozen=True, slots=True)
class Turn:
    """One message; an answer keeps the token ids it was generated as."""

    role: Role
    text: str
    ids: tuple[int, ...] = ()
    """Token ids that the engine produced for this answer, so that it is never encoded anew.

    Encoding its text could give other ids, and the cached prefix would no longer match.
    """
    tokenizer_fingerprint: str = ""
    """Fingerprint of the tokenizer that `ids` belong to."""


@dataclass(frozen=True, slots=True)
class Dialogue:
    """System text, and the turns in order."""

    system: str = ""
    turns: tuple[Turn, ...] = ()

    def with_message(self, role: Role, text: str) -> Dialogue:
        """Return this dialogue with a message at its end."""
        return self.with_turn(Turn(role, text))

    def with_turn(self, turn: Turn) -> Dialogue:
        """Return this dialogue with `turn` at its end."""
        return replace(self, turns=(*self.turns, turn))

    def drop_oldest(self, count: int) -> Dialogue:
        """Return this dialogue without its first `count` turns."""
        return replace(self, turns=self.turns[count:])
