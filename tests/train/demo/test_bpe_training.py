"""The tokenizer has its special tokens at both ends, and splits a word the same way everywhere."""

from __future__ import annotations

import pytest

from starchat_tui.templates.tokenizer import CHAT_TOKENS, Tokenizer
from train.demo import bpe_training


def test_special_tokens_come_first_and_dialogue_tokens_last(tokenizer: Tokenizer) -> None:
    assert len(tokenizer) == 640
    assert [tokenizer.get_control_id(token) for token in bpe_training.SPECIAL_TOKENS] == list(
        range(19)
    )
    assert [tokenizer.get_control_id(token) for token in CHAT_TOKENS] == [636, 637, 638, 639]


@pytest.mark.parametrize("word", ["Tom", "Zelenka", "apples", "2024", "57.91", "total_price"])
def test_a_word_is_the_same_tokens_wherever_it_stands(tokenizer: Tokenizer, word: str) -> None:
    alone = tokenizer.encode(word)
    for text in (f"it is {word}, and", f'{{"{word}": ', f"{word}\n", f"\n    {word}(", f"x|{word}"):
        ids = tokenizer.encode(text)
        assert any(ids[at : at + len(alone)] == alone for at in range(len(ids))), text
