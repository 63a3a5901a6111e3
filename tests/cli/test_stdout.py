"""Output for a terminal and for a pipe."""

from __future__ import annotations

import io
import json
import sys

import pytest

from starchat_tui.cli.stdout import escape_json_for_stdout, sanitize_for_stdout


class Stream(io.StringIO):
    """A stdout that is a terminal, or is not."""

    def __init__(self, *, tty: bool) -> None:
        super().__init__()
        self._tty = tty

    def isatty(self) -> bool:
        return self._tty


HOSTILE = "a\x1b[2Jb\u202e"


def test_text_is_sanitized_for_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Stream(tty=False))
    assert sanitize_for_stdout(HOSTILE) == HOSTILE
    monkeypatch.setattr(sys, "stdout", Stream(tty=True))
    assert "\x1b" not in sanitize_for_stdout(HOSTILE)
    assert "\u202e" not in sanitize_for_stdout(HOSTILE)


def test_json_keeps_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    document = json.dumps({"text": HOSTILE}, ensure_ascii=False)
    monkeypatch.setattr(sys, "stdout", Stream(tty=False))
    assert escape_json_for_stdout(document) == document
    monkeypatch.setattr(sys, "stdout", Stream(tty=True))
    escaped = escape_json_for_stdout(document)
    assert escaped.isascii()
    assert json.loads(escaped) == {"text": HOSTILE}
