"""Statistics of one answer, as the client measured them."""

from __future__ import annotations

from dataclasses import dataclass

from starchat_tui.dialogue import Mode

MIN_RATE_TOKENS = 16
"""Tokens of the shortest answer whose rate is told: of a few the time is mostly chance."""


@dataclass(frozen=True, slots=True)
class AnswerStats:
    """Statistics of an answer."""

    model: str
    mode: Mode
    prompt_tokens: int
    cached_tokens: int | None
    """Tokens of the prompt that the engine had read before; None if it did not say."""
    completion_tokens: int
    window: int
    seconds: float
    first_token: float
    """Seconds from the question to the first text of the answer; 0 if none came."""
    tokens_per_second: float
    """Rate of decoding; 0 if the answer is too short for one."""
    finish_reason: str
    proposed_tokens: int = 0
    """Tokens that the engine computed on the guess that they follow (speculative decoding)."""
    accepted_tokens: int = 0
    """Proposed tokens that became part of the answer."""
