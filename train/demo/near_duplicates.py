"""Near-duplicate detection by exact Jaccard similarity of word shingles."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from math import ceil

SHINGLE_WORDS = 5
"""Words in a shingle; a shorter text is one shingle."""
SIMILARITY_THRESHOLD = 0.7
"""The Jaccard similarity of two sets of shingles from which on texts are near-duplicates."""


def extract_shingles(text: str) -> frozenset[tuple[str, ...]]:
    """Return every run of `SHINGLE_WORDS` words, ignoring case and punctuation."""
    words = re.findall(r"\w+", text.lower())
    return frozenset(
        tuple(words[at : at + SHINGLE_WORDS])
        for at in range(max(1, len(words) - SHINGLE_WORDS + 1))
    )


class NearDuplicateIndex:
    """Texts indexed by their shingles."""

    def __init__(self, texts: Iterable[str]) -> None:
        # A set: drawn questions often differ in case and punctuation alone.
        self._texts = list({extract_shingles(text) for text in texts})
        self._positions: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for index, text in enumerate(self._texts):
            for shingle in text:
                self._positions[shingle].append(index)

    def has_near_duplicate(self, text: str) -> bool:
        """Return whether an indexed text is at least `SIMILARITY_THRESHOLD` similar.

        Similar texts share at least ceil(t * n) of this text's n shingles, t being the threshold,
        so they share at least one of its n - ceil(t * n) + 1 rarest: only texts with one of those
        are compared (prefix filtering, Chaudhuri et al. 2006).
        """
        own = extract_shingles(text)
        rare = sorted(own, key=lambda shingle: (len(self._positions.get(shingle, ())), shingle))
        prefix = rare[: len(own) - ceil(SIMILARITY_THRESHOLD * len(own)) + 1]
        found = Counter(index for shingle in prefix for index in self._positions.get(shingle, ()))
        return any(
            _jaccard_similarity(own, self._texts[index]) >= SIMILARITY_THRESHOLD for index in found
        )


def _jaccard_similarity(
    left: frozenset[tuple[str, ...]], right: frozenset[tuple[str, ...]]
) -> float:
    both = len(left & right)
    return both / (len(left) + len(right) - both)
