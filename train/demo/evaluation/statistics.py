"""Statistics of scores: shares with intervals by side, kind and turn, and paired comparison."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from train.demo.tasks.shares import find_kind

Z_SCORE = 1.96
"""Quantile of the normal distribution for 95 % intervals."""
KNOWN_SIDES = ("values", "phrasing")
"""Sides whose families were trained."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Mark of one answer."""

    side: str
    group: str
    turn: int
    """1 for the first question of a conversation."""
    right: bool
    cut: bool
    ran_on: bool

    @property
    def kind(self) -> str:
        """Kind of task, the same for a first question and for follow-ups on its answer."""
        return find_kind(find_kind(self.group.removeprefix("follow-up ")))


def compute_wilson_interval(right: int, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson 1927)."""
    if not count:
        return 0.0, 1.0
    share, square = right / count, Z_SCORE * Z_SCORE
    middle = (share + square / (2 * count)) / (1 + square / count)
    half = (
        Z_SCORE
        * math.sqrt(share * (1 - share) / count + square / (4 * count * count))
        / (1 + square / count)
    )
    return max(0.0, middle - half), min(1.0, middle + half)


def summarize_marks(marks: Sequence[bool]) -> dict[str, Any]:
    """Return the number right, the number asked, the share and its interval."""
    low, high = compute_wilson_interval(sum(marks), len(marks))
    share = round(sum(marks) / len(marks), 3) if marks else None
    return {
        "right": sum(marks),
        "asked": len(marks),
        "share": share,
        "interval": [round(low, 3), round(high, 3)],
    }


def build_table(marks: Sequence[Mark]) -> dict[str, Any]:
    """Return counts for each side, for the known families together, and each single mark."""
    sides: dict[str, list[Mark]] = defaultdict(list)
    for mark in marks:
        sides[mark.side].append(mark)
    result: dict[str, Any] = {side: _summarize_side(found) for side, found in sides.items()}
    known = [mark for mark in marks if mark.side in KNOWN_SIDES]
    if known:
        result["known"] = _summarize_side(known) | _summarize_turns(known) | _summarize_kinds(known)
    if "family" in sides:
        result["family"] |= _summarize_turns(sides["family"]) | _summarize_kinds(sides["family"])
    result["marks"] = {side: "".join("01"[m.right] for m in found) for side, found in sides.items()}
    return result


def _summarize_side(marks: Sequence[Mark]) -> dict[str, Any]:
    return {
        "all": summarize_marks([mark.right for mark in marks]),
        "cut off": summarize_marks([mark.cut for mark in marks]),
        "ran on": summarize_marks([mark.ran_on for mark in marks]),
    }


def _summarize_turns(marks: Iterable[Mark]) -> dict[str, Any]:
    return {"later turns": summarize_marks([mark.right for mark in marks if mark.turn > 1])}


def _summarize_kinds(marks: Iterable[Mark]) -> dict[str, Any]:
    kinds: dict[str, list[bool]] = defaultdict(list)
    for mark in marks:
        kinds[mark.kind].append(mark.right)
    return {kind: summarize_marks(found) for kind, found in sorted(kinds.items())}


def compare_pairs(ours: Mapping[str, str], theirs: Mapping[str, str]) -> dict[str, Any]:
    """Return how many questions only one model got right, and how many of them `ours` did."""
    pairs = [
        (left, right)
        for side in ours
        if side in theirs
        for left, right in zip(ours[side], theirs[side], strict=True)
    ]
    # Marks are "0" and "1". A question that both models got right or wrong says nothing about them.
    decided = [left > right for left, right in pairs if left != right]
    return {"pairs": len(pairs), "won": summarize_marks(decided)}
