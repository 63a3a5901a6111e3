"""Two makings of the demo models, compared: `python -m train.demo.reproducibility OTHER [WEIGHTS]`.

The same seed and packages give the same data and tokenizer to the byte. Weights made on another
processor differ in their last bits and soon in more, so scores are held against each other as
shares: each within the other's interval. Exit code 1 where something is apart, 2 where a folder has
no models.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from train.demo import demo_card
from train.demo.evaluation.__main__ import MODES, ROOT

NAMES = tuple(MODES.values())
"""nano-chat, nano-base."""
HASH = re.compile(r"^- (.+): `([0-9a-f]{64})`$", re.MULTILINE)
"""A line of the card that names what was learned from, or the tokenizer, with its SHA-256."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One count of both makings."""

    what: str
    ours: Mapping[str, Any]
    theirs: Mapping[str, Any]

    @property
    def within(self) -> bool:
        """Each share lies within the other's interval."""
        return _holds(self.ours, self.theirs) and _holds(self.theirs, self.ours)

    def __str__(self) -> str:
        told = (f"{count['right']} of {count['asked']}" for count in (self.ours, self.theirs))
        return f"| {self.what} | {' | '.join(told)} | {'yes' if self.within else 'NO'} |"


def _holds(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    low, high = one["interval"]
    return other["share"] is not None and bool(low <= other["share"] <= high)


def pairs(ours: Path, theirs: Path) -> list[Pair]:
    """The counts of the README's table, of the models in two folders of weights."""
    left, right = _told(ours), _told(theirs)
    return [Pair(what, count, right[what]) for what, count in left.items() if what in right]


def _told(weights: Path) -> dict[str, Mapping[str, Any]]:
    scores = {name: json.loads((weights / name / "scores.json").read_text()) for name in NAMES}
    told = {
        f"{name}: {what}": count
        for name in NAMES
        for what, count in demo_card.headline(scores[name]).items()
    }
    duel = demo_card.paired(*scores.values())
    return told | ({f"won by {NAMES[0]}": duel["won"]} if duel else {})


def apart(ours: Path, theirs: Path) -> list[str]:
    """What the cards do not name with the same hash: data, tokenizer."""
    left, right = _hashes(ours), _hashes(theirs)
    return [name for name in left | right if left.get(name) != right.get(name)]


def _hashes(weights: Path) -> dict[str, str]:
    return dict(HASH.findall((weights / NAMES[0] / "README.md").read_text()))


def main() -> int:
    """Print both comparisons."""
    parser = argparse.ArgumentParser(
        prog="python -m train.demo.reproducibility", description=__doc__
    )
    parser.add_argument("other", type=Path, help="a folder with nano-base and nano-chat in it")
    parser.add_argument("weights", type=Path, nargs="?", default=ROOT / "starchat_tui" / "weights")
    options = parser.parse_args()
    try:
        different = apart(options.weights, options.other)
        compared = pairs(options.weights, options.other)
    except (OSError, ValueError) as error:
        print(f"error: {error}; both folders must hold what make nano makes", file=sys.stderr)
        return 2
    print("| asked | these | the other | within both intervals |\n|---|---|---|---|")
    print("\n".join(map(str, compared)))
    print("other data: " + ", ".join(different) if different else "the same data and tokenizer")
    return int(bool(different) or not all(pair.within for pair in compared))


if __name__ == "__main__":
    sys.exit(main())
