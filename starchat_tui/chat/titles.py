"""Titles of conversations."""

from __future__ import annotations

TITLE_LENGTH = 60
"""Maximum length of a title, in characters."""


def make_title(question: str) -> str:
    """Return the first line of a question, shortened to a title."""
    line = question.strip().split("\n", 1)[0].strip()
    return line if len(line) <= TITLE_LENGTH else f"{line[: TITLE_LENGTH - 1].rstrip()}…"
