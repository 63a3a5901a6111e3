from __future__ import annotations

import unicodedata

import pytest

from starchat_tui.sanitize import clean, hidden

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


def shows(character: str) -> bool:
    """Whether a terminal shows the character itself, and obeys nothing."""
    return character in "\n\t" or unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl")


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_nothing_a_terminal_would_obey_is_left(payload: str) -> None:
    cleaned = clean(payload)
    assert all(map(shows, cleaned)), ascii(cleaned)
    assert clean(cleaned) == cleaned


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_no_cut_carries_a_sequence_through(payload: str) -> None:
    for cut in range(len(payload) + 1):
        assert clean(payload[:cut]) + clean(payload[cut:]) == clean(payload)


def test_every_character_is_judged() -> None:
    left = [chr(code) for code in range(0x110000) if not all(map(shows, clean(chr(code))))]
    named = {unicodedata.name(character, "?") for character in left}
    assert {name.split()[0] for name in named} <= {"ARABIC", "SYRIAC", "KAITHI", "EGYPTIAN"}, named


@pytest.mark.parametrize(
    "text", ["", "plain\n\ttext", "漢字 ½ é e\u0301", "👍 ❤\ufe0f 1\ufe0f\u20e3"]
)
def test_what_a_reader_sees_stays_as_it_is(text: str) -> None:
    assert clean(text) == text


def test_each_kind_is_shown_in_its_own_way() -> None:
    assert clean("\x1b[1m") == "␛[1m"
    assert clean("\x7f\x9b") == "␡\N{REPLACEMENT CHARACTER}"
    assert clean("a\r\nb\rc") == "a\nbc"
    assert clean("\u202e\U000e0041") == "<U+202E><U+E0041>"


def test_hidden_characters_are_named() -> None:
    assert hidden("def f():\r\n\treturn 1\n") == []
    assert hidden("a\u202eb\u200bc\u202e") == ["U+200B", "U+202E"]
