"""The language of the two pipes between the kernel and its runner.

    frame = kind (1 byte), size of what follows (4 bytes, big endian), fields
    field = size (4 bytes, big endian), that many bytes

A kind fixes the number, the types and the greatest sizes of its fields. So there is nothing to
nest, no number longer than its field, and a frame that is too large is known by its first five
bytes. Text is UTF-8, a number is decimal digits. Both sides import this module; only the host has
reason to distrust what it reads, and reads it through `sandbox/frames.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Value = str | bytes | int

KIB, MIB = 2**10, 2**20
HEADER = 5
"""Bytes of a kind and a size."""
SIZE = 4
"""Bytes of the size of a field."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field: its type, and the most bytes it may have."""

    type: Literal["text", "bytes", "number"]
    most: int


TEXT = Field("text", 64 * KIB)
"""The largest piece of a stream; a longer one is cut into several."""
NAME = Field("text", KIB)
STATUS = Field("text", 32)
NUMBER = Field("number", 12)
RESULT = Field("text", MIB)
CARD = Field("text", 64 * KIB)
PNG = Field("bytes", 16 * MIB)
CHUNK = Field("bytes", MIB)

KINDS: dict[bytes, tuple[str, tuple[Field, ...]]] = {
    # What the runner says.
    b"R": ("ready", ()),
    b"B": ("begun", (NUMBER,)),
    b"T": ("text", (STATUS, TEXT)),
    b"V": ("result", (RESULT,)),
    b"F": ("figure", (PNG, NUMBER, NUMBER, CARD)),
    b"X": ("failure", (Field("text", 256), Field("text", 16 * KIB), Field("text", 256 * KIB))),
    b"W": ("written", (NAME, NUMBER)),
    b"N": ("note", (Field("text", 4 * KIB),)),
    b"D": ("done", (STATUS,)),
    b"C": ("chunk", (CHUNK,)),
    b"S": ("served", (Field("text", KIB),)),
    # What the kernel asks.
    b"r": ("run", (NUMBER, Field("text", 4 * MIB))),
    b"f": ("fetch", (NAME,)),
    b"o": ("open", (NAME,)),
    b"p": ("put", (CHUNK,)),
    b"c": ("close", ()),
}
LETTERS = {name: kind for kind, (name, _) in KINDS.items()}


def largest(kind: bytes) -> int:
    """The most bytes that may follow the header of a frame of this kind."""
    return sum(SIZE + field.most for field in KINDS[kind][1])


def pack(name: str, *values: Value) -> bytes:
    """A frame of the kind called `name`; text that is too long for its field is cut."""
    fields = KINDS[LETTERS[name]][1]
    if len(fields) != len(values):
        raise ValueError(f"`{name}` has {len(fields)} fields, not {len(values)}")
    body = b"".join(map(_packed, fields, values))
    return LETTERS[name] + len(body).to_bytes(SIZE, "big") + body


def _packed(field: Field, value: Value) -> bytes:
    raw = value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")
    if len(raw) > field.most:
        if field.type != "text":
            raise ValueError(f"{len(raw)} bytes in a field of at most {field.most}")
        raw = raw[: field.most].decode("utf-8", "ignore").encode()
    return len(raw).to_bytes(SIZE, "big") + raw


def unpack(kind: bytes, body: bytes) -> list[Value]:
    """The values of a frame; raises `ValueError` where they are not exactly what its kind has."""
    values: list[Value] = []
    view, at = memoryview(body), 0
    for field in KINDS[kind][1]:
        size = int.from_bytes(view[at : at + SIZE], "big")
        raw = view[at + SIZE : at + SIZE + size]
        if at + SIZE > len(body) or len(raw) != size or size > field.most:
            raise ValueError("a field does not fit its frame")
        values.append(_value(field, bytes(raw)))
        at += SIZE + size
    if at != len(body):
        raise ValueError("bytes after the last field")
    return values


def _value(field: Field, raw: bytes) -> Value:
    if field.type == "bytes":
        return raw
    if field.type == "text":
        return raw.decode("utf-8")
    if not (raw.isdigit() and raw.isascii()) or (raw[:1] == b"0" and raw != b"0"):
        raise ValueError("a number that is none")
    return int(raw)
