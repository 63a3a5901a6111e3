"""The kinds of task: which groups each has, and how much of what is drawn."""

from __future__ import annotations

KINDS = {
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
"""The kind of a group, where it is not called like its kind."""
SHARES = {
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
"""How much of the draws each kind gets, against the others."""


def kind_of(group: str) -> str:
    """The kind of a group."""
    return KINDS.get(group, group)
