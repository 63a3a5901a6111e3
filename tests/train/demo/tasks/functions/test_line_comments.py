"""Each line of code is explained in the words of the line."""

from __future__ import annotations

from train.demo.tasks.functions.line_comments import explain_lines

LOOP = "def total(xs):\n    s = 0\n    for x in xs:\n        s += x\n    return s"


def test_each_line_is_explained_in_its_own_words() -> None:
    assert explain_lines(LOOP) == [
        "1. Defines the function `total` with the parameter `xs`.",
        "2. Sets `s` to `0`.",
        "3. Goes through `xs`; each element is called `x`.",
        "4. Adds `x` to `s`.",
        "5. Returns `s`.",
    ]
    assert explain_lines("def f(*args):\n    yield 1") is None
