"""From verdicts to shares with intervals, by side of the split, kind and turn, and in pairs."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from train.demo.tasks.shares import kind_of

Z = 1.96
"""Of the normal distribution, for intervals of 95 %."""
KNOWN = ("values", "phrasing")
"""The sides whose families were trained."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What became of one question."""

    side: str
    group: str
    turn: int
    """1 for the first question of a conversation."""
    right: bool
    cut: bool
    ran_on: bool

    @property
    def kind(self) -> str:
        """The kind of task, the same for a first question and for a change of its answer."""
        return kind_of(kind_of(self.group.removeprefix("follow-up ")))


def wilson(right: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share, after Wilson (1927)."""
    if not count:
        return 0.0, 1.0
    share, square = right / count, Z * Z
    middle = (share + square / (2 * count)) / (1 + square / count)
    half = (
        Z
        * math.sqrt(share * (1 - share) / count + square / (4 * count * count))
        / (1 + square / count)
    )
    return max(0.0, middle - half), min(1.0, middle + half)


def counted(marks: Sequence[bool]) -> dict[str, Any]:
    """Right, asked, share and interval."""
    low, high = wilson(sum(marks), len(marks))
    share = round(sum(marks) / len(marks), 3) if marks else None
    return {
        "right": sum(marks),
        "asked": len(marks),
        "share": share,
        "interval": [round(low, 3), round(high, 3)],
    }


def table(marks: Sequence[Mark]) -> dict[str, Any]:
    """Counts for each side, then across the known families, then each mark for the pairs."""
    sides: dict[str, list[Mark]] = defaultdict(list)
    for mark in marks:
        sides[mark.side].append(mark)
    result: dict[str, Any] = {side: _side(found) for side, found in sides.items()}
    known = [mark for mark in marks if mark.side in KNOWN]
    if known:
        result["known"] = _side(known) | _turns(known) | _kinds(known)
    if "family" in sides:
        result["family"] |= _turns(sides["family"]) | _kinds(sides["family"])
    result["marks"] = {side: "".join("01"[m.right] for m in found) for side, found in sides.items()}
    return result


def _side(marks: Sequence[Mark]) -> dict[str, Any]:
    return {
        "all": counted([mark.right for mark in marks]),
        "cut off": counted([mark.cut for mark in marks]),
        "ran on": counted([mark.ran_on for mark in marks]),
    }


def _turns(marks: Iterable[Mark]) -> dict[str, Any]:
    return {"later turns": counted([mark.right for mark in marks if mark.turn > 1])}


def _kinds(marks: Iterable[Mark]) -> dict[str, Any]:
    kinds: dict[str, list[bool]] = defaultdict(list)
    for mark in marks:
        kinds[mark.kind].append(mark.right)
    return {kind: counted(found) for kind, found in sorted(kinds.items())}


def duel(ours: Mapping[str, str], theirs: Mapping[str, str]) -> dict[str, Any]:
    """Pairs of marks on the same questions: those that one alone got right, and who won them."""
    pairs = [
        (left, right)
        for side in ours
        if side in theirs
        for left, right in zip(ours[side], theirs[side], strict=True)
    ]
    decided = [left > right for left, right in pairs if left != right]
    return {"pairs": len(pairs), "won": counted(decided)}
