"""Token ids to text, as they arrive: whole characters only, and no part of a stop text."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Sequence


class TokenDecoder:
    """Decoder of tokens whose bytes need not end at a character."""

    def __init__(self, bytes_of: Callable[[int], bytes]) -> None:
        """Decode with `bytes_of`, which maps a token id to its bytes."""
        self._bytes_of = bytes_of
        # A byte-level BPE splits characters across tokens, and what a model writes need not be
        # valid UTF-8 at all.
        self._utf8 = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def feed(self, token: int) -> str:
        """Return the characters that `token` completes."""
        return self._utf8.decode(self._bytes_of(token))

    def finish(self) -> str:
        """Return a replacement character if the answer ends inside a character."""
        return self._utf8.decode(b"", final=True)


class StopFilter:
    """Filter that ends an answer at the first complete stop text and lets no part of it through."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stops)
        self._pending = ""
        self.is_complete = False
        """True once a stop text was found."""

    def feed(self, text: str) -> str:
        """Return the text that is certain by now.

        Held back is what may begin a stop text: less than the longest of them.
        """
        self._pending += text
        matches = [
            (start + len(stop), start)
            for stop in self._stops
            if (start := self._pending.find(stop)) >= 0
        ]
        if matches:
            self.is_complete = True
            # The stop text that is complete first, as if the text had come by characters: the
            # answer is not to depend on how it is cut into tokens.
            text, self._pending = self._pending[: min(matches)[1]], ""
            return text
        return self._take_text(len(self._pending) - self._partial_stop_length())

    def finish(self) -> str:
        """Return the text that was held back for a stop text that did not follow."""
        return "" if self.is_complete else self._take_text(len(self._pending))

    def _take_text(self, length: int) -> str:
        text, self._pending = self._pending[:length], self._pending[length:]
        return text

    def _partial_stop_length(self) -> int:
        """Return the length of the longest end of the pending text that begins a stop text."""
        longest = max(map(len, self._stops), default=1) - 1
        for length in range(min(longest, len(self._pending)), 0, -1):
            if any(stop.startswith(self._pending[-length:]) for stop in self._stops):
                return length
        return 0
