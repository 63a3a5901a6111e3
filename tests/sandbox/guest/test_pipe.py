"""The runner's ends of the pipes: whole frames, whatever interrupts a write."""

from __future__ import annotations

import os
import signal
import threading
import time
import warnings
from collections.abc import Iterator
from types import FrameType

import pytest

from starchat_tui.sandbox.guest.frame_protocol import HEADER_SIZE, pack_frame, unpack_frame
from starchat_tui.sandbox.guest.pipe import Pipe, PipeClosed


class Ends:
    """A pipe to test, and the host's ends of it."""

    def __init__(self) -> None:
        commands, self.commands = os.pipe()
        self.frames, frames = os.pipe()
        self.pipe = Pipe(commands, frames)

    def read_texts(self) -> list[str]:
        """Close the runner's end; return the texts of all frames, which have to be whole."""
        self.pipe.close()
        with os.fdopen(self.frames, "rb") as file:
            data = file.read()
        texts = []
        while data:
            size = HEADER_SIZE + int.from_bytes(data[1:HEADER_SIZE], "big")
            texts.append(str(unpack_frame(data[:1], data[HEADER_SIZE:size])[-1]))
            data = data[size:]
        return texts


@pytest.fixture
def ends() -> Iterator[Ends]:
    """Yield the ends of two pipes of their own."""
    one = Ends()
    yield one
    os.close(one.commands)
    one.pipe.close()


def test_commands_arrive_in_order(ends: Ends) -> None:
    assert not ends.pipe.has_pending_command()
    data = pack_frame("run", 1, "x = 1", "") + pack_frame("close")
    os.write(ends.commands, data[:3])
    assert ends.pipe.has_pending_command()
    os.write(ends.commands, data[3:])
    assert ends.pipe.receive() == ("run", [1, "x = 1", ""])
    assert ends.pipe.receive() == ("close", [])


def test_a_closed_pipe_ends_the_commands() -> None:
    read_end, write_end = os.pipe()
    os.write(write_end, pack_frame("run", 1, "x", "")[:-1])
    os.close(write_end)
    with pytest.raises(PipeClosed):
        Pipe(read_end, -1).receive()


def test_sending_into_a_closed_pipe_does_nothing(ends: Ends) -> None:
    os.close(ends.frames)
    ends.pipe.send("note", "x")
    ends.pipe.send("note", "x")
    with pytest.raises(PipeClosed):
        ends.pipe.receive()


def test_frames_of_threads_do_not_mix(ends: Ends) -> None:
    def send(letter: str) -> None:
        for _ in range(50):
            ends.pipe.send("text", "stdout", letter * 100)

    threads = [threading.Thread(target=send, args=(letter,)) for letter in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ends.read_texts()) == [letter * 100 for letter in "abc" for _ in range(50)]


def test_a_frame_sent_during_another_follows_it(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the finalizer of an object does that is freed in the middle of a write."""
    write, sent = os.write, list[bool]()

    def write_and_send(fd: int, data: bytes) -> int:
        if not sent:
            sent.append(True)
            assert ends.pipe.is_writing_frame
            ends.pipe.send("note", "inner")
        return write(fd, data[:3])

    monkeypatch.setattr(os, "write", write_and_send)
    ends.pipe.send("note", "outer")
    monkeypatch.undo()
    assert not ends.pipe.is_writing_frame
    assert ends.read_texts() == ["outer", "inner"]


def test_an_interrupt_waits_for_the_end_of_a_frame(ends: Ends) -> None:
    """The frame is larger than the pipe holds, so the signal comes in the middle of it."""
    seen: list[bool] = []

    def handle(number: int, frame: FrameType | None) -> None:
        seen.append(ends.pipe.is_writing_frame)

    main = threading.get_ident()
    received = bytearray()

    def interrupt_and_read() -> None:
        time.sleep(0.05)
        signal.pthread_kill(main, signal.SIGINT)
        time.sleep(0.05)
        while not received.endswith(b"end"):
            received.extend(os.read(ends.frames, 2**16))

    before = signal.signal(signal.SIGINT, handle)
    thread = threading.Thread(target=interrupt_and_read)
    try:
        thread.start()
        ends.pipe.send("chunk", b"x" * 300_000 + b"end")
        thread.join()
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen == [False]
    assert len(received) == len(pack_frame("chunk", b"x" * 300_000 + b"end"))


def test_after_each_frame_the_callback_runs(ends: Ends) -> None:
    calls: list[bool] = []
    ends.pipe.on_frame_written = lambda: calls.append(ends.pipe.is_writing_frame)
    ends.pipe.send("ready")
    assert calls == [False]


def test_a_forked_child_has_no_pipe(ends: Ends) -> None:
    """Its lock may have been held by a thread that does not exist in the child."""
    held, release = threading.Event(), threading.Event()

    def hold_lock() -> None:
        with ends.pipe._lock:
            held.set()
            release.wait()

    thread = threading.Thread(target=hold_lock)
    thread.start()
    held.wait()
    # Python 3.12 warns of every fork in a process with threads.
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        pid = os.fork()
    if not pid:
        signal.alarm(10)
        ends.pipe.reset_after_fork()
        ends.pipe.send("note", "from the child")
        os._exit(0)
    release.set()
    thread.join()
    assert os.waitpid(pid, 0)[1] == 0
    ends.pipe.send("note", "from the parent")
    assert ends.read_texts() == ["from the parent"]
