"""Sanitizer: nothing passes that a terminal would obey, or hide from the user."""

from __future__ import annotations

import unicodedata

import pytest

from starchat_tui.sanitize import find_hidden_characters, sanitize_text

PAYLOADS = {
    "clipboard": "\x1b]52;c;aGk=\x07",
    "clipboard, C1": "\x9d52;c;aGk=\x9c",
    "link": "\x1b]8;;https://evil.example\x1b\\here\x1b]8;;\x1b\\",
    "title": "\x1b]0;root#\x07",
    "clear": "\x1b[2J\x1b[H",
    "report": "\x1b[6n",
    "reset": "\x1bc",
    "device string": "\x1bP+q544e\x1b\\",
    "program command": "\x1b_Gi=1\x1b\\",
    "C1 control sequence": "\x9b31m",
    "alternate screen off": "\x1b[?1049l",
    "mouse off": "\x1b[?1003l",
    "bell and backspace": "a\x07\b\bb",
    "delete": "\x7f",
    "nul": "\x00",
    "overwrite": "good\rbad",
    "vertical": "\x0b\x0c",
    "direction override": "\u202egnp.exe",
    "isolate": "\u2066a\u2069",
    "zero width": "a\u200bb\u200dc\u2060d\ufeffe",
    "tags": "".join(chr(0xE0000 + ord(letter)) for letter in "hidden"),
    "variation bytes": "\U000e0100\ufe00",
    "separators": "\u2028\u2029",
    "surrogate": "\ud800",
    "soft hyphen and filler": "\u00ad\u3164",
}


def is_shown(character: str) -> bool:
    """Return whether a terminal shows the character itself instead of obeying or hiding it."""
    return character in "\n\t" or unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl")


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_no_control_sequence_is_left(payload: str) -> None:
    cleaned = sanitize_text(payload)
    assert all(map(is_shown, cleaned)), ascii(cleaned)
    assert sanitize_text(cleaned) == cleaned


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_a_cut_in_a_stream_lets_no_sequence_through(payload: str) -> None:
    for cut in range(len(payload) + 1):
        assert sanitize_text(payload[:cut]) + sanitize_text(payload[cut:]) == sanitize_text(payload)


def test_only_joining_marks_of_a_few_scripts_are_left() -> None:
    left = [
        chr(code) for code in range(0x110000) if not all(map(is_shown, sanitize_text(chr(code))))
    ]
    named = {unicodedata.name(character, "?") for character in left}
    assert {name.split()[0] for name in named} <= {"ARABIC", "SYRIAC", "KAITHI", "EGYPTIAN"}, named


@pytest.mark.parametrize(
    "text", ["", "plain\n\ttext", "漢字 ½ é e\u0301", "👍 ❤\ufe0f 1\ufe0f\u20e3"]
)
def test_visible_text_is_unchanged(text: str) -> None:
    assert sanitize_text(text) == text


def test_each_kind_has_its_own_replacement() -> None:
    assert sanitize_text("\x1b[1m") == "␛[1m"
    assert sanitize_text("\x7f\x9b") == "␡\N{REPLACEMENT CHARACTER}"
    assert sanitize_text("a\r\nb\rc") == "a\nbc"
    assert sanitize_text("\u202e\U000e0041") == "<U+202E><U+E0041>"


def test_hidden_characters_are_listed_by_code_point() -> None:
    assert find_hidden_characters("def f():\r\n\treturn 1\n") == []
    assert find_hidden_characters("a\u202eb\u200bc\u202e") == ["U+200B", "U+202E"]
