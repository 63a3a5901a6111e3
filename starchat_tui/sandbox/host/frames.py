"""Parser of the frames that a runner sends: hostile bytes, whatever the code was meant to do.

Each frame has a kind of a fixed table, and exactly that kind's fields; everything else is a
`ProtocolViolation` and ends the kernel. The PNG of a figure has to be of the size that its frame
gives. The content of a frame is whatever the code chooses: it is shown, never obeyed. The
format is described in `sandbox/guest/frame_protocol.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from starchat_tui.sandbox.guest import frame_protocol
from starchat_tui.sandbox.outputs import (
    Failure,
    Figure,
    GridLabel,
    GridPicture,
    Note,
    Output,
    OutputCleared,
    Result,
    RunStatus,
    StreamText,
    WrittenFile,
)

_RUNNER_KINDS = frozenset(b"RBTVFGKXWNDCSH")
"""Kinds that a runner may send; the others are commands to it."""
_RUNNER_STATUSES = frozenset({"ok", "error", "interrupted", "memory"})
"""Statuses that a runner may report; the host finds out the others itself."""
_PNG_HEADER = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
"""Beginning of a PNG; width and height follow, four bytes each (PNG specification, 11.2.2)."""
_MIN_PNG_SIZE = len(_PNG_HEADER) + 8
_MAX_PIXELS = 25_000_000
_MAX_GRID = (500, 200)
"""Columns and rows of the largest grid for which a figure is drawn."""
_MAX_LABELS = 1000
_LABEL = re.compile(r"([0-9]{1,4}) ([0-9]{1,4}) ([0-9a-f]{6}) (.*)", re.DOTALL)


class ProtocolViolation(Exception):
    """The runner broke the protocol; the text says how."""


@dataclass(frozen=True, slots=True)
class Ready:
    """The runner is ready for code."""


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The run of this number begins; frames before it belong to no run."""

    run: int


@dataclass(frozen=True, slots=True)
class RunDone:
    """The run has ended."""

    status: RunStatus


@dataclass(frozen=True, slots=True)
class FileChunk:
    """Part of a file that was requested."""

    data: bytes


@dataclass(frozen=True, slots=True)
class FileReply:
    """End of a file exchange; `problem` is empty if it succeeded."""

    problem: str


Frame = Ready | RunStarted | RunDone | FileChunk | FileReply | GridPicture | Output


