"""Length of a text in tokens, counted no further than needed to refuse it."""

from __future__ import annotations

import re

from starchat_tui.errors import PromptTooLong
from starchat_tui.templates.tokenizer import Tokenizer

_SLICE_CHARACTERS = 4096
_SHORT_TEXT = 65_536
"""Characters of a text that may be encoded as a whole, to say exactly how long it is."""
_BREAK = re.compile(r"\s(?=\S)")


def require_fitting_text(text: str, tokenizer: Tokenizer, limit: int) -> None:
    """Raise `PromptTooLong` if a text surely has more than `limit` tokens.

    The time and memory that this takes depend on the limit, not on the text: a log of 10 MB would
    take minutes to encode, only to be refused.
    """
    # Long texts of a large window may well fit: real text has about three characters a token.
    if len(text) <= max(_SHORT_TEXT, 3 * limit):
        return
    position = count = 0
    while position < len(text):
        end = min(_find_break(text, position + _SLICE_CHARACTERS), len(text))
        # A token may span the cut, where the whole text would have one less.
        count += max(len(tokenizer.encode(text[position:end])) - 1, 0)
        position = end
        if count > limit:
            fitting = limit * position // count
            raise PromptTooLong(
                f"The text has {len(text):,} characters, and about {fitting:,} like its first "
                f"ones fit into {limit:,} tokens",
                "give the part that matters, such as the last lines of a log",
            )


def _find_break(text: str, position: int) -> int:
    """Return a position from which on a word begins, or the one given where no word is near."""
    found = _BREAK.search(text, position, position + 100)
    return found.start() if found else position
