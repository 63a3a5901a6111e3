"""Sanitizer: nothing passes that a terminal would obey, or hide from the user."""

from __future__ import annotations

import unicodedata

import pytest

from starchat_tui.sanitize import (
    ProseSanitizer,
    find_hidden_characters,
    sanitize_prose,
    sanitize_text,
)

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


ZWJ, ZWNJ = "\u200d", "\u200c"
LEGITIMATE_JOINERS = {
    "family": f"\U0001f469{ZWJ}\U0001f469{ZWJ}\U0001f467",
    "skin tone": f"\U0001f469\U0001f3fd{ZWJ}\U0001f4bb",
    "heart on fire": f"\u2764\ufe0f{ZWJ}\U0001f525",
    "rainbow flag": f"\U0001f3f3\ufe0f{ZWJ}\U0001f308",
    "man running": f"\U0001f3c3{ZWJ}\u2642\ufe0f",
    "shaking head": f"\U0001f642{ZWJ}\u2194\ufe0f",
    "Persian": f"\u0645\u06cc{ZWNJ}\u062e\u0648\u0627\u0647\u0645",
    "Hindi": f"\u0915\u094d{ZWJ}\u0937 \u0915\u094d{ZWNJ}\u0937",
    "Sinhala": f"\u0d9a\u0dca{ZWJ}\u0dbb",
    "Malayalam, at the end of a word": f"\u0d05\u0d35\u0d28\u0d4d{ZWJ} \u0d28\u0d4d{ZWJ}",
    "Bengali": f"\u09b0{ZWJ}\u09cd\u09af",
}
HIDDEN_JOINERS = {
    "Latin": f"pass{ZWJ}word",
    "alone": f"a {ZWNJ} b",
    "at the start": f"{ZWJ}\u0645",
    "at the end": f"\u0645{ZWNJ}",
    "repeated": f"\u0645{ZWNJ}{ZWNJ}\u062e",
    "repeated behind a virama": f"\u0915\u094d{ZWJ}{ZWJ}\u0937",
    "between emoji, not joining": f"\U0001f469{ZWNJ}\U0001f469",
    "emoji and letter": f"\U0001f469{ZWJ}a",
    "digits": f"1{ZWJ}2",
    "Latin and Persian": f"a{ZWNJ}\u0645",
    "inline code": f"`\u0645{ZWNJ}\u062e`",
    "inline code, twice": f"``\u0645{ZWNJ}\u062e``",
    "fenced code": f"```\n\u0645{ZWNJ}\u062e\n```",
}


@pytest.mark.parametrize("text", LEGITIMATE_JOINERS.values(), ids=LEGITIMATE_JOINERS)
def test_joiners_of_the_writing_are_kept_in_prose_alone(text: str) -> None:
    assert sanitize_prose(text) == text
    assert ZWJ not in sanitize_text(text)
    assert ZWNJ not in sanitize_text(text)


@pytest.mark.parametrize("text", HIDDEN_JOINERS.values(), ids=HIDDEN_JOINERS)
def test_joiners_that_hide_something_are_visible_in_prose(text: str) -> None:
    assert sanitize_prose(text) == text.replace(ZWJ, "<U+200D>").replace(ZWNJ, "<U+200C>")


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_prose_lets_no_other_character_through(payload: str) -> None:
    assert sanitize_prose(payload) == sanitize_text(payload)
    mixed = f"\u0645{payload}\u062e \U0001f469{payload}\U0001f469"
    cleaned = sanitize_prose(mixed)
    assert all(is_shown(one) for one in cleaned), ascii(cleaned)


@pytest.mark.parametrize(
    "text", [*LEGITIMATE_JOINERS.values(), *HIDDEN_JOINERS.values(), *PAYLOADS.values()]
)
def test_prose_is_sanitized_the_same_however_it_is_cut(text: str) -> None:
    text = f"x {text} `{text}` {text}"
    for step in (1, 2, 3):
        sanitizer = ProseSanitizer()
        pieces = [sanitizer.feed(text[at : at + step]) for at in range(0, len(text), step)]
        assert "".join([*pieces, sanitizer.finish()]) == sanitize_prose(text)


def test_code_ends_where_its_backticks_do() -> None:
    word = f"\u0645{ZWNJ}\u062e"
    shown = word.replace(ZWNJ, "<U+200C>")
    assert sanitize_prose(f"`{word}` {word}") == f"`{shown}` {word}"
    assert sanitize_prose(f"``{word}` {word}``{word}") == f"``{shown}` {shown}``{word}"
    assert sanitize_prose(f"`{word}\n{word}") == f"`{shown}\n{word}"
    assert sanitize_prose(f"```\n{word}\n```\n{word}") == f"```\n{shown}\n```\n{word}"
