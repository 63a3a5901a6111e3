"""Code blocks as cells of the kernel: which ones can run, and in what form."""

from __future__ import annotations

import ast
import re

from starchat_tui.codeblocks import PYTHON_LANGUAGES, CodeBlock
from starchat_tui.errors import UsageError

_SHELL_LANGUAGES = ("bash", "sh", "shell", "zsh", "console")
_PLOTTING = re.compile(
    r"\b(matplotlib|seaborn|geopandas|plotnine)\b|\b(plt|sns)\.|%matplotlib"
    r"|\b(plot|chart|diagram|histogram|scatter ?plot|heat ?map|draw)s?\b",
    re.IGNORECASE,
)


def mentions_plotting(text: str) -> bool:
    """Return whether a question or some code looks as if it will draw something."""
    return _PLOTTING.search(text) is not None


def is_runnable(language: str) -> bool:
    """Return whether a code block in that language can be run at all."""
    return not language or language in PYTHON_LANGUAGES or language in _SHELL_LANGUAGES


def prepare_cell(block: CodeBlock) -> str:
    """Return the block as a cell of IPython; raise `UsageError` for another language."""
    if not is_runnable(block.language):
        raise UsageError(
            f"A block of {block.language} cannot be run",
            "only Python and shell blocks can; copy and save it instead",
        )
    return f"%%bash\n{block.code}" if block.language in _SHELL_LANGUAGES else block.code


def is_python(block: CodeBlock) -> bool:
    """Return whether the block is marked as Python, or is unmarked and parses as Python."""
    if block.language:
        return block.language in PYTHON_LANGUAGES
    # Magics (`%matplotlib inline`, `!ls`) are IPython's, and no Python that `ast` knows.
    plain = re.sub(r"^\s*[%!].*$", "pass", block.code, flags=re.MULTILINE)
    try:
        return bool(ast.parse(plain).body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        # The last three: NUL bytes, and nesting that is too deep for the parser.
        return False
