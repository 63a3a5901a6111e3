"""Text of files and pipes that the user names: bounded, and decoded as the text itself declares."""

from __future__ import annotations

import codecs
import io
import tokenize
from pathlib import Path
from typing import BinaryIO

from starchat_tui.errors import UsageError

MAX_TEXT_BYTES = 2**24
"""Bytes of text that are read; no context window of today holds as much."""
_MARKS = (
    # UTF-32 first: its mark begins with that of UTF-16.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)


def read_text(source: Path | BinaryIO, name: str, *, limit: int = MAX_TEXT_BYTES) -> str:
    """Return the text of a file or stream.

    Args:
        source: Path, or an open stream such as standard input.
        name: Name for errors.
        limit: Bytes that may be read.

    Raises `UsageError` if it cannot be read, is larger, or is no text.
    """
    try:
        if isinstance(source, Path):
            with source.open("rb") as file:
                data = _read_bounded(file, limit)
        else:
            data = _read_bounded(source, limit)
    # ValueError: a name with a NUL.
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{name} cannot be read ({reason})", "name a text file") from error
    if len(data) > limit:
        raise UsageError(
            f"{name} is larger than {limit // 2**20 or 1} MiB", "give the part that matters"
        )
    # As Python reads text: Windows ends its lines with two characters.
    return decode_text(data, name).replace("\r\n", "\n").replace("\r", "\n")


def _read_bounded(file: BinaryIO, limit: int) -> bytes:
    """Return at most `limit` bytes, and one more if there are any: /dev/zero has no end."""
    return file.read(limit + 1)


def decode_text(data: bytes, name: str) -> str:
    """Return the text that bytes stand for.

    The encoding is that of a byte order mark, else that of a declaration in the first two lines as
    Python has it (PEP 263), else UTF-8. Raises `UsageError` for bytes that are no such text.
    """
    encoding = next((found for mark, found in _MARKS if data.startswith(mark)), "")
    try:
        return data.decode(encoding or _read_declaration(data))
    except (UnicodeDecodeError, LookupError) as error:
        raise UsageError(
            f"{name} is not text in UTF-8", "convert it: `iconv -f ENCODING -t UTF-8`"
        ) from error


def _read_declaration(data: bytes) -> str:
    """Return the encoding that the first lines declare; UTF-8 if they declare none."""
    try:
        return tokenize.detect_encoding(io.BytesIO(data[:1000]).readline)[0]
    # It declares one that Python does not know, or is no text at all.
    except SyntaxError:
        return "utf-8"
