"""Bytes from a terminal, divided into keys and pastes, whatever arrives.

Sequences are those of xterm (https://invisible-island.net/xterm/ctlseqs/ctlseqs.html). Bytes that
are not UTF-8 become U+FFFD: a Latin-1 paste, an 8-bit Meta key. Dropped are mouse reports in the
protocol of X10 (ESC [ M and three bytes of any value), because the chat uses that of SGR, and
strings such as OSC and DCS, which answer questions that it does not ask.
"""

from __future__ import annotations

import re
from codecs import getincrementaldecoder
from dataclasses import dataclass

PASTE_START, PASTE_END = b"\x1b[200~", b"\x1b[201~"
BURST_CHARACTERS = 32
"""Characters in one read that nobody types: a paste from a terminal without bracketed paste."""
_X10_MOUSE = b"\x1b[M"
_X10_BYTES = 6
_MAX_SEQUENCE = 32
"""Bytes of the longest sequence of a key, a mouse report or a terminal report."""
_SEQUENCE = re.compile(
    rb"\x1b(?:"
    rb"\[[0-?]*[ -/]*[@-~]"  # CSI: parameters, intermediates, final byte
    rb"|O[ -~]"  # SS3
    rb"|(?:[\xc2-\xf4][\x80-\xbf]+|[^\[\]OPX^_\x1b])"  # Alt and a character
    rb")"
)
_STRING = re.compile(rb"\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)")
"""OSC, DCS, SOS, PM or APC, up to BEL or ST."""
_INCOMPLETE = re.compile(rb"\x1b(?:|O|\[[ -?]{0,64}|[\]PX^_][^\x07\x1b]{0,4096}\x1b?)\Z")
_KEYS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]+|[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]+")
"""A run of control characters, or of text with tabs and line breaks."""
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_LINE_BREAK_BEFORE_TEXT = re.compile(r"[\r\n][^\r\n]")


@dataclass(frozen=True, slots=True)
class Keys:
    """Characters and escape sequences of keys, mouse and terminal reports."""

    text: str


@dataclass(frozen=True, slots=True)
class Paste:
    """Text that was pasted, with line feeds between its lines."""

    text: str


class InputDecoder:
    """Divides a stream of bytes, however it is cut into reads."""

    def __init__(self) -> None:
        self._pending = b""
        """Bytes of a sequence, or of a paste, that is not complete."""
        self._is_pasting = False
        self._decode = getincrementaldecoder("utf-8")(errors="replace").decode

    @property
    def is_pasting(self) -> bool:
        """True between the beginning and the end of a bracketed paste."""
        return self._is_pasting

    @property
    def has_pending(self) -> bool:
        """True while a sequence or a paste is not complete."""
        return bool(self._pending) or self._is_pasting

    def feed(self, data: bytes) -> list[Keys | Paste]:
        """Return what the bytes complete, in order."""
        found: list[Keys | Paste] = []
        data, self._pending = self._pending + data, b""
        # Positions, not slices: to copy the rest after each of 100,000 keys would take minutes.
        position = 0
        while position < len(data):
            take = self._take_paste if self._is_pasting else self._take
            position = take(data, position, found)
        return found

    def flush(self) -> list[Keys | Paste]:
        """Return what is pending after a silence; the rest of its sequence will not come."""
        data, self._pending = self._pending, b""
        if self._is_pasting:
            self._is_pasting = False
            return [_create_paste(data)] if data else []
        # The beginning of a mouse report or of a CSI; two bytes are Alt and a key.
        if not data or (data.startswith(b"\x1b[") and len(data) > 2):
            return []
        return [Keys(_decode(data[:2])), *_divide_text(_decode(data[2:]))]

    def _take_paste(self, data: bytes, start: int, found: list[Keys | Paste]) -> int:
        """Take the paste up to its end, or keep all of it; return the position behind it."""
        end = data.find(PASTE_END, start)
        if end < 0:
            self._pending = data[start:]
            return len(data)
        self._is_pasting = False
        found.append(_create_paste(data[start:end]))
        return end + len(PASTE_END)

    def _take(self, data: bytes, start: int, found: list[Keys | Paste]) -> int:
        """Take the text before an escape sequence, or the sequence; return the position behind."""
        escape = data.find(b"\x1b", start)
        end = len(data) if escape < 0 else escape
        if end > start:
            decoded = self._decode(data[start:end])
            # The end of a paste that began before somebody looked.
            is_pasted = data.startswith(PASTE_END, end)
            found.extend([_create_paste(decoded)] if is_pasted else _divide_text(decoded))
            return end
        if data.startswith(PASTE_END, start):
            return start + len(PASTE_END)
        if data.startswith(PASTE_START, start):
            self._is_pasting = True
            return start + len(PASTE_START)
        if data.startswith(_X10_MOUSE, start):
            # The three bytes are numbers, not text: they may be control characters or no UTF-8.
            if len(data) < start + _X10_BYTES:
                self._pending = data[start:]
            return start + _X10_BYTES
        if string := _STRING.match(data, start):
            return string.end()
        if _INCOMPLETE.match(data, start):
            self._pending = data[start:]
            return len(data)
        if sequence := _SEQUENCE.match(data, start):
            if sequence.end() - start <= _MAX_SEQUENCE:
                found.append(Keys(_decode(sequence[0])))
            return sequence.end()
        # The Escape key, or Alt and a key that begins a string whose end never came.
        size = 1 if data.startswith(b"\x1b", start + 1) else 2
        found.append(Keys(_decode(data[start : start + size])))
        return start + size


def is_burst(data: bytes) -> bool:
    """Return whether more of the same paste may follow at once: nobody types that fast."""
    return len(data) >= BURST_CHARACTERS or (len(data) > 2 and data.endswith((b"\r", b"\n")))


def decode_typed_ahead(data: bytes) -> str:
    """Return the text in bytes that arrived before the screen was there, without key sequences."""
    decoder = InputDecoder()
    found = [*decoder.feed(data), *decoder.flush()]
    texts = (part.text for part in found if isinstance(part, Paste) or "\x1b" not in part.text)
    text = "".join(texts).replace("\r\n", "\n").replace("\r", "\n")
    # An Enter key that came before the screen cannot have been meant for the draft.
    return "".join(one for one in text if one.isprintable() or one in "\n\t").rstrip("\n")


def _divide_text(text: str) -> list[Keys | Paste]:
    """Return text as keys, or as a paste where nobody can have typed it."""
    found: list[Keys | Paste] = []
    for run in _KEYS.findall(text):
        typed = run.rstrip("\r\n")
        is_multiline = _LINE_BREAK_BEFORE_TEXT.search(run) is not None and bool(typed.strip())
        if is_multiline:
            found.append(_create_paste(run))
        elif len(typed) >= BURST_CHARACTERS and not _CONTROLS.match(typed):
            # A line break at its end is a key: programs that type send a line and Enter.
            found.extend((_create_paste(typed), Keys(run[len(typed) :])))
        else:
            found.append(Keys(run))
    return [part for part in found if part.text]


def _create_paste(data: bytes | str) -> Paste:
    text = _decode(data) if isinstance(data, bytes) else data
    # Terminals send a carriage return for each line break; NUL is no text at all.
    return Paste(text.replace("\x00", "").replace("\r\n", "\n").replace("\r", "\n"))


def _decode(data: bytes) -> str:
    return data.decode("utf-8", "replace")
