"""Encoding of frames; hostile frames are tested with the host's parser in `test_frames.py`."""

from __future__ import annotations

import pytest

from starchat_tui.sandbox.guest.frame_protocol import (
    FRAME_KINDS,
    HEADER_SIZE,
    Value,
    max_body_size,
    pack_frame,
    unpack_frame,
)


def unpack(frame: bytes) -> list[Value]:
    """Return the values of a frame whose header is consistent."""
    assert int.from_bytes(frame[1:HEADER_SIZE], "big") == len(frame) - HEADER_SIZE
    return unpack_frame(frame[:1], frame[HEADER_SIZE:])


def test_the_bytes_of_a_frame() -> None:
    assert pack_frame("begun", 42) == b"B\0\0\0\x06\0\0\0\x0242"
    assert pack_frame("ready") == b"R\0\0\0\0"


@pytest.mark.parametrize(
    "values",
    [
        ("run", 7, "print('ż')", "80 24 2"),
        ("put", b"\0\xff"),
        ("written", "a/b.csv", 0),
        ("close",),
    ],
)
def test_unpacking_returns_what_was_packed(values: tuple[str, ...]) -> None:
    name, *rest = values
    assert unpack(pack_frame(name, *rest)) == rest


def test_text_is_cut_between_two_characters() -> None:
    (text,) = unpack(pack_frame("note", "ż" * 4000))
    assert text == "ż" * 1024
    (text,) = unpack(pack_frame("note", "x" + "ż" * 4000))
    assert text == "x" + "ż" * 1023


def test_a_lone_surrogate_is_replaced() -> None:
    assert unpack(pack_frame("result", "\ud800", 0)) == ["?", 0]


def test_bytes_that_do_not_fit_are_an_error() -> None:
    with pytest.raises(ValueError, match="at most 1048576"):
        pack_frame("chunk", bytes(2**20 + 1))
    with pytest.raises(ValueError, match="`done` has 1 fields, not 2"):
        pack_frame("done", "ok", "ok")


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (b"B", b""),
        (b"B", b"\0\0\0\x02" + b"4"),
        (b"B", b"\0\0\0\x0242" + b"x"),
        (b"B", b"\0\0\0\x02" + b"04"),
        (b"B", b"\0\0\0\x02" + b"-4"),
        (b"B", b"\0\0\0\x03" + "²".encode() + b"1"),
        (b"B", b"\0\0\0\x0d" + b"1" * 13),
        (b"N", b"\0\0\0\x01" + b"\xff"),
    ],
)
def test_a_body_that_is_not_exact_is_an_error(kind: bytes, body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        unpack_frame(kind, body)


def test_every_kind_has_one_name_and_a_largest_body() -> None:
    assert len({name for name, _ in FRAME_KINDS.values()}) == len(FRAME_KINDS)
    assert max_body_size(b"R") == 0
    assert max_body_size(b"B") == 16
