"""Broken versions of a right function, for judging whether a test notices them."""

from __future__ import annotations

from typing import Any

from train.demo.tasks.functions.specs import Calls

SWAPS = (
    (" + ", " - "),
    (" - ", " + "),
    (" * ", " + "),
    (" > ", " <= "),
    (" < ", " >= "),
    (" == ", " != "),
    ("True", "False"),
    ("sum(", "len("),
    ("max(", "min("),
    ("min(", "max("),
    ("[::-1]", ""),
    (".upper()", ".lower()"),
    ("sorted(", "list("),
)


def make_mutants(code: str, name: str, calls: Calls) -> tuple[str, ...]:
    """Return a version that returns nothing, and one whose change these calls reveal."""
    empty = f"def {name}(*args):\n    return None"
    found = [empty] if any(result != "None" for _, result in calls) else []
    # A changed condition may never end, and this runs in the generator's own process.
    if "while" not in code:
        changed = (code.replace(old, new, 1) for old, new in SWAPS if old in code)
        found += [text for text in changed if not _passes_calls(text, name, calls)][:1]
    return tuple(found)


def _passes_calls(code: str, name: str, calls: Calls) -> bool:
    """Return whether the changed source still gives the expected results."""
    space: dict[str, Any] = {}
    try:
        exec(code, space)
        return all(eval(f"{name}({args}) == {result}", space) for args, result in calls)
    except Exception:  # noqa: BLE001 - whatever a changed program raises, it is broken
        return False
