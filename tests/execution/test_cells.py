from __future__ import annotations

import pytest

from starchat_tui.codeblocks import CodeBlock
from starchat_tui.errors import UsageError
from starchat_tui.execution.cells import is_python, is_runnable, mentions_plotting, prepare_cell


@pytest.mark.parametrize(
    "text",
    ["import matplotlib.pyplot as plt", "sns.barplot(", "%matplotlib inline", "Draw a histogram"],
)
def test_plotting_is_recognized(text: str) -> None:
    assert mentions_plotting(text)


@pytest.mark.parametrize("text", ["What is a list?", "drawing room", "explore", "import json"])
def test_other_text_is_not_plotting(text: str) -> None:
    assert not mentions_plotting(text)


def test_only_python_and_shell_become_cells() -> None:
    assert prepare_cell(CodeBlock("python", "x = 1")) == "x = 1"
    assert prepare_cell(CodeBlock("jupyter", "%time x = 1")) == "%time x = 1"
    assert prepare_cell(CodeBlock("", "x = 1")) == "x = 1"
    assert prepare_cell(CodeBlock("bash", "ls")) == "%%bash\nls"
    assert not is_runnable("rust")
    with pytest.raises(UsageError, match="rust"):
        prepare_cell(CodeBlock("rust", "fn main() {}"))


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (CodeBlock("python", "what ever"), True),
        (CodeBlock("", "%matplotlib inline\n!ls\nx = 1"), True),
        (CodeBlock("", "some words here"), False),
        (CodeBlock("", ""), False),
        (CodeBlock("bash", "ls"), False),
        (CodeBlock("", "(" * 5000), False),
        (CodeBlock("", "x = '\0'"), False),
    ],
)
def test_an_unmarked_block_is_python_if_it_parses(block: CodeBlock, expected: bool) -> None:
    assert is_python(block) is expected
