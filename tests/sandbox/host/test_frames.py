"""Frames as hostile input: no exception but `ProtocolViolation`, no memory beyond one frame."""

from __future__ import annotations

import json
import pickle
import random
import tracemalloc
from collections.abc import Iterator

import pytest

from starchat_tui.sandbox.guest import frame_protocol
from starchat_tui.sandbox.guest.frame_protocol import FRAME_KINDS, KIND_BY_NAME, pack_frame
from starchat_tui.sandbox.host.frames import (
    FileChunk,
    FileReply,
    Frame,
    FrameParser,
    ProtocolViolation,
    Ready,
    RunDone,
    RunStarted,
)
from starchat_tui.sandbox.outputs import (
    Failure,
    Figure,
    GridLabel,
    GridPicture,
    Note,
    OutputCleared,
    Result,
    StreamText,
    WrittenFile,
)

FUZZ_COUNT = 120_000
"""Hostile frames of the fuzzer."""
MAX_MEMORY = 64 * 2**20


def png(width: int, height: int, size: int = 100) -> bytes:
    """Return bytes that begin like a PNG of this size."""
    head = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + width.to_bytes(4, "big") + height.to_bytes(4, "big")
    return head.ljust(size, b"\0")


FRAMES: list[tuple[bytes, Frame]] = [
    (pack_frame("ready"), Ready()),
    (pack_frame("begun", 7), RunStarted(7)),
    (pack_frame("text", "stdout", "zażółć\x1b[2J"), StreamText("stdout", "zażółć\x1b[2J")),
    (pack_frame("result", "42", 0), Result("42")),
    (pack_frame("figure", png(3, 2), 3, 2, "axes", 7), Figure(png(3, 2), 3, 2, "axes", key=7)),
    (pack_frame("clear"), OutputCleared()),
    (
        pack_frame("grid", png(12, 16), "0 1 0a0b0c a b\n1 0 ffffff ż\x1b[2J"),
        GridPicture(
            3,
            2,
            png(12, 16),
            (GridLabel(0, 1, "0a0b0c", "a b"), GridLabel(1, 0, "ffffff", "ż\x1b[2J")),
        ),
    ),
    (pack_frame("failure", "E", "m", "t"), Failure("E", "m", "t")),
    (pack_frame("written", "a/b.csv", 12), WrittenFile("a/b.csv", 12)),
    (pack_frame("note", "n"), Note("n")),
    (pack_frame("hint", "h"), Note("h", is_hint=True)),
    (pack_frame("done", "ok"), RunDone("ok")),
    (pack_frame("chunk", b"\0\xff"), FileChunk(b"\0\xff")),
    (pack_frame("served", ""), FileReply("")),
]
STREAM = b"".join(frame for frame, _ in FRAMES)


def parse(data: bytes) -> list[Frame]:
    return [one for one, _ in FrameParser().feed(data)]


def test_every_kind_of_frame_is_parsed() -> None:
    assert parse(STREAM) == [one for _, one in FRAMES]
    assert {frame[:1] for frame, _ in FRAMES} | {KIND_BY_NAME[n] for n in COMMANDS} == set(
        FRAME_KINDS
    )


def test_frames_are_parsed_whatever_the_chunk_sizes() -> None:
    for cut in range(len(STREAM) + 1):
        parser = FrameParser()
        pieces = [*parser.feed(STREAM[:cut]), *parser.feed(STREAM[cut:])]
        assert [one for one, _ in pieces] == [one for _, one in FRAMES], cut
    parser = FrameParser()
    single = [one for index in range(len(STREAM)) for one, _ in parser.feed(STREAM[index:][:1])]
    assert single == [one for _, one in FRAMES]


def test_each_frame_comes_with_its_size() -> None:
    assert sum(size for _, size in FrameParser().feed(STREAM)) == len(STREAM)


COMMANDS = ("run", "fetch", "open", "put", "close")


def build_frame(kind: bytes, *fields: bytes) -> bytes:
    """Build a frame as an attacker does: of any kind, with any fields."""
    body = b"".join(len(one).to_bytes(4, "big") + one for one in fields)
    return kind + len(body).to_bytes(4, "big") + body


