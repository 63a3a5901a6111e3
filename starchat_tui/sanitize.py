"""Sanitizer for text that goes to a terminal, character by character.

Covered: escape sequences in both forms (ESC and C1), other control characters, text direction
overrides, zero-width and tag characters, lone surrogates. Not covered: letters that look alike.
Kept: newline, tab, and the two variation selectors that choose between text and emoji.

Each character is judged on its own: a sequence that is cut between two pieces of a stream cannot
pass, and no parser of sequences has to agree with every terminal. One exception: in prose the zero
width joiner and non-joiner are kept where writing needs them, which their neighbors decide.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

# Characters without a glyph: Unicode categories Cf, Cs, Zl and Zp, and fillers.
_INVISIBLE = (
    (0x00AD, 0x00AD),  # soft hyphen
    (0x034F, 0x034F),  # combining grapheme joiner
    (0x061C, 0x061C),  # Arabic letter mark
    (0x115F, 0x1160),  # Hangul fillers
    (0x17B4, 0x17B5),  # Khmer inherent vowels
    (0x180B, 0x180F),  # Mongolian selectors
    (0x200B, 0x200F),  # zero width, left and right marks
    (0x2028, 0x202E),  # separators, direction embedding and override
    (0x2060, 0x206F),  # word joiner, isolates, deprecated controls
    (0x3164, 0x3164),  # Hangul filler
    (0xD800, 0xDFFF),  # surrogates
    (0xFE00, 0xFE0D),  # variation selectors without a use on a screen
    (0xFEFF, 0xFEFF),  # zero width no-break space
    (0xFFA0, 0xFFA0),  # half-width Hangul filler
    (0xFFF9, 0xFFFB),  # interlinear annotation
    (0x1BCA0, 0x1BCA3),  # shorthand format controls
    (0x1D173, 0x1D17A),  # musical format controls
    (0xE0000, 0xE0FFF),  # tags, variation selectors supplement
)
# CR is one of them: a line could overwrite what it showed before.
_C0 = "\x00-\x08\x0b-\x1f"
_RANGES = "".join(f"{chr(low)}-{chr(high)}" for low, high in _INVISIBLE)
_SUSPECT = re.compile(f"[{_C0}\x7f-\x9f{_RANGES}]")

_NON_JOINER, _JOINER = "\u200c", "\u200d"
_JOINING_SCRIPTS = re.compile(
    "[\u0600-\u0dff"  # Arabic, Syriac, Thaana, N'Ko, Mandaic, the scripts of India, Sinhala
    "\u1000-\u109f\u1780-\u18af\u1a20-\u1aaf\u1b00-\u1c4f"  # Myanmar, Khmer, Mongolian, Bali
    "\ua840-\ua8df\ua980-\ua9df\uaa60-\uaa7f\ufb50-\ufdff\ufe70-\ufefc"
    "\U00010ac0-\U00010aff\U00011000-\U00011fff\U0001e900-\U0001e95f]"
)
_VIRAMA = 9
"""Canonical combining class of the marks that suppress a vowel and form conjuncts."""
_SKIN_TONES = range(0x1F3FB, 0x1F400)
_EMOJI_STYLE = "\ufe0f"
_ARROWS_OF_EMOJI = "↔"  # of the head that shakes; all other parts of emoji are symbols (So)
_PROSE_MARKS = re.compile(f"{_SUSPECT.pattern}|`+|\n")
_FENCE_LENGTH = 3


def sanitize_text(text: str) -> str:
    """Return `text` with each character that a terminal would obey, or hide, made visible.

    Carriage returns are removed.
    """
    # Most texts have none, and a search alone takes half the time.
    return _SUSPECT.sub(_make_visible, text) if _SUSPECT.search(text) else text


def sanitize_prose(text: str) -> str:
    """Return `text` sanitized, with the joiners kept that prose needs; see `ProseSanitizer`."""
    sanitizer = ProseSanitizer()
    return sanitizer.feed(text) + sanitizer.finish()


class ProseSanitizer:
    """Sanitizes Markdown that arrives in pieces, and keeps joiners that are part of the writing.

    U+200C and U+200D stay between two letters of a script that joins its letters, behind a virama,
    and U+200D between two emoji. Everywhere else, in code between backticks, and where two of them
    meet, they hide something and are made visible.
    """

    def __init__(self) -> None:
        self._before = ""
        """The last two characters that were returned: what a joiner follows."""
        self._held = ""
        """A joiner at the end, until the character that it precedes has arrived."""
        self._run = 0
        """Length of the run of backticks at the end."""
        self._opening = 0
        """Length of the run of backticks that opened the code at the end; 0 in prose."""

    def feed(self, text: str) -> str:
        """Add text and return what is certain."""
        text = self._held + text
        self._held = text[-1:] if text.endswith((_NON_JOINER, _JOINER)) else ""
        return self._sanitize(text)

    def finish(self) -> str:
        """End the text and return what was held back."""
        text, self._held = self._held, ""
        return self._sanitize(text)

    def _sanitize(self, text: str) -> str:
        whole, start = self._before + text, len(self._before)
        end = len(whole) - len(self._held)
        parts: list[str] = []
        for found in _PROSE_MARKS.finditer(whole, start, end):
            parts += whole[start : found.start()], self._replace(found)
            start = found.end()
        self._before = whole[:end][-2:]
        return "".join([*parts, whole[start:end]])

    def _replace(self, found: re.Match[str]) -> str:
        mark, whole, start = found[0], found.string, found.start()
        if mark[0] == "`":
            if whole[start - 1 : start] != "`":  # else the stream was cut inside a run
                self._end_run()
            self._run += len(mark)
            return mark
        self._end_run()
        if mark == "\n":
            # Inline code ends with its line, as far as this matters here; a fenced block does not.
            self._opening = self._opening if self._opening >= _FENCE_LENGTH else 0
            return mark
        if mark in (_NON_JOINER, _JOINER) and not self._opening and _joins(whole, start):
            return mark
        return _make_visible(found)

    def _end_run(self) -> None:
        """Open or close code by the run of backticks before."""
        if self._run and not self._opening:
            self._opening = self._run
        elif self._run == self._opening or self._run > self._opening >= _FENCE_LENGTH:
            self._opening = 0
        self._run = 0


def _joins(text: str, index: int) -> bool:
    """Return whether the joiner at `index` is part of the writing around it."""
    before, after = text[max(0, index - 2) : index], text[index + 1 : index + 2]
    if before and unicodedata.combining(before[-1]) == _VIRAMA:
        return after not in (_NON_JOINER, _JOINER)
    if _is_joining_letter(before[-1:]) and _is_joining_letter(after):
        return True
    base = before[:-1] if before.endswith(_EMOJI_STYLE) else before[-1:]
    return text[index] == _JOINER and _is_emoji(base) and _is_emoji(after)


def _is_joining_letter(character: str) -> bool:
    return (
        _JOINING_SCRIPTS.match(character) is not None and unicodedata.category(character)[0] in "LM"
    )


def _is_emoji(character: str) -> bool:
    return bool(character) and (
        unicodedata.category(character) == "So"
        or ord(character) in _SKIN_TONES
        or character in _ARROWS_OF_EMOJI
    )


def replace_surrogates(text: str) -> str:
    """Return `text` with `?` for lone surrogates, which UTF-8 cannot encode.

    They come from file names that are not UTF-8, and from escapes in the JSON of a server.
    """
    return text.encode(errors="replace").decode()


def find_hidden_characters(text: str) -> list[str]:
    """Return the code points (`U+202E`) of the characters in `text` that a user would not see."""
    return sorted({f"U+{ord(character):04X}" for character in _find_suspects(text)})


def _find_suspects(text: str) -> Iterator[str]:
    return (found[0] for found in _SUSPECT.finditer(text) if found[0] != "\r")


def _make_visible(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code == 0x0D:
        return ""
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    if code < 0xA0:
        return "\N{REPLACEMENT CHARACTER}"
    return f"<U+{code:04X}>"
