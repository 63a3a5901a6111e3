"""What was said: frozen values that every process shares."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Role = Literal["user", "assistant"]
Mode = Literal["chat", "ta"]
MODES: tuple[Mode, ...] = ("chat", "ta")


@dataclass(frozen=True, slots=True)
class Turn:
    """One message; an answer keeps the ids it was generated as."""

    role: Role
    text: str
    ids: tuple[int, ...] = ()
    """The token ids the engine produced for this answer, so that it is never encoded anew."""
    vocabulary: str = ""
    """The fingerprint of the vocabulary `ids` belong to."""


@dataclass(frozen=True, slots=True)
class Dialogue:
    """A system text and the turns in order."""

    system: str = ""
    turns: tuple[Turn, ...] = ()

    def plus(self, role: Role, text: str) -> Dialogue:
        """This dialogue with one more turn."""
        return self.with_turn(Turn(role, text))

    def with_turn(self, turn: Turn) -> Dialogue:
        """This dialogue with `turn` at its end."""
        return replace(self, turns=(*self.turns, turn))

    def since(self, first: int) -> Dialogue:
        """This dialogue without its first `first` turns."""
        return replace(self, turns=self.turns[first:])
