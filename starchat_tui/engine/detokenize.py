"""Ids that arrive one by one, as text: whole characters only, and never a part of a stop text."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Sequence


class Decoder:
    """The tokens' bytes through an incremental UTF-8 decoder."""

    def __init__(self, bytes_of: Callable[[int], bytes]) -> None:
        self._bytes_of = bytes_of
        self._utf8 = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def feed(self, token: int) -> str:
        """The characters completed by `token`."""
        return self._utf8.decode(self._bytes_of(token))

    def finish(self) -> str:
        """A replacement character where the answer ends inside a character."""
        return self._utf8.decode(b"", final=True)


class Stopper:
    """Ends an answer at the first stop text that is complete, and lets no part of one through."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stops)
        self._held = ""
        self.stopped = False

    def feed(self, text: str) -> str:
        """The text that can be shown now; at most the longest stop less one is held back."""
        self._held += text
        found = [
            (start + len(stop), start)
            for stop in self._stops
            if (start := self._held.find(stop)) >= 0
        ]
        if found:
            self.stopped = True
            return self._release(min(found)[1], forget=True)
        return self._release(len(self._held) - self._possible())

    def finish(self) -> str:
        """What was held back in case a stop text would follow."""
        return "" if self.stopped else self._release(len(self._held))

    def _release(self, length: int, *, forget: bool = False) -> str:
        text, self._held = self._held[:length], "" if forget else self._held[length:]
        return text

    def _possible(self) -> int:
        """The length of the longest end of the held text that a stop text begins with."""
        longest = max(map(len, self._stops), default=1) - 1
        for length in range(min(longest, len(self._held)), 0, -1):
            if any(stop.startswith(self._held[-length:]) for stop in self._stops):
                return length
        return 0
