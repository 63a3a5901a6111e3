"""A text that cannot fit is refused for the price of one that can."""

from __future__ import annotations

import random

import pytest

from starchat_tui.errors import PromptTooLong
from starchat_tui.templates.length_check import require_fitting_text
from starchat_tui.templates.tokenizer import Tokenizer

LIMIT = 500
WORDS = ["def", "return", "x", "=", "self", "(", ")", ":", "\n", "    ", "print", "é漢", "0x1F"]


def count_encoded(tokenizer: Tokenizer, text: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """Return how many characters are encoded until the text is refused."""
    encoded: list[int] = []
    encode = tokenizer.encode
    monkeypatch.setattr(
        tokenizer, "encode", lambda part: (encoded.append(len(part)), encode(part))[1]
    )
    with pytest.raises(PromptTooLong, match="characters"):
        require_fitting_text(text, tokenizer, LIMIT)
    return sum(encoded)


@pytest.mark.parametrize("unit", ["line of a log, 1234 ms\n", "a", " ", "\n", "漢", "\x00"])
def test_a_huge_text_costs_no_more_than_the_window(
    unit: str, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = unit * (3_000_000 // len(unit))
    assert count_encoded(tokenizer, text, monkeypatch) < 1000 * LIMIT


def test_a_text_that_fits_is_never_refused(tokenizer: Tokenizer) -> None:
    random.seed(5)
    for _ in range(30):
        text = " ".join(random.choices(WORDS, k=40 * LIMIT))
        require_fitting_text(text, tokenizer, len(tokenizer.encode(text)))


def test_the_error_says_how_much_fits(tokenizer: Tokenizer) -> None:
    text = "one two three four\n" * 20_000
    with pytest.raises(PromptTooLong, match="380,000 characters") as caught:
        require_fitting_text(text, tokenizer, LIMIT)
    fitting = int(caught.value.message.partition("about ")[2].split()[0].replace(",", ""))
    assert 0.5 * LIMIT < len(tokenizer.encode(text[:fitting])) < 2 * LIMIT
