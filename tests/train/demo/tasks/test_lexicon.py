"""Names are different and drawn widely; numbers are valid Python."""

from __future__ import annotations

import re
from random import Random

from train.demo.tasks import lexicon


def test_names_are_different_and_drawn_widely() -> None:
    found = set[str]()
    for seed in range(600):
        names = lexicon.draw_names(Random(seed), 5)
        assert len(set(names)) == 5
        found.update(names)
    assert len(found) > 1200


def test_numbers_are_typed_so_that_python_reads_them() -> None:
    for seed in range(300):
        for text in lexicon.draw_numbers(Random(seed), 4, negative=True):
            assert float(text) == eval(text)
            assert not re.match(r"-?0\d", text)
