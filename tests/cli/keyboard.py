"""Keys for prompt_toolkit, typed line by line."""

from __future__ import annotations

import re
from collections import deque

from prompt_toolkit.input import PipeInput
from prompt_toolkit.key_binding import KeyPress


class Keyboard:
    """Typist whose next line is typed once the line before has been read.

    Lines that come at once are a paste.
    """

    def __init__(self, pipe: PipeInput) -> None:
        self._pipe = pipe
        self._lines = deque[str]()
        self._read_keys = pipe.read_keys
        pipe.read_keys = self._read_line  # type: ignore[method-assign]

    def send_text(self, text: str) -> None:
        """Type `text`, in which each Enter ends a line."""
        self._lines.extend(re.findall(r"[^\r]*\r|[^\r]+", text))
        self._type_line()

    def _read_line(self) -> list[KeyPress]:
        keys = self._read_keys()
        self._type_line()
        return keys

    def _type_line(self) -> None:
        if self._lines:
            self._pipe.send_text(self._lines.popleft())
