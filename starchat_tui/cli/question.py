"""Text of a question: its words, with piped text and attached files in code fences."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from starchat_tui.codeblocks import fence_code
from starchat_tui.config.text_file import read_text
from starchat_tui.errors import UsageError

InputStyle = Literal["append", "prepend", "raw"]
"""Place of piped text: fenced after the question, fenced before it, or unchanged after it."""

_LANGUAGES = {
    **{"py": "python", "pyi": "python", "js": "javascript", "ts": "typescript", "rs": "rust"},
    **{
        "sh": "bash",
        "rb": "ruby",
        "h": "c",
        "cc": "cpp",
        "hpp": "cpp",
        "yml": "yaml",
        "md": "markdown",
    },
}
_PYTHON_PATTERN = re.compile(
    r"^(?:#!.*python|(?:from|import|def|class|async def|@)\s*\w.*)", re.MULTILINE
)
_SHELL_PATTERN = re.compile(r"\A#!.*\b(?:ba|z|da|k)?sh\b")


def build_question(
    question: str, *, piped: str = "", files: Sequence[Path] = (), style: InputStyle = "append"
) -> str:
    """Return the question with piped text and attached files.

    Raises `UsageError` if all of them are empty.
    """
    parts = [
        fence_code(text.rstrip(), _choose_language(path, text)) for path, text in _read_files(files)
    ]
    if piped.strip():
        parts.append(
            piped if style == "raw" else fence_code(piped.rstrip(), _guess_language(piped))
        )
    question = question.strip()
    ordered = [*parts, question] if style == "prepend" else [question, *parts]
    text = "\n\n".join(part for part in ordered if part)
    if not text.strip():
        raise UsageError("No question given", 'ask one: starchat "why does it fail?"')
    return text


def _read_files(files: Sequence[Path]) -> list[tuple[Path, str]]:
    return [(path, read_text(path, f"`{path}`")) for path in files]


def _choose_language(path: Path, text: str) -> str:
    suffix = path.suffix.lstrip(".").lower()
    return _LANGUAGES.get(suffix, suffix) or _guess_language(text)


def _guess_language(text: str) -> str:
    """Return the language if it is obvious, else an empty string.

    Pygments could guess more, but would load all of its lexers for it.
    """
    if _SHELL_PATTERN.match(text):
        return "bash"
    return "python" if _PYTHON_PATTERN.search(text) else ""
