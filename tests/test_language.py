"""Language rules of CONTRIBUTING.md that a program can check."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted([*(ROOT / "starchat_tui").rglob("*.py"), *(ROOT / "train").rglob("*.py")])

QUESTION_WORDS = {"What", "Whether", "How", "Where", "Who", "Whoever", "Why", "When"}
MOST_PARTICIPLES = 0.01
"""Share of functions that may be named by a bare participle, as the field's own code has it."""
IRREGULAR = frozenset(
    "begun bought bound brought built caught chosen done drawn found given gone grown heard held "
    "hidden kept known laid left lent lost made met paid said seen sent shown sold spoken stood "
    "sought taken taught told thrown thought understood woken won written".split()
)
"""Participles without -ed; those that are verbs as well (`read`, `set`, `cut`) are left out."""
NOT_PARTICIPLES = {"embed", "feed", "need", "seed", "speed"}
COMMENTED = {
    "starchat_tui/engine/models": 0.04,
    "starchat_tui/engine/sampling.py": 0.04,
    "starchat_tui/engine/cache": 0.04,
    "starchat_tui/sandbox/isolation": 0.04,
    "train/modeling": 0.04,
}
"""Least share of comment lines in code whose reasons a reader cannot see: numerics, security."""


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def docstrings(path: Path) -> Iterator[tuple[int, str]]:
    """Every docstring of a module, also those below attributes and constants."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            yield node.lineno, node.value.value


def is_participle(name: str) -> bool:
    word = name.strip("_")
    if "_" in word:
        return False
    return word in IRREGULAR or (word.endswith("ed") and word not in NOT_PARTICIPLES)


def comment_share(place: Path) -> float:
    """Share of the lines with text below `place` that have a comment."""
    comments = lines = 0
    for path in [place] if place.is_file() else place.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        tokens = tokenize.generate_tokens(io.StringIO(text).readline)
        comments += len({token.start[0] for token in tokens if token.type == tokenize.COMMENT})
        lines += sum(1 for line in text.splitlines() if line.strip())
    return comments / lines


def test_no_docstring_begins_with_a_question_word() -> None:
    asking = [
        f"{name_of(path)}:{line} {text.splitlines()[0]}"
        for path in MODULES
        for line, text in docstrings(path)
        if re.split(r"\W", text.strip(), maxsplit=1)[0] in QUESTION_WORDS
    ]
    assert not asking, asking


def test_functions_are_named_by_verbs() -> None:
    names = [
        (name_of(path), node.lineno, node.name)
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    participles = [one for one in names if is_participle(one[2])]
    assert len(participles) <= MOST_PARTICIPLES * len(names), participles


@pytest.mark.parametrize("place", COMMENTED)
def test_code_that_needs_reasons_gives_them(place: str) -> None:
    assert comment_share(ROOT / place) >= COMMENTED[place]


def test_the_check_sees_what_it_looks_for(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text('"""What it is."""\nx = 1\n"""How many."""\n# why\n')
    assert [line for line, _ in docstrings(path)] == [1, 3]
    assert comment_share(path) == 1 / 4
    assert is_participle("_told")
    assert is_participle("loaded")
    assert not is_participle("load_model")
    assert not is_participle("feed")
