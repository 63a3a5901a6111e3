"""Sanitizer for text that goes to a terminal, character by character.

Covered: escape sequences in both forms (ESC and C1), other control characters, text direction
overrides, zero-width and tag characters, lone surrogates. Not covered: letters that look alike.
Kept: newline, tab, and the two variation selectors that choose between text and emoji.

Each character is judged on its own: a sequence that is cut between two pieces of a stream cannot
pass, and no parser of sequences has to agree with every terminal.
"""

from __future__ import annotations

import re
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


def sanitize_text(text: str) -> str:
    """Return `text` with each character that a terminal would obey, or hide, made visible.

    Carriage returns are removed.
    """
    # Most texts have none, and a search alone takes half the time.
    return _SUSPECT.sub(_make_visible, text) if _SUSPECT.search(text) else text


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
