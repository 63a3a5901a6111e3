"""Compare two builds of the demo models: `python -m train.demo.reproducibility OTHER [WEIGHTS]`.

The same seed and packages give the same data and tokenizer to the byte. Weights trained on another
processor differ in their last bits and soon in more, so their scores are compared as shares: each
must lie within the other's confidence interval. Exit code 1 if the builds differ, 2 if a folder has
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
from train.demo.evaluation.scoring import MODEL_NAMES, ROOT

MODELS = tuple(MODEL_NAMES.values())
"""nano-chat, nano-base."""
HASH_LINE = re.compile(r"^- (.+): `([0-9a-f]{64})`$", re.MULTILINE)
"""Line of a model card with the name and SHA-256 of a data set or the tokenizer."""


@dataclass(frozen=True, slots=True)
class ScorePair:
    """One score of both builds."""

    title: str
    ours: Mapping[str, Any]
    theirs: Mapping[str, Any]

    @property
    def is_within_intervals(self) -> bool:
        """True if each share lies within the other's interval."""
        return _contains(self.ours, self.theirs) and _contains(self.theirs, self.ours)

    def __str__(self) -> str:
        counts = (f"{count['right']} of {count['asked']}" for count in (self.ours, self.theirs))
        verdict = "yes" if self.is_within_intervals else "NO"
        return f"| {self.title} | {' | '.join(counts)} | {verdict} |"


def _contains(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    low, high = one["interval"]
    # A share is None where nothing was asked.
    return other["share"] is not None and bool(low <= other["share"] <= high)


def pair_scores(ours: Path, theirs: Path) -> list[ScorePair]:
    """Pair the headline scores of the models in two folders of weights."""
    left, right = _read_headlines(ours), _read_headlines(theirs)
    return [
        ScorePair(title, count, right[title]) for title, count in left.items() if title in right
    ]


def _read_headlines(weights: Path) -> dict[str, Mapping[str, Any]]:
    scores = {name: json.loads((weights / name / "scores.json").read_text()) for name in MODELS}
    counts = {
        f"{name}: {title}": count
        for name in MODELS
        for title, count in demo_card.select_headline(scores[name]).items()
    }
    comparison = demo_card.compare_models(*scores.values())
    return counts | ({f"only {MODELS[0]} right": comparison["won"]} if comparison else {})


def find_differences(ours: Path, theirs: Path) -> list[str]:
    """Return the names of data sets and tokenizers whose hashes differ on the cards."""
    left, right = _read_hashes(ours), _read_hashes(theirs)
    return [name for name in left | right if left.get(name) != right.get(name)]


def _read_hashes(weights: Path) -> dict[str, str]:
    return dict(HASH_LINE.findall((weights / MODELS[0] / "README.md").read_text()))


def main() -> int:
    """Print both comparisons and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m train.demo.reproducibility", description=__doc__
    )
    parser.add_argument("other", type=Path, help="a folder that holds nano-base and nano-chat")
    parser.add_argument("weights", type=Path, nargs="?", default=ROOT / "starchat_tui" / "weights")
    options = parser.parse_args()
    try:
        different = find_differences(options.weights, options.other)
        compared = pair_scores(options.weights, options.other)
    except (OSError, ValueError) as error:
        print(f"error: {error}; both folders must hold models made by `make nano`", file=sys.stderr)
        return 2
    print("| questions | this build | other build | within both intervals |\n|---|---|---|---|")
    print("\n".join(map(str, compared)))
    print("different: " + ", ".join(different) if different else "the same data and tokenizer")
    return int(bool(different) or not all(pair.is_within_intervals for pair in compared))


if __name__ == "__main__":
    sys.exit(main())