class FrameParser:
    """Incremental parser of a byte stream; it holds at most one incomplete frame."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[Frame, int]]:
        """Yield each frame with its size in bytes.

        Raises `ProtocolViolation`; the parser must not be used after that.
        """
        self._buffer += data
        while (size := self._measure_next()) and size <= len(self._buffer):
            # A slice of the bytearray would be a second copy of what may be many megabytes.
            with memoryview(self._buffer) as view:
                kind, body = bytes(view[:1]), bytes(view[frame_protocol.HEADER_SIZE : size])
            # Cheap: a bytearray moves its start, not its bytes (CPython, bytearrayobject.c).
            del self._buffer[:size]
            yield _parse_frame(kind, body), size

    def _measure_next(self) -> int:
        """Return the size of the next frame with its header; 0 until the header has arrived."""
        header = self._buffer[: frame_protocol.HEADER_SIZE]
        # Checked before the body is waited for: garbage is refused at its first byte, and a size of
        # four gigabytes never makes this process collect them.
        if header[:1] and header[0] not in _RUNNER_KINDS:
            raise ProtocolViolation(f"a frame of no known kind: 0x{header[0]:02x}")
        if len(header) < frame_protocol.HEADER_SIZE:
            return 0
        size = int.from_bytes(header[1:], "big")
        if size > frame_protocol.max_body_size(bytes(header[:1])):
            raise ProtocolViolation(f"a frame of {size} bytes")
        return frame_protocol.HEADER_SIZE + size


def _parse_frame(kind: bytes, body: bytes) -> Frame:
    try:
        values = frame_protocol.unpack_frame(kind, body)
    except ValueError as error:
        raise ProtocolViolation(str(error)) from None
    # `unpack_frame` has checked the types against the table; the casts only tell mypy.
    texts = cast("list[str]", values)
    numbers = cast("list[int]", values)
    match frame_protocol.FRAME_KINDS[kind][0]:
        case "ready":
            return Ready()
        case "begun":
            return RunStarted(numbers[0])
        case "done":
            return RunDone(_parse_status(texts[0]))
        case "chunk":
            return FileChunk(cast(bytes, values[0]))
        case "served":
            return FileReply(texts[0])
        case "text":
            return _parse_text(texts[0], texts[1])
        case "result":
            return Result(texts[0], numbers[1])
        case "figure":
            return _parse_figure(cast(bytes, values[0]), numbers[1:3], texts[3], numbers[4])
        case "clear":
            return OutputCleared()
        case "grid":
            return _parse_grid(cast(bytes, values[0]), texts[1])
        case "failure":
            return Failure(texts[0], texts[1], texts[2])
        case "written":
            return _parse_written_file(texts[0], numbers[1])
        case "hint":
            return Note(texts[0], is_hint=True)
        case _:
            return Note(texts[0])


def _parse_status(word: str) -> RunStatus:
    if word not in _RUNNER_STATUSES:
        raise ProtocolViolation("a status that a runner cannot report")
    return cast(RunStatus, word)


def _parse_text(stream: str, text: str) -> StreamText:
    if stream == "stdout" or stream == "stderr":
        return StreamText("stdout" if stream == "stdout" else "stderr", text)
    raise ProtocolViolation("a stream of no known name")


def _parse_written_file(name: str, size: int) -> WrittenFile:
    """Return a file by its name relative to the code's folder; it must stay below that folder."""
    if "\0" in name or any(part in ("", ".", "..") for part in name.split("/")):
        raise ProtocolViolation("a file outside of its folder")
    return WrittenFile(name, size)


def _parse_figure(png: bytes, size: list[int], card: str, key: int) -> Figure:
    width, height = size
    _check_picture(png, width, height)
    return Figure(png, width, height, card, key)


def _check_picture(png: bytes, width: int, height: int) -> None:
    # Only the header is looked at, no pixel is decoded: that is a large piece of C code, and a bomb
    # of 20 kB can become a gigabyte. A width of more than 32 bits cannot match any header.
    says = width.to_bytes(8, "big")[-4:] + height.to_bytes(8, "big")[-4:]
    if len(png) < _MIN_PNG_SIZE or not png.startswith(_PNG_HEADER + says):
        raise ProtocolViolation("a picture that is no PNG of the size it says")
    if not 0 < width * height <= _MAX_PIXELS:
        raise ProtocolViolation(f"a picture of {width} × {height} pixels")


def _parse_grid(png: bytes, text: str) -> GridPicture:
    """Return a figure for a grid of cells; its size follows from the pixels of the picture."""
    width, height = (int.from_bytes(png[at : at + 4], "big") for at in (16, 20))
    _check_picture(png, width, height)
    columns, columns_left = divmod(width, frame_protocol.GRID_CELL[0])
    rows, rows_left = divmod(height, frame_protocol.GRID_CELL[1])
    if columns_left or rows_left or columns > _MAX_GRID[0] or rows > _MAX_GRID[1]:
        raise ProtocolViolation(f"a grid of {width} × {height} pixels")
    lines = text.split("\n") if text else []
    if len(lines) > _MAX_LABELS:
        raise ProtocolViolation(f"a grid with {len(lines)} labels")
    return GridPicture(columns, rows, png, tuple(map(_parse_label, lines)))


def _parse_label(line: str) -> GridLabel:
    found = _LABEL.fullmatch(line)
    if found is None:
        raise ProtocolViolation("a label without its place and color")
    return GridLabel(int(found[1]), int(found[2]), found[3], found[4])
