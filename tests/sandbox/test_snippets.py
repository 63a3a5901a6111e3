"""Snippets of 2023 in the sandbox: each one runs to its figures, or fails with a sentence.

The first line of each file says what is expected: that it runs, there or in the libraries of 2023
only; how many figures it shows; the module that it needs, or lacks.
"""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from starchat_tui.sandbox.environments.interpreter import find_own_interpreter
from tests.benchmarks.snippets import OWN_SNIPPETS, is_explained, run_snippet, summarize

SNIPPETS = sorted(OWN_SNIPPETS.glob("*.py"))
HEADER = re.compile(
    r"# expected: (runs|runs in 2023|hint)(?:, (\d) figures?)?(?:; (?:needs|lacks) (\w+))?"
)


def read_expectation(path: Path) -> tuple[str, str | None, str | None]:
    """Return the kind of end, the number of figures, and the module, as the first line says."""
    found = HEADER.fullmatch(path.read_text(encoding="utf-8").splitlines()[0])
    assert found, path.name
    return found[1], found[2], found[3]


def test_there_are_snippets_of_each_kind() -> None:
    kinds = [read_expectation(path)[0] for path in SNIPPETS]
    assert len(SNIPPETS) >= 40
    assert {"runs", "runs in 2023", "hint"} == set(kinds)


@pytest.mark.bwrap
@pytest.mark.slow
@pytest.mark.parametrize("path", SNIPPETS, ids=lambda path: path.stem)
async def test_a_snippet_runs_or_says_why_not(path: Path) -> None:
    kind, figures, module = read_expectation(path)
    found = summarize(await run_snippet(path, find_own_interpreter()))
    is_lacking = module is not None and importlib.util.find_spec(module) is None
    assert found["ran"] or is_explained(found), found
    if kind == "runs" and not is_lacking:
        assert found["ran"], found
        assert figures is None or found["figures"] == int(figures), found
    if kind == "hint":
        assert not found["ran"], found
