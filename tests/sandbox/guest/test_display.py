"""Outputs of a run: in order, and none between two runs."""

from __future__ import annotations

import os

import pytest

from starchat_tui.sandbox.guest.display import RunDisplay
from starchat_tui.sandbox.guest.frame_protocol import FRAME_KINDS, HEADER_SIZE, unpack_frame
from starchat_tui.sandbox.guest.pipe import Pipe
from tests.scripted import make_png


class RecordedDisplay:
    """A display, and the frames it sends."""

    def __init__(self) -> None:
        self._frames, frames = os.pipe()
        self._pipe = Pipe(-1, frames)
        self.display = RunDisplay(self._pipe, max_figures=2)

    def read_frames(self) -> list[tuple[object, ...]]:
        """Close the pipe; return the name and values of each frame."""
        self._pipe.close()
        with os.fdopen(self._frames, "rb") as file:
            data = file.read()
        frames: list[tuple[object, ...]] = []
        while data:
            size = HEADER_SIZE + int.from_bytes(data[1:HEADER_SIZE], "big")
            values = unpack_frame(data[:1], data[HEADER_SIZE:size])
            frames.append((FRAME_KINDS[data[:1]][0], *values))
            data = data[size:]
        return frames


@pytest.fixture
def recorder() -> RecordedDisplay:
    """Return a display with a pipe of its own."""
    return RecordedDisplay()


def test_a_run_is_framed_by_its_number_and_status(recorder: RecordedDisplay) -> None:
    recorder.display.begin_run(3)
    recorder.display.send_text("stdout", "a")
    recorder.display.send_result("42")
    recorder.display.send_failure("E", "message", "trace")
    recorder.display.send_written_file("a.csv", 5)
    recorder.display.end_run("ok")
    assert recorder.read_frames() == [
        ("begun", 3),
        ("text", "stdout", "a"),
        ("result", "42", 0),
        ("failure", "E", "message", "trace"),
        ("written", "a.csv", 5),
        ("done", "ok"),
    ]


def test_streams_are_flushed_before_other_outputs(recorder: RecordedDisplay) -> None:
    recorder.display.flush_streams = lambda: recorder.display.send_text("stdout", "earlier")
    recorder.display.begin_run(1)
    recorder.display.send_result("later")
    names = [frame[0] for frame in recorder.read_frames()]
    assert names == ["begun", "text", "result"]


def test_what_comes_after_a_run_is_counted_and_dropped(recorder: RecordedDisplay) -> None:
    recorder.display.begin_run(1)
    recorder.display.end_run("ok")
    recorder.display.send_text("stdout", "x" * 1234)
    recorder.display.send_result("lost")
    recorder.display.begin_run(2)
    recorder.display.end_run("ok")
    recorder.display.begin_run(3)
    assert recorder.read_frames() == [
        ("begun", 1),
        ("done", "ok"),
        ("begun", 2),
        ("note", "Lost 1,234 characters printed after an earlier run ended"),
        ("done", "ok"),
        ("begun", 3),
    ]


def test_a_picture_that_comes_after_a_run_is_reported_by_the_next(
    recorder: RecordedDisplay,
) -> None:
    recorder.display.begin_run(1)
    recorder.display.end_run("ok")
    recorder.display.images.publish_image(make_png(4, 4), "late")
    recorder.display.begin_run(2)
    recorder.display.end_run("ok")
    assert recorder.read_frames() == [
        ("begun", 1),
        ("done", "ok"),
        ("begun", 2),
        ("note", "Lost a plot that a thread drew after an earlier run ended"),
        ("done", "ok"),
    ]


def test_pictures_beyond_the_limit_are_reported_at_the_end(recorder: RecordedDisplay) -> None:
    recorder.display.begin_run(1)
    for size in (4, 5, 6):
        recorder.display.images.publish_image(make_png(size, size), f"picture {size}")
    recorder.display.end_run("ok")
    frames = recorder.read_frames()
    assert [frame[0] for frame in frames] == ["begun", "figure", "figure", "note", "done"]
    assert frames[3] == ("note", "A run shows at most 2 pictures; 1 more was left out")


def test_a_note_is_sent_once_in_a_run(recorder: RecordedDisplay) -> None:
    for run in (1, 2):
        recorder.display.begin_run(run)
        recorder.display.send_note("same")
        recorder.display.send_note("same")
    assert recorder.read_frames() == [
        ("begun", 1),
        ("note", "same"),
        ("begun", 2),
        ("note", "same"),
    ]


def test_cleared_output_is_removed_once_there_is_more(recorder: RecordedDisplay) -> None:
    recorder.display.begin_run(1)
    recorder.display.send_text("stdout", "first")
    recorder.display.clear(wait=True)
    recorder.display.send_note("notes stay")
    recorder.display.send_text("stdout", "second")
    recorder.display.end_run("ok")
    assert recorder.read_frames() == [
        ("begun", 1),
        ("text", "stdout", "first"),
        ("note", "notes stay"),
        ("clear",),
        ("text", "stdout", "second"),
        ("done", "ok"),
    ]


def test_an_output_has_one_key_by_its_name(recorder: RecordedDisplay) -> None:
    recorder.display.begin_run(1)
    assert recorder.display.find_key("") == 0
    keys = [recorder.display.find_key(name) for name in ("a", "b", "a")]
    assert keys[0] == keys[2] != keys[1]
