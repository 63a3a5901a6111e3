"""Events between a question and the end of its answer, as frozen values for front ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from starchat_tui.client.answer_stats import AnswerStats
from starchat_tui.client.protocol import Progress
from starchat_tui.errors import StarChatError


@dataclass(frozen=True, slots=True)
class AnswerStarted:
    """The question is stored and its prompt is built."""

    turn: int
    """Id of the answer's turn."""
    prompt_tokens: int
    window: int
    dropped_turns: int
    """Number of the oldest turns that no longer fit the context window."""
    quoted_lines: int
    """Number of lines that looked like a prompt marker and were sent quoted."""


@dataclass(frozen=True, slots=True)
class EngineProgress:
    """The engine has not begun to answer."""

    progress: Progress


@dataclass(frozen=True, slots=True)
class AnswerText:
    """The next piece of the answer's text."""

    text: str


@dataclass(frozen=True, slots=True)
class AnswerFinished:
    """The whole answer, as it is stored."""

    text: str
    state: Literal["done", "stopped", "cut"]
    stats: AnswerStats


@dataclass(frozen=True, slots=True)
class AnswerFailed:
    """The answer is incomplete; its text so far is stored."""

    error: StarChatError
    text: str


ChatEvent = AnswerStarted | EngineProgress | AnswerText | AnswerFinished | AnswerFailed
