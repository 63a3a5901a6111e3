"""Pictures of a run, sent up to a number of them; one that replaces another is no further one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from starchat_tui.sandbox.guest.pictures import Picture


class PictureSender:
    """Sends pictures while there are fewer than the limit, and counts the others."""

    def __init__(
        self, show: Callable[[Picture, int], None], note: Callable[[str], None], max_pictures: int
    ) -> None:
        """Send pictures and notes by the functions given.

        Args:
            show: Takes a picture and its key, as frames have it.
            note: Takes a sentence for the user.
            max_pictures: Number of pictures that a run shows.
        """
        self._show, self._note, self._max_pictures = show, note, max_pictures
        self.reset()

    def reset(self) -> None:
        """Begin a run."""
        self._last_key = 0
        self.sent_count = 0
        """Pictures that were sent, also those that were replaced or cleared."""
        self.forget_shown()

    def forget_shown(self) -> None:
        """Count from none again: the code has cleared its output."""
        self._count = self._omitted_count = 0
        self._digests: dict[int, bytes] = {}
        """Digests of the pictures that can be replaced, by key."""

    def create_key(self) -> int:
        """Return a key that no output of the run has."""
        self._last_key += 1
        return self._last_key

    def has_picture(self, key: int) -> bool:
        """Return whether the picture of a key is shown, so that another can replace it."""
        return key in self._digests

    def is_full(self, key: int = 0) -> bool:
        """Return whether a picture with this key would be left out."""
        return self._count >= self._max_pictures and not self.has_picture(key)

    def omit(self) -> None:
        """Count a picture that is left out."""
        self._omitted_count += 1

    def send(self, picture: Picture, key: int = 0) -> None:
        """Send a picture, unless there are too many or it is shown already."""
        digest = compute_digest(picture.png)
        if self.is_full(key):
            self.omit()
        elif self._digests.get(key) != digest:
            self._count += not self.has_picture(key)
            self.sent_count += 1
            if key:
                self._digests[key] = digest
            self._show(picture, key)

    def report_omitted(self) -> None:
        """Tell the user how many pictures were left out."""
        if count := self._omitted_count:
            verb = "was" if count == 1 else "were"
            self._note(
                f"A run shows at most {self._max_pictures} pictures; {count} more {verb} left out"
            )
        self._omitted_count = 0


def compute_digest(data: bytes) -> bytes:
    """Return a value by which equal data is recognized."""
    return hashlib.sha256(data).digest()
