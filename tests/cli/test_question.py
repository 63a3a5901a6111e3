"""Text of a question with piped text and files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from starchat_tui.cli.question import build_question
from starchat_tui.errors import UsageError


def test_piped_text_is_fenced_after_the_question() -> None:
    text = build_question("Why?", piped="def f():\n    return '```'\n")
    assert text == "Why?\n\n````python\ndef f():\n    return '```'\n````"


@pytest.mark.parametrize(
    ("style", "text"), [("prepend", "```\nab\n```\n\nWhy?"), ("raw", "Why?\n\nab\n")]
)
def test_input_style_places_the_piped_text(style: Any, text: str) -> None:
    assert build_question("Why?", piped="ab\n", style=style) == text


def test_language_of_an_attached_file(tmp_path: Path) -> None:
    (tmp_path / "a.rs").write_text("fn main() {}")
    text = build_question("Explain", files=(tmp_path / "a.rs",))
    assert text == "Explain\n\n```rust\nfn main() {}\n```"


@pytest.mark.parametrize(
    ("piped", "language"),
    [
        ("#!/bin/sh\nls", "bash"),
        ("import os", "python"),
        ("hello there", ""),
        ("@x\nclass A: 1", "python"),
    ],
)
def test_obvious_language_is_named(piped: str, language: str) -> None:
    assert build_question("", piped=piped).startswith(f"```{language}\n")


def test_empty_question_and_unreadable_file_are_usage_errors(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No question"):
        build_question(" ", piped="\n")
    with pytest.raises(UsageError, match=r"cannot be read|not text"):
        build_question("q", files=(tmp_path / "absent",))
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match=r"cannot be read|not text"):
        build_question("q", files=(tmp_path / "binary",))
