"""Kinds of task: the groups of each, and its share of the drawn conversations."""

from __future__ import annotations

GROUP_KINDS = {
    "lists": "functions",
    "numbers": "functions",
    "strings": "functions",
    "dictionaries": "functions",
    "recursion": "functions",
    "modules": "functions",
    "follow-up": "changes",
    "tests": "changes",
    "follow-up plots": "plots",
    "maps": "plots",
    "pandas": "data",
    "explain": "explanations",
    "shell": "languages",
    "sql": "languages",
    "javascript": "languages",
    "c": "languages",
    "translation": "languages",
}
"""Kind of a group whose name differs from its kind."""
# Copying decides whether a plot is right: plots and drills get more than a quarter of the draws.
KIND_SHARES = {
    "functions": 0.24,
    "plots": 0.25,
    "scripts": 0.12,
    "changes": 0.10,
    "data": 0.06,
    "bugs": 0.06,
    "languages": 0.06,
    "talk": 0.06,
    "drills": 0.09,
    "concepts": 0.05,
    "classes": 0.04,
    "explanations": 0.04,
    "files": 0.03,
}
"""Relative share of each kind."""


def find_kind(group: str) -> str:
    """Return the kind of a group."""
    return GROUP_KINDS.get(group, group)
