"""What was typed: the lines that were sent, to walk back through, and the draft that was not."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

KEPT = 1000
"""Lines that are remembered."""


class InputHistory:
    """Lines that were sent, oldest first; a walk keeps to those that begin like the draft."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._entries = _read(path)[-KEPT:] if path is not None else []
        self._at = len(self._entries)
        self._draft: str | None = None
        """What stood in the composer when the walk began; None outside a walk."""

    @property
    def entries(self) -> tuple[str, ...]:
        """The lines, oldest first."""
        return tuple(self._entries)

    def add(self, text: str) -> None:
        """Remember a line, also for the next time; the same one twice running counts once."""
        self.leave()
        if not text.strip() or self._entries[-1:] == [text]:
            return
        self._entries.append(text)
        self.leave()
        if self._path is not None:
            with suppress(OSError):  # a full disk must not cost the question
                _write(self._path, os.O_APPEND, json.dumps({"text": text}) + "\n")

    def back(self, current: str) -> str | None:
        """The next older line that begins with the draft; None where there is none."""
        if self._draft is None:
            self._draft = current
        for index in range(self._at - 1, -1, -1):
            if self._fits(index, current):
                self._at = index
                return self._entries[index]
        return None

    def forward(self, current: str) -> str | None:
        """The next newer line, the draft after the newest; None outside a walk."""
        if self._draft is None:
            return None
        for index in range(self._at + 1, len(self._entries)):
            if self._fits(index, current):
                self._at = index
                return self._entries[index]
        draft = self._draft
        self.leave()
        return draft

    def leave(self) -> None:
        """End the walk: the text was changed, or sent."""
        self._at, self._draft = len(self._entries), None

    def _fits(self, index: int, current: str) -> bool:
        entry = self._entries[index]
        return entry != current and entry.startswith(self._draft or "")


class Draft:
    """The text in the composer, kept while nothing runs; a path of None keeps nothing.

    There is one file for all chats: the one that wrote last is in it.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._kept = b""
        """What was read, or written last."""

    def read(self) -> str:
        """The draft that was left behind."""
        self._kept = self._there()
        with suppress(UnicodeDecodeError):
            return self._kept.decode()
        return ""

    def keep(self, text: str) -> None:
        """Write it where the file holds something else; an empty one leaves no file of ours."""
        if self._path is None:
            return
        there = self._there()
        own, self._kept = self._kept, text.encode(errors="replace")
        with suppress(OSError):
            if text.strip():
                if there != self._kept:
                    _write(self._path, os.O_TRUNC, text)
            elif own and there == own:
                self._path.unlink(missing_ok=True)

    def _there(self) -> bytes:
        with suppress(OSError):
            return self._path.read_bytes() if self._path else b""
        return b""


def _read(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    return [text for line in lines if (text := _text(line))]


def _text(line: str) -> str:
    """The text of one line of the file; empty where the line is damaged."""
    try:
        found = json.loads(line)
    except ValueError:
        return ""
    text = found.get("text") if isinstance(found, dict) else None
    return text if isinstance(text, str) else ""


def _write(path: Path, how: int, text: str) -> None:
    """Write `text` to a file that nobody else reads; `how` is O_APPEND or O_TRUNC."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | how, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
        file.write(text)
