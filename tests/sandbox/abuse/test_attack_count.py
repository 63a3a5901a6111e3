"""Number of attacks: the one that the page on security gives, and every row of the first list."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from tests.sandbox import attacks
from tests.sandbox.abuse import test_kernel_attacks, test_process_attacks

PAGE = Path(__file__).parents[3] / "docs" / "security-model.md"
ROWS = 29
"""Rows of the list that the design was first measured with."""
TABLES = (*attacks.ATTACKS, *test_kernel_attacks.ATTACKS)
FOUND = Counter([attack.row for attack in TABLES] + list(test_process_attacks.ROWS.values()))


def test_every_row_of_the_list_has_an_attack() -> None:
    assert set(range(1, ROWS + 1)) <= set(FOUND), set(range(1, ROWS + 1)) - set(FOUND)


def test_most_attacks_are_not_in_the_list() -> None:
    assert FOUND[0] >= 45


def test_names_of_attacks_are_unique() -> None:
    names = [attack.name for attack in TABLES]
    assert len(set(names)) == len(names)


def test_the_page_gives_the_number_of_attacks() -> None:
    found = re.search(r"(\d+) attacks .*?(\d+) of them", PAGE.read_text(), flags=re.DOTALL)
    assert found
    assert int(found[1]) == sum(FOUND.values())
    assert int(found[2]) == FOUND[0]


def test_every_process_attack_is_a_test() -> None:
    assert all(callable(getattr(test_process_attacks, name)) for name in test_process_attacks.ROWS)
