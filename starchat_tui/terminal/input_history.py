"""Prompts that were sent, to browse and recall, and the draft that was not."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

from starchat_tui.config.json_file import parse_json

MAX_ENTRIES = 1000
"""Prompts that are loaded."""


class InputHistory:
    """Prompts that were sent; browsing visits those that start with the draft."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._entries = _read_entries(path)[-MAX_ENTRIES:] if path is not None else []
        self._index = len(self._entries)
        self._draft: str | None = None
        """The text in the composer when browsing began; None while not browsing."""

    @property
    def entries(self) -> tuple[str, ...]:
        """The prompts, oldest first."""
        return tuple(self._entries)

    def add(self, text: str) -> None:
        """Add a prompt, also to the file, unless it repeats the last one."""
        self.stop_browsing()
        if not text.strip() or self._entries[-1:] == [text]:
            return
        self._entries.append(text)
        self.stop_browsing()
        if self._path is not None:
            # Appended in one write: several chats share the file.
            with suppress(OSError):  # a full disk must not lose the question
                _write_private(self._path, os.O_APPEND, json.dumps({"text": text}) + "\n")

    def find_older(self, current: str) -> str | None:
        """Return the next older prompt that starts with the draft; None if there is none."""
        if self._draft is None:
            self._draft = current
        for index in range(self._index - 1, -1, -1):
            if self._matches(index, current):
                self._index = index
                return self._entries[index]
        return None

    def find_newer(self, current: str) -> str | None:
        """Return the next newer prompt, or the draft after the newest; None while not browsing."""
        if self._draft is None:
            return None
        for index in range(self._index + 1, len(self._entries)):
            if self._matches(index, current):
                self._index = index
                return self._entries[index]
        draft = self._draft
        self.stop_browsing()
        return draft

    def stop_browsing(self) -> None:
        """Stop browsing: the text was edited or sent."""
        self._index, self._draft = len(self._entries), None

    def _matches(self, index: int, current: str) -> bool:
        entry = self._entries[index]
        return entry != current and entry.startswith(self._draft or "")


class Draft:
    """The text in the composer, saved to a file; a path of None saves nothing.

    All chats share one file: it holds the draft of the one that saved last.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._last_content = b""
        """The content that was read or written last."""

    def read(self) -> str:
        """Return the saved draft."""
        self._last_content = self._read_file()
        with suppress(UnicodeDecodeError):
            return self._last_content.decode()
        return ""

    def save(self, text: str) -> None:
        """Write the draft if the file differs; remove the file if the draft is empty."""
        if self._path is None:
            return
        there = self._read_file()
        own, self._last_content = self._last_content, text.encode(errors="replace")
        with suppress(OSError):
            if text.strip():
                if there != self._last_content:
                    # Replaced, not overwritten: a process may be killed after it emptied a file.
                    fresh = self._path.with_suffix(f".{os.getpid()}")
                    _write_private(fresh, os.O_TRUNC, text)
                    fresh.replace(self._path)
            # Only a file that this chat wrote or read: another one may have saved its own since.
            elif own and there == own:
                self._path.unlink(missing_ok=True)

    def _read_file(self) -> bytes:
        with suppress(OSError):
            return self._path.read_bytes() if self._path else b""
        return b""


def _read_entries(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    return [text for line in lines if (text := _parse_entry(line))]


def _parse_entry(line: str) -> str:
    """Return the text of one line of the file; empty if the line is damaged."""
    try:
        found = parse_json(line)
    except ValueError:
        return ""
    text = found.get("text") if isinstance(found, dict) else None
    return text if isinstance(text, str) else ""


def _write_private(path: Path, flag: int, text: str) -> None:
    """Write `text` to a file that no other user can read; `flag` is O_APPEND or O_TRUNC."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | flag, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
        file.write(text)