HOSTILE = {
    "an unknown kind": b"Z\0\0\0\0",
    "a command of ours": build_frame(b"r", b"1", b"print(1)"),
    "JSON": json.dumps({"kind": "done", "status": "ok"}).encode(),
    "nested JSON": b"[" * 200_000,
    "a pickle": pickle.dumps(("done", "ok")),
    "HTTP": b"GET / HTTP/1.1\r\n\r\n",
    "an escape sequence": b"\x1b]52;c;aGk=\x07",
    "four gigabytes": b"F\xff\xff\xff\xff",
    "a frame larger than its kind": b"N" + (5000).to_bytes(4, "big"),
    "a field larger than its frame": b"N" + (8).to_bytes(4, "big") + b"\0\0\xff\xff" + b"abcd",
    "a field larger than its kind": build_frame(b"W", b"x" * 2000, b"1"),
    "a field of 4 GB": b"N" + (8).to_bytes(4, "big") + b"\xff\xff\xff\xff" + b"abcd",
    "a grid that is no PNG": build_frame(b"G", b"GIF89a" * 10, b""),
    "a grid of no whole cells": build_frame(b"G", png(9, 8), b""),
    "a grid of no cells": build_frame(b"G", png(0, 8), b""),
    "a grid too wide": build_frame(b"G", png(4 * 501, 8), b""),
    "a label without a color": build_frame(b"G", png(8, 8), b"0 0 text"),
    "a label with half a color": build_frame(b"G", png(8, 8), b"0 0 12345 text"),
    "a label in other digits": build_frame(b"G", png(8, 8), "٠ 0 123456 x".encode()),
    "a label before the grid": build_frame(b"G", png(8, 8), b"-1 0 123456 x"),
    "a label far away": build_frame(b"G", png(8, 8), b"0 99999 123456 x"),
    "many labels": build_frame(b"G", png(8, 8), b"\n".join([b"0 0 123456 x"] * 1001)),
    "too few fields": build_frame(b"T", b"stdout"),
    "too many fields": build_frame(b"D", b"ok", b"ok"),
    "bytes after the last field": b"D" + (7).to_bytes(4, "big") + b"\0\0\0\x02okx",
    "half a field's size": b"D" + (2).to_bytes(4, "big") + b"\0\0",
    "text that is no UTF-8": build_frame(b"N", b"\xff\xfe"),
    "a surrogate": build_frame(b"N", b"\xed\xa0\x80"),
    "an overlong slash": build_frame(b"W", b"\xc0\xaf", b"1"),
    "a number of ten thousand digits": build_frame(b"B", b"9" * 10_000),
    "a number of thirteen digits": build_frame(b"B", b"9" * 13),
    "a negative number": build_frame(b"B", b"-1"),
    "a fraction": build_frame(b"B", b"1.5"),
    "a number with an exponent": build_frame(b"B", b"1e9"),
    "a number with an underscore": build_frame(b"B", b"1_0"),
    "a number with a space": build_frame(b"B", b" 1"),
    "no number": build_frame(b"B", b""),
    "a number with a zero before it": build_frame(b"B", b"01"),
    "Arabic digits": build_frame(b"B", "٣".encode()),
    "a superscript": build_frame(b"B", "²".encode()),
    "another stream": build_frame(b"T", b"stdin", b"x"),
    "an end of our own finding": build_frame(b"D", b"timeout"),
    "an end that there is not": build_frame(b"D", b"great"),
    "a picture that is none": build_frame(b"F", b"GIF89a" + bytes(50), b"1", b"1", b"", b"0"),
    "a picture that is SVG": build_frame(
        b"F", b"<svg onload=alert(1)>" + bytes(50), b"1", b"1", b"", b"0"
    ),
    "a picture that is HTML": build_frame(b"F", b"<html>" + bytes(50), b"1", b"1", b"", b"0"),
    "a picture without its head": build_frame(b"F", png(1, 1)[:20], b"1", b"1", b"", b"0"),
    "a picture of another size": build_frame(b"F", png(30_000, 30_000), b"3", b"2", b"", b"0"),
    "a picture bomb": build_frame(b"F", png(30_000, 30_000), b"30000", b"30000", b"", b"0"),
    "a picture of no width": build_frame(b"F", png(0, 5), b"0", b"5", b"", b"0"),
    "a picture whose size wraps": build_frame(b"F", png(5, 5), b"4294967301", b"5", b"", b"0"),
    "a key that is no number": build_frame(b"V", b"text", b"x"),
    "a key of thirteen digits": build_frame(b"V", b"text", b"9" * 13),
    "a negative key": build_frame(b"F", png(3, 2), b"3", b"2", b"", b"-1"),
    "a picture without a key": build_frame(b"F", png(3, 2), b"3", b"2", b""),
    "a removal with a text": build_frame(b"K", b"x"),
    "a file outside": build_frame(b"W", b"../../etc/passwd", b"1"),
    "a file of the host": build_frame(b"W", b"/etc/passwd", b"1"),
    "a file with a NUL": build_frame(b"W", b"a\0b", b"1"),
    "a file without a name": build_frame(b"W", b"", b"1"),
    "a file that is a folder": build_frame(b"W", b"a/..", b"1"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bytes_are_a_violation(name: str) -> None:
    with pytest.raises(ProtocolViolation):
        parse(HOSTILE[name])


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bytes_are_a_violation_one_by_one(name: str) -> None:
    parser, data = FrameParser(), HOSTILE[name]
    with pytest.raises(ProtocolViolation):
        [list(parser.feed(data[index : index + 1])) for index in range(len(data))]


def test_frames_before_a_violation_are_delivered() -> None:
    got = []
    with pytest.raises(ProtocolViolation):
        got.extend(one for one, _ in FrameParser().feed(STREAM + b"Z\0\0\0\0"))
    assert got == [one for _, one in FRAMES]


def test_an_endless_frame_is_limited_by_its_kind() -> None:
    for kind in (KIND_BY_NAME[name] for name in ("figure", "result", "chunk", "failure")):
        most = frame_protocol.max_body_size(kind)
        parser = FrameParser()
        list(parser.feed(kind + most.to_bytes(4, "big")))
        with pytest.raises(ProtocolViolation):
            [list(parser.feed(bytes(2**20))) for _ in range(18)]


def test_the_largest_picture_passes() -> None:
    largest = png(5000, 5000, 16 * 2**20)
    assert parse(pack_frame("figure", largest, 5000, 5000, "c" * 65536, 0)) == [
        Figure(largest, 5000, 5000, "c" * 65536)
    ]


def test_the_sender_truncates_or_refuses_large_fields() -> None:
    assert parse(pack_frame("note", "ż" * 5000)) == [Note("ż" * 1024)]
    assert parse(pack_frame("note", "a\ud800b")) == [Note("a?b")]
    with pytest.raises(ValueError, match="at most"):
        pack_frame("chunk", bytes(2**20 + 1))
    with pytest.raises(ValueError, match="at most"):
        pack_frame("begun", 10**13)
    with pytest.raises(ValueError, match="fields"):
        pack_frame("note")


def mutants(rng: random.Random) -> Iterator[bytes]:
    """Frames that were good, and are not quite; and some that never were."""
    good = [frame for frame, _ in FRAMES]
    sizes = (0, 1, 3, 4, 5, 255, 2**16, 2**24, 2**31, 2**32 - 1)
    hostile = [one for one in HOSTILE.values() if len(one) < 4096]
    while True:
        frame = bytearray(rng.choice(good))
        match rng.randrange(8):
            case 0:
                for _ in range(rng.randint(1, 4)):
                    frame[rng.randrange(len(frame))] = rng.randrange(256)
            case 1:
                del frame[rng.randrange(len(frame)) :]
            case 2:
                at = rng.randrange(len(frame) + 1)
                frame[at:at] = rng.randbytes(rng.randint(1, 64))
            case 3:
                frame[1:5] = rng.choice(sizes).to_bytes(4, "big")
            case 4:
                frame[5:9] = rng.choice(sizes).to_bytes(4, "big")
            case 5:
                frame[:1] = rng.choice(list(FRAME_KINDS))
            case 6:
                frame = bytearray(rng.choice(hostile))
                frame[rng.randrange(len(frame))] ^= 1 << rng.randrange(8)
            case _:
                kind = rng.choice(list(FRAME_KINDS))
                count = rng.randrange(6)
                frame = bytearray(
                    build_frame(kind, *(rng.randbytes(rng.randrange(40)) for _ in range(count)))
                )
        yield bytes(frame)


def picture_in_pieces() -> Iterator[bytes]:
    """The largest frame there is, as a pipe hands it over."""
    size, fields = 16 * 2**20, [b"5000", b"5000", b"c" * 65536, b"0"]
    tail = b"".join(len(one).to_bytes(4, "big") + one for one in fields)
    yield b"F" + (4 + size + len(tail)).to_bytes(4, "big") + size.to_bytes(4, "big")
    yield png(5000, 5000, 65536)
    for _ in range(size // 65536 - 1):
        yield bytes(65536)
    yield tail


def small_frames() -> Iterator[bytes]:
    """Feed as many frames as fit into one read, many times."""
    for _ in range(8):
        yield pack_frame("ready") * (65536 // 5)


@pytest.mark.slow
def test_random_frames_raise_nothing_but_violations() -> None:
    """Feed each hostile frame to a parser that has parsed good ones, cut anywhere."""
    rng = random.Random(5)
    violations = harmless = 0
    tracemalloc.start()
    try:
        for _, frame in zip(range(FUZZ_COUNT), mutants(rng), strict=False):
            parser = FrameParser()
            data = STREAM[:20] + frame if rng.random() < 0.1 else frame
            cut = rng.randrange(len(data) + 1)
            try:
                for piece in (data[:cut], data[cut:]):
                    for one, _size in parser.feed(piece):
                        assert isinstance(one, Frame)
                        harmless += 1
            except ProtocolViolation:
                violations += 1
        # Floods: the most that a parser may hold, and as many small frames as fit into a read.
        for flood in (picture_in_pieces(), small_frames()):
            parser = FrameParser()
            for piece in flood:
                for _frame in parser.feed(piece):
                    pass
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert violations > FUZZ_COUNT / 2
    assert harmless
    assert peak < MAX_MEMORY, f"{peak / 2**20:.0f} MB"
