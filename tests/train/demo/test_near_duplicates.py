"""The index finds the near-duplicates that a comparison with every text would find."""

from __future__ import annotations

from random import Random

import pytest

from train.demo.near_duplicates import SIMILARITY_THRESHOLD, NearDuplicateIndex, extract_shingles

WORDS = "write a function that adds up all numbers in the list called zilpo".split()


def similarity(left: str, right: str) -> float:
    one, two = extract_shingles(left), extract_shingles(right)
    return len(one & two) / len(one | two)


def change_words(rng: Random, text: str) -> str:
    words = text.split()
    for _ in range(rng.randrange(4)):
        words[rng.randrange(len(words))] = rng.choice(WORDS)
    return " ".join(words)


def test_the_index_agrees_with_a_comparison_of_all_texts() -> None:
    rng = Random(3)
    texts = [" ".join(rng.choices(WORDS, k=rng.randint(3, 30))) for _ in range(200)]
    known = NearDuplicateIndex(texts)
    asked = [change_words(rng, rng.choice(texts)) for _ in range(400)]
    truth = [
        any(similarity(text, other) >= SIMILARITY_THRESHOLD for other in texts) for text in asked
    ]
    assert [known.has_near_duplicate(text) for text in asked] == truth
    assert 0.1 < sum(truth) / len(truth) < 0.9


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("Print the numbers from 3 to 17.", True),
        ("print the numbers  FROM 3 to 17", True),
        ("Print the numbers from 3 to 18.", False),
        ("Hi", True),
        ("Hi there", False),
        ("", False),
    ],
)
def test_case_and_punctuation_do_not_matter_and_values_do(text: str, near: bool) -> None:
    assert (
        NearDuplicateIndex(["Print the numbers from 3 to 17.", "hi!"]).has_near_duplicate(text)
        is near
    )


def test_a_long_question_with_one_other_word_is_near() -> None:
    long = " ".join(f"word{number}" for number in range(60))
    assert NearDuplicateIndex([long]).has_near_duplicate(long.replace("word30", "other"))
