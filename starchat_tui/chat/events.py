"""What happens between a question and the end of its answer: frozen values that a face draws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from starchat_tui.client.protocol import Progress
from starchat_tui.dialogue import Mode
from starchat_tui.errors import StarChatError


@dataclass(frozen=True, slots=True)
class Stats:
    """What an answer took."""

    model: str
    mode: Mode
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    window: int
    seconds: float
    first_token: float
    """Seconds from the question to the first piece of the answer."""
    tokens_per_second: float
    finish_reason: str


@dataclass(frozen=True, slots=True)
class Asked:
    """The question is committed and its prompt is known."""

    turn: str
    prompt_tokens: int
    window: int
    dropped: int
    """Oldest turns the model no longer sees."""
    quoted: int
    """Lines that were quoted because they looked like the prompt's layout."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """The engine is not answering yet."""

    progress: Progress


@dataclass(frozen=True, slots=True)
class Said:
    """The next piece of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The whole answer, as it is kept."""

    text: str
    state: Literal["done", "stopped", "cut"]
    stats: Stats


@dataclass(frozen=True, slots=True)
class Failed:
    """There is no whole answer; what came of it is kept."""

    error: StarChatError
    text: str


Event = Asked | Waiting | Said | Finished | Failed
