"""Pictures of a run: counted once, however often they are replaced."""

from __future__ import annotations

import pytest

from starchat_tui.sandbox.guest.picture_sender import PictureSender
from starchat_tui.sandbox.guest.pictures import Picture


class Recording:
    """A sender of at most two pictures, and what it has sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, int]] = []
        self.notes: list[str] = []
        self.sender = PictureSender(
            lambda picture, key: self.sent.append((picture.description, key)),
            self.notes.append,
            max_pictures=2,
        )

    def send(self, name: str, key: int = 0) -> None:
        self.sender.send(Picture(name.encode(), 1, 1, name), key)


@pytest.fixture
def recording() -> Recording:
    return Recording()


def test_pictures_beyond_the_limit_are_counted(recording: Recording) -> None:
    for name in "abcd":
        recording.send(name)
    recording.sender.report_omitted()
    recording.sender.report_omitted()
    assert recording.sent == [("a", 0), ("b", 0)]
    assert recording.notes == ["A run shows at most 2 pictures; 2 more were left out"]


def test_a_picture_that_replaces_another_is_no_further_one(recording: Recording) -> None:
    key = recording.sender.create_key()
    for name in "abcd":
        recording.send(name, key)
    recording.send("e")
    assert recording.sent == [("a", 1), ("b", 1), ("c", 1), ("d", 1), ("e", 0)]
    assert recording.sender.is_full()
    assert not recording.sender.is_full(key)


def test_an_unchanged_picture_is_not_sent_again(recording: Recording) -> None:
    for name in "aab":
        recording.send(name, 1)
    assert recording.sent == [("a", 1), ("b", 1)]


def test_the_count_begins_again_once_the_output_is_cleared(recording: Recording) -> None:
    for name in "abc":
        recording.send(name)
    recording.sender.forget_shown()
    recording.send("d")
    recording.sender.report_omitted()
    assert recording.sent[-1] == ("d", 0)
    assert not recording.notes
