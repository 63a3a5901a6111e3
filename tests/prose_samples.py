"""Sentences of assistants: code in prose, and Markdown with what it means."""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).parent

CODE_SENTENCES = (_FOLDER / "code_in_prose.txt").read_text(encoding="utf-8").splitlines()
"""Sentences in which every letter is to be shown."""

MARKDOWN_SENTENCES = [
    tuple(pair.split("\n"))
    for pair in (_FOLDER / "markdown_in_prose.txt")
    .read_text(encoding="utf-8")
    .strip()
    .split("\n\n")
]
"""Sentences with Markdown, each with its meaning in tags."""

CODE_PARAGRAPHS = [
    "Loop over it:\nfor x in range(3):\n    if x:\n        print(x)  # two  spaces",
    "Two spaces at the end  \nor a backslash \\\nkeep the line.",
    ">>> 2 ** 3\n8\n>>> x = [*a, *b]",
    ">= 3 is a requirement\n>text without a space",
    "<<<<<<< HEAD\na = 1\n=======\na = 2\n>>>>>>> branch_b",
    "id | name\n1  | x_y_z",
    "[1]: https://example.org/a_b\n[^2]: a note",
    "Columns:\n\ta\tb\n\tc\td",
    "#include <a.h>\n#define X 1\n#!/bin/sh",
    "int *a;\nint* b;\nchar *c, *d;",
    "x = a * b\ny = c * d",
    "\\begin{align*}\n  a_1 &= b_1 \\\\\n  a_2 &= b_2\n\\end{align*}",
    "<div>\n  <p>a &amp; b</p>\n</div>",
]
"""Paragraphs of several lines in which every letter, space and line break is to be shown."""
