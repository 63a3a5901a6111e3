"""Binary protocol of the two pipes between the kernel and its runner.

    frame = kind (1 byte), length of the body (4 bytes, big-endian), fields
    field = length (4 bytes, big-endian), that many bytes

The kind fixes the number, the types and the maximum sizes of the fields. So nothing nests, no
number is longer than its field allows, and a frame that is too large is recognized by its first
five bytes. Text is UTF-8; a number is decimal digits without leading zeros.

The last number of a result or a figure is its key: a later output of the same key replaces it,
unless the key is 0. `clear` removes the texts, results and figures that the run has sent so far.

Both sides import this module. Only the host has reason to distrust what it reads; it reads frames
through `sandbox/host/frames.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Value = str | bytes | int

KIB, MIB = 2**10, 2**20
HEADER_SIZE = 5
"""Bytes of a kind and the length of the body."""
LENGTH_SIZE = 4
"""Bytes of a length."""


@dataclass(frozen=True, slots=True)
class Field:
    """Type of a field, and its maximum size in bytes."""

    type: Literal["text", "bytes", "number"]
    max_size: int


TEXT = Field("text", 64 * KIB)
"""Piece of a stream; longer output is sent in several pieces."""
NAME = Field("text", KIB)
STATUS = Field("text", 32)
NUMBER = Field("number", 12)
RESULT = Field("text", MIB)
DESCRIPTION = Field("text", 64 * KIB)
"""Text description of a figure."""
REMARK = Field("text", 2 * KIB)
"""Sentence about the run."""
PNG = Field("bytes", 16 * MIB)
GRID_PNG = Field("bytes", MIB)
"""Figure without its texts, drawn for a grid of cells."""
GRID_LABELS = Field("text", 64 * KIB)
"""Texts of that figure, one a line: row, column, color (six hexadecimal digits) and text."""
GRID_CELL = (4, 8)
"""Width and height of a cell in the pixels of that PNG."""
CHUNK = Field("bytes", MIB)
"""Piece of a file."""

FRAME_KINDS: dict[bytes, tuple[str, tuple[Field, ...]]] = {
    # From the runner, in capitals.
    b"R": ("ready", ()),
    b"B": ("begun", (NUMBER,)),
    b"T": ("text", (STATUS, TEXT)),
    b"V": ("result", (RESULT, NUMBER)),
    b"F": ("figure", (PNG, NUMBER, NUMBER, DESCRIPTION, NUMBER)),
    # Belongs to the next figure.
    b"G": ("grid", (GRID_PNG, GRID_LABELS)),
    b"K": ("clear", ()),
    b"X": ("failure", (Field("text", 256), Field("text", 16 * KIB), Field("text", 256 * KIB))),
    b"W": ("written", (NAME, NUMBER)),
    b"N": ("note", (REMARK,)),
    b"H": ("hint", (REMARK,)),
    b"D": ("done", (STATUS,)),
    b"C": ("chunk", (CHUNK,)),
    b"S": ("served", (Field("text", KIB),)),
    # From the kernel.
    # The last field: sizes for which figures are drawn besides, as `grid_rendering` parses them.
    b"r": ("run", (NUMBER, Field("text", 4 * MIB), Field("text", 256))),
    b"f": ("fetch", (NAME,)),
    b"o": ("open", (NAME,)),
    b"p": ("put", (CHUNK,)),
    b"c": ("close", ()),
}
"""Name and fields of every kind of frame."""
KIND_BY_NAME = {name: kind for kind, (name, _) in FRAME_KINDS.items()}


def max_body_size(kind: bytes) -> int:
    """Return the maximum number of bytes after the header of a frame of this kind."""
    return sum(LENGTH_SIZE + field.max_size for field in FRAME_KINDS[kind][1])


def pack_frame(name: str, *values: Value) -> bytes:
    """Encode a frame of the kind called `name`; text that is too long for its field is cut.

    Raises `ValueError` for a wrong number of values, or bytes that do not fit their field.
    """
    kind = KIND_BY_NAME[name]
    fields = FRAME_KINDS[kind][1]
    if len(fields) != len(values):
        raise ValueError(f"`{name}` has {len(fields)} fields, not {len(values)}")
    body = b"".join(map(_pack_field, fields, values))
    return kind + len(body).to_bytes(LENGTH_SIZE, "big") + body


def _pack_field(field: Field, value: Value) -> bytes:
    # "replace": a lone surrogate in the code's output has no UTF-8 encoding.
    raw = value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")
    if len(raw) > field.max_size:
        if field.type != "text":
            raise ValueError(f"{len(raw)} bytes in a field of at most {field.max_size}")
        # "ignore" drops the character that the cut went through.
        raw = raw[: field.max_size].decode("utf-8", "ignore").encode()
    return len(raw).to_bytes(LENGTH_SIZE, "big") + raw


def unpack_frame(kind: bytes, body: bytes) -> list[Value]:
    """Decode the body of a frame.

    Raises `ValueError` unless the body is exactly what a frame of this kind contains.
    """
    values: list[Value] = []
    view, start = memoryview(body), 0
    for field in FRAME_KINDS[kind][1]:
        size = int.from_bytes(view[start : start + LENGTH_SIZE], "big")
        raw = view[start + LENGTH_SIZE : start + LENGTH_SIZE + size]
        # A slice past the end is shorter, not an error: lengths have to be compared.
        if start + LENGTH_SIZE > len(body) or len(raw) != size or size > field.max_size:
            raise ValueError("a field does not fit its frame")
        values.append(_parse_value(field, bytes(raw)))
        start += LENGTH_SIZE + size
    if start != len(body):
        raise ValueError("bytes after the last field")
    return values


def _parse_value(field: Field, raw: bytes) -> Value:
    if field.type == "bytes":
        return raw
    if field.type == "text":
        return raw.decode("utf-8")
    # `int` alone would take signs, spaces and underscores.
    if not raw.isdigit() or (raw[:1] == b"0" and raw != b"0"):
        raise ValueError("a number that is not in plain decimal digits")
    return int(raw)
