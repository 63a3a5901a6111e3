"""Number types of command-line flags."""

from __future__ import annotations


def positive_integer(text: str) -> int:
    """Return `text` as an integer above zero; raises `ValueError`."""
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number
