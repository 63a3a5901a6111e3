"""Statistics of one answer, as the client measured them."""

from __future__ import annotations

from dataclasses import dataclass

from starchat_tui.dialogue import Mode


@dataclass(frozen=True, slots=True)
class AnswerStats:
    """Statistics of an answer."""

    model: str
    mode: Mode
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    window: int
    seconds: float
    first_token: float
    """Seconds from the question to the first text of the answer."""
    tokens_per_second: float
    finish_reason: str
