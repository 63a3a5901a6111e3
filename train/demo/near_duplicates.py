"""Near-duplicates: questions that share most of their runs of five words."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from math import ceil

RUN = 5
"""Words in a shingle; a shorter text is one shingle."""
THRESHOLD = 0.7
"""The Jaccard similarity of two sets of shingles from which on texts are near-duplicates."""


def shingles(text: str) -> frozenset[tuple[str, ...]]:
    """Every run of `RUN` words, without letter case and punctuation."""
    words = re.findall(r"\w+", text.lower())
    return frozenset(tuple(words[at : at + RUN]) for at in range(max(1, len(words) - RUN + 1)))


class Known:
    """Texts, indexed by their shingles."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = list({shingles(text) for text in texts})
        self._places: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for index, text in enumerate(self._texts):
            for shingle in text:
                self._places[shingle].append(index)

    def near(self, text: str) -> bool:
        """Whether a known text is at least `THRESHOLD` similar; exact, no sketch.

        Two such texts share at least THRESHOLD of this one's shingles, so one of its rarest
        1 - THRESHOLD + 1 shingles is among them: only the texts behind those are compared
        (prefix filtering, Chaudhuri et al. 2006).
        """
        mine = shingles(text)
        rare = sorted(mine, key=lambda shingle: (len(self._places.get(shingle, ())), shingle))
        prefix = rare[: len(mine) - ceil(THRESHOLD * len(mine)) + 1]
        found = Counter(index for shingle in prefix for index in self._places.get(shingle, ()))
        return any(_jaccard(mine, self._texts[index]) >= THRESHOLD for index in found)


def _jaccard(left: frozenset[tuple[str, ...]], right: frozenset[tuple[str, ...]]) -> float:
    both = len(left & right)
    return both / (len(left) + len(right) - both)
