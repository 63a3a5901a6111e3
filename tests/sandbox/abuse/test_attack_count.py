"""How many attacks are tried: the number the README says, and every row of the list."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from tests.sandbox import attacks
from tests.sandbox.abuse import test_kernel_attacks, test_process_attacks

README = Path(__file__).parents[3] / "README.md"
ROWS = 29
"""Of the list that the design was first measured with."""
TABLES = (*attacks.ATTACKS, *test_kernel_attacks.ATTACKS)
FOUND = Counter([attack.row for attack in TABLES] + list(test_process_attacks.ROWS.values()))


def test_every_row_of_the_list_is_tried() -> None:
    assert set(range(1, ROWS + 1)) <= set(FOUND), set(range(1, ROWS + 1)) - set(FOUND)


def test_at_least_as_many_are_our_own() -> None:
    assert FOUND[0] >= 45


def test_no_two_attacks_have_one_name() -> None:
    names = [attack.name for attack in TABLES]
    assert len(set(names)) == len(names)


def test_the_readme_says_how_many_are_tried() -> None:
    told = re.search(r"(\d+) attacks, .*?(\d+) of them", README.read_text(), flags=re.DOTALL)
    assert told
    assert int(told[1]) == sum(FOUND.values())
    assert int(told[2]) == FOUND[0]


def test_every_attack_of_the_last_kind_is_a_test() -> None:
    assert all(callable(getattr(test_process_attacks, name)) for name in test_process_attacks.ROWS)
