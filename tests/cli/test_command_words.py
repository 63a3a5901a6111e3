"""Words that are, or were meant to be, a subcommand."""

from __future__ import annotations

import pytest

from starchat_tui.cli.arguments import SUBCOMMANDS
from starchat_tui.cli.command_words import OTHER_VERBS, find_subcommand, require_question
from starchat_tui.errors import UsageError


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["ls", "-l", "3"], ("ls", ["-l", "3"])),
        (["--url", "U", "prompt", "x"], ("prompt", ["--url", "U", "x"])),
        (["--url=U", "prompt", "x"], ("prompt", ["--url=U", "x"])),
        (["-m", "M", "run", "f.py"], ("run", ["-m", "M", "f.py"])),
        (["-q", "run", "f.py"], ("run", ["-q", "f.py"])),
        (["--mode", "ta", "--seed", "3", "repl"], ("repl", ["--mode", "ta", "--seed", "3"])),
        (["help", "ls"], ("ls", ["--help"])),
        (["help", "me"], None),
        (["-m", "run", "why"], None),
        (["--", "ls"], None),
        (["-", "ls"], None),
        (["why", "ls"], None),
        (["-m"], None),
        ([], None),
    ],
)
def test_subcommands_are_found_behind_flags(
    argv: list[str], expected: tuple[str, list[str]] | None
) -> None:
    assert find_subcommand(argv) == expected


@pytest.mark.parametrize(
    "word", [*OTHER_VERBS, "hlep", "runn", "lss", "Help", "doctr", "exprt", "mdoels", "sho", "stpo"]
)
def test_a_misspelled_or_foreign_command_is_no_question(word: str) -> None:
    with pytest.raises(UsageError, match="is not a command") as caught:
        require_question([word], [word])
    assert f"starchat -- {word}" in caught.value.hint
    assert "did you mean `starchat" in caught.value.hint


@pytest.mark.parametrize(
    "words",
    [
        ["decorators?"],
        ["decorators"],
        ["generators"],
        ["hi"],
        ["asyncio"],
        *([word] for word in ("recursion", "round", "strings", "collections", "logging", "repr")),
        *([word] for word in ("str", "next", "as", "lists", "js", "os", "pandas", "sorting")),
        ["list", "of"],
    ],
)
def test_real_questions_are_asked(words: list[str]) -> None:
    require_question(words, words)


def test_behind_two_dashes_every_word_is_a_question() -> None:
    require_question(["help"], ["--", "help"])


def test_what_is_offered_exists() -> None:
    for command in OTHER_VERBS.values():
        words = command.split()
        assert words[0] == "starchat"
        assert len(words) == 1 or words[1][0] in '-"' or words[1] in SUBCOMMANDS
