"""Reads what a runner sends: the bytes are hostile, whatever the code inside was meant to be.

Each frame has a kind of a fixed table, and exactly that kind's fields; everything else is a
`Violation`, and ends the kernel. A picture has to be a PNG that says the size the frame says.
What a frame tells is only what the code inside wants us to believe: it is shown, never obeyed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from starchat_tui.sandbox.guest import frame_protocol
from starchat_tui.sandbox.outputs import (
    Failure,
    Figure,
    Note,
    Output,
    Result,
    Status,
    Text,
    Written,
)

_HEARD = frozenset(b"RBTVFXWNDCS")
"""The kinds that a runner may send; the others are for it to hear."""
_ENDS = frozenset({"ok", "error", "interrupted", "memory"})
"""What a runner may say of the end of a run; the other ends are ours to find out."""
_PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
"""How a PNG begins; its width and height follow, four bytes each (PNG specification, 11.2.2)."""
_PNG_SMALLEST = len(_PNG) + 8
_MOST_PIXELS = 25_000_000


class Violation(Exception):
    """The runner broke the protocol; the text says how."""


@dataclass(frozen=True, slots=True)
class Ready:
    """The runner can take code."""


@dataclass(frozen=True, slots=True)
class Begun:
    """The run of this number begins; what came before belongs to none."""

    run: int


@dataclass(frozen=True, slots=True)
class Done:
    """The run ended."""

    status: Status


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a file that was asked for."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Served:
    """What was asked for came whole; or why it did not."""

    problem: str


Heard = Ready | Begun | Done | Chunk | Served | Output


class Parser:
    """Frames out of a stream of bytes, however it is cut; holds at most one frame."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[Heard, int]]:
        """What was heard, each with its size in bytes; raises `Violation`, and is then finished."""
        self._buffer += data
        while (size := self._size()) and size <= len(self._buffer):
            # One copy, of what may be many megabytes.
            with memoryview(self._buffer) as view:
                kind, body = bytes(view[:1]), bytes(view[frame_protocol.HEADER : size])
            # Cheap: a bytearray moves its start, not its bytes.
            del self._buffer[:size]
            yield _heard(kind, body), size

    def _size(self) -> int:
        """The size of the next frame, header included; 0 where the header has not come."""
        header = self._buffer[: frame_protocol.HEADER]
        if header[:1] and header[0] not in _HEARD:
            raise Violation(f"a frame of no known kind: 0x{header[0]:02x}")
        if len(header) < frame_protocol.HEADER:
            return 0
        size = int.from_bytes(header[1:], "big")
        if size > frame_protocol.largest(bytes(header[:1])):
            raise Violation(f"a frame of {size} bytes")
        return frame_protocol.HEADER + size


def _heard(kind: bytes, body: bytes) -> Heard:
    try:
        values = frame_protocol.unpack(kind, body)
    except ValueError as error:
        raise Violation(str(error)) from None
    # The types are those of the table: `unpack` gave them.
    words = cast("list[str]", values)
    numbers = cast("list[int]", values)
    match frame_protocol.KINDS[kind][0]:
        case "ready":
            return Ready()
        case "begun":
            return Begun(numbers[0])
        case "done":
            return Done(_end(words[0]))
        case "chunk":
            return Chunk(cast(bytes, values[0]))
        case "served":
            return Served(words[0])
        case "text":
            return _text(words[0], words[1])
        case "result":
            return Result(words[0])
        case "figure":
            return _figure(cast(bytes, values[0]), numbers[1], numbers[2], words[3])
        case "failure":
            return Failure(words[0], words[1], words[2])
        case "written":
            return _written(words[0], numbers[1])
        case _:
            return Note(words[0])


def _end(word: str) -> Status:
    if word not in _ENDS:
        raise Violation("an end that is none")
    return cast(Status, word)


def _text(stream: str, text: str) -> Text:
    if stream == "stdout" or stream == "stderr":
        return Text("stdout" if stream == "stdout" else "stderr", text)
    raise Violation("a stream of no known name")


def _written(name: str, size: int) -> Written:
    """A file by the name it has in its folder, which a listing shows and `fetch` takes."""
    if "\0" in name or any(part in ("", ".", "..") for part in name.split("/")):
        raise Violation("a file outside of its folder")
    return Written(name, size)


def _figure(png: bytes, width: int, height: int, card: str) -> Figure:
    says = width.to_bytes(8, "big")[-4:] + height.to_bytes(8, "big")[-4:]
    if len(png) < _PNG_SMALLEST or not png.startswith(_PNG + says):
        raise Violation("a picture that is no PNG of the size it says")
    if not 0 < width * height <= _MOST_PIXELS:
        raise Violation(f"a picture of {width} × {height} pixels")
    return Figure(png, width, height, card)
