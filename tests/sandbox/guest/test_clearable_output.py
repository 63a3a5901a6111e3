"""Outputs that the code clears: of a fast loop not all are sent, and the last state always is."""

from __future__ import annotations

import pytest

from starchat_tui.sandbox.guest import clearable_output
from starchat_tui.sandbox.guest.clearable_output import SEND_INTERVAL, ClearableOutput


class Recording:
    """An output whose clock stands still unless a test moves it."""

    def __init__(self) -> None:
        self.frames: list[tuple[object, ...]] = []
        self.time = 100.0
        self.output = ClearableOutput(
            lambda *frame: self.frames.append(frame), clock=lambda: self.time
        )

    def print_states(self, *texts: str, wait: bool = True) -> None:
        for text in texts:
            self.output.clear(wait=wait)
            self.output.send("text", "stdout", text)


@pytest.fixture
def recording() -> Recording:
    return Recording()


@pytest.mark.parametrize("wait", [True, False])
def test_of_a_fast_loop_the_first_and_the_last_state_are_sent(
    recording: Recording, wait: bool
) -> None:
    recording.print_states("1", "2", "3", "4", wait=wait)
    recording.output.flush()
    assert recording.frames == [
        ("clear",),
        ("text", "stdout", "1"),
        ("clear",),
        ("text", "stdout", "4"),
    ]


def test_a_state_is_sent_at_once_if_the_one_before_is_old(recording: Recording) -> None:
    recording.print_states("1")
    recording.time += SEND_INTERVAL
    recording.print_states("2")
    recording.output.send("text", "stdout", "more of 2")
    assert [frame[-1] for frame in recording.frames] == ["clear", "1", "clear", "2", "more of 2"]


def test_nothing_is_cleared_without_a_further_output(recording: Recording) -> None:
    recording.output.send("result", "kept", 0)
    recording.output.clear(wait=True)
    recording.output.flush()
    assert recording.frames == [("result", "kept", 0)]
    recording.output.clear(wait=False)
    recording.output.flush()
    assert recording.frames[1:] == [("clear",)]


def test_a_run_does_not_inherit_the_state_of_the_last_one(recording: Recording) -> None:
    recording.print_states("1", "2")
    recording.output.clear(wait=True)
    recording.output.reset()
    recording.output.send("text", "stdout", "next run")
    assert recording.frames[2:] == [("text", "stdout", "next run")]


def test_beyond_a_number_of_bytes_only_the_last_state_is_sent(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clearable_output, "MAX_CLEARED_BYTES", 20)
    for text in ("1" * 8, "2" * 8, "3" * 8, "4" * 8):
        recording.print_states(text)
        recording.time += SEND_INTERVAL
    recording.output.flush()
    assert [str(frame[-1])[0] for frame in recording.frames] == ["c", "1", "c", "2", "c", "4"]


def test_a_state_that_is_too_large_to_wait_is_sent(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clearable_output, "MAX_HELD_BYTES", 10)
    recording.print_states("1", "2" * 16)
    assert recording.frames[-1] == ("text", "stdout", "2" * 16)


def test_an_interrupt_loses_and_repeats_nothing(recording: Recording) -> None:
    """`Pipe.send` raises an interrupt once the frame is written."""
    recording.print_states("1", "2")
    sent: list[tuple[object, ...]] = []

    def send_and_raise(*frame: object) -> None:
        sent.append(frame)
        raise KeyboardInterrupt

    recording.output._send = send_and_raise
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            recording.output.flush()
    recording.output.flush()
    assert sent == [("clear",), ("text", "stdout", "2")]
