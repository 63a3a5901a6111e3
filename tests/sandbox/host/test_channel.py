"""Host's ends of the pipes, with the runner's ends in this process."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from starchat_tui.sandbox.guest.frame_protocol import pack_frame
from starchat_tui.sandbox.host.channel import Channel
from starchat_tui.sandbox.host.frames import Frame, ProtocolViolation, Ready
from starchat_tui.sandbox.outputs import Note, StreamText


class Peer:
    """A channel, and copies of the ends that a runner would have inherited."""

    def __init__(self) -> None:
        self.channel = Channel()
        self.commands = os.dup(self.channel.commands_fd)
        self.frames = os.dup(self.channel.frames_fd)

    def close_frames(self) -> None:
        os.close(self.frames)
        self.frames = -1


@pytest_asyncio.fixture
async def peer() -> AsyncIterator[Peer]:
    one = Peer()
    yield one
    one.channel.close()
    # The transport closes its descriptor in the next turn of the loop.
    await asyncio.sleep(0)
    for fd in (one.commands, one.frames):
        if fd >= 0:
            os.close(fd)


async def collect(channel: Channel) -> list[Frame]:
    return [frame async for frame, _ in channel.receive()]


async def test_frames_arrive_with_their_sizes_until_the_runner_is_gone(peer: Peer) -> None:
    await peer.channel.open()
    sent = [pack_frame("ready"), pack_frame("note", "hello")]
    os.write(peer.frames, b"".join(sent))
    peer.close_frames()
    received = [item async for item in peer.channel.receive()]
    assert received == [(Ready(), len(sent[0])), (Note("hello"), len(sent[1]))]


async def test_the_rest_of_a_read_is_kept_for_the_next_consumer(peer: Peer) -> None:
    await peer.channel.open()
    os.write(peer.frames, pack_frame("ready") + pack_frame("note", "first") * 2)
    assert (await anext(peer.channel.receive()))[0] == Ready()
    peer.close_frames()
    assert await collect(peer.channel) == [Note("first"), Note("first")]


async def test_garbage_is_a_violation(peer: Peer) -> None:
    await peer.channel.open()
    os.write(peer.frames, b"\xff garbage")
    with pytest.raises(ProtocolViolation):
        await collect(peer.channel)


async def test_stop_reading_ends_the_stream_although_the_pipe_is_open(peer: Peer) -> None:
    await peer.channel.open()
    reading = asyncio.ensure_future(collect(peer.channel))
    await asyncio.sleep(0)
    peer.channel.stop_reading()
    assert await asyncio.wait_for(reading, 10) == []


async def test_a_writer_waits_while_nobody_reads(peer: Peer) -> None:
    """A flood must not collect in this process."""
    await peer.channel.open()
    frame, written = pack_frame("text", "stdout", "x" * 60_000), 0

    def flood() -> None:
        nonlocal written
        while written < 100 and peer.channel.frames_fd == -1:
            os.write(peer.frames, frame)
            written += 1

    writer = threading.Thread(target=flood)
    writer.start()
    await asyncio.sleep(0.3)
    assert written < 10, "the pipe and the reader's buffer are full"
    count = 0
    async for received, _ in peer.channel.receive():
        assert received == StreamText("stdout", "x" * 60_000)
        count += 1
        if count == 100:
            break
    writer.join()


async def test_a_large_command_arrives_whole(peer: Peer) -> None:
    await peer.channel.open()
    code = "x" * 1_000_000
    received = bytearray()

    def read() -> None:
        while len(received) < len(pack_frame("run", 1, code, "")):
            received.extend(os.read(peer.commands, 65_536))

    reader = threading.Thread(target=read)
    reader.start()
    await peer.channel.send("run", 1, code, "")
    await asyncio.to_thread(reader.join)
    assert bytes(received) == pack_frame("run", 1, code, "")


async def test_a_command_to_a_runner_that_is_gone_is_dropped(peer: Peer) -> None:
    await peer.channel.open()
    os.close(peer.commands)
    peer.commands = -1
    sent = asyncio.ensure_future(peer.channel.send("fetch", "a.csv"))
    done, _ = await asyncio.wait({sent}, timeout=10)
    assert done == {sent}, "it waits for nobody"
    assert sent.exception() is None


async def test_close_releases_every_descriptor() -> None:
    before = set(os.listdir("/proc/self/fd"))
    for is_open in (False, True):
        channel = Channel()
        if is_open:
            await channel.open()
        channel.close()
        channel.close()
        await asyncio.sleep(0)
    assert set(os.listdir("/proc/self/fd")) <= before
