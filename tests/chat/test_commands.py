from __future__ import annotations

import re
from pathlib import Path

import pytest

from starchat_tui.chat.commands import (
    COMMANDS,
    CommandCall,
    Question,
    find_command,
    parse_block_number,
    parse_line,
    parse_sibling_step,
    save_code,
)
from starchat_tui.errors import UsageError


def test_names_and_aliases_are_unique() -> None:
    names = [name for command in COMMANDS for name in (command.name, *command.aliases)]
    assert len(names) == len(set(names))
    assert all(command.summary and not command.summary.endswith(".") for command in COMMANDS)


@pytest.mark.parametrize(
    ("line", "name", "argument"),
    [
        ("/help", "help", ""),
        ("  /NEW  ", "new", ""),
        ("/?", "help", ""),
        ("/exit", "quit", ""),
        ("/mode ta", "mode", "ta"),
        ("/save 2 a file.py", "save", "2 a file.py"),
        ("/system You are terse.\nVery.", "system", "You are terse.\nVery."),
    ],
)
def test_command_with_argument(line: str, name: str, argument: str) -> None:
    command = find_command(name)
    assert command is not None
    assert parse_line(line) == CommandCall(command, argument)


@pytest.mark.parametrize(
    ("line", "question"),
    [
        ("how?", "how?"),
        (" two\nlines ", "two\nlines"),
        ("//help me", "/help me"),
        ("/usr/bin/python fails", "/usr/bin/python fails"),
        ("/ alone", "/ alone"),
        ("/etc/passwd", "/etc/passwd"),
        ("1/2", "1/2"),
    ],
)
def test_line_for_the_model(line: str, question: str) -> None:
    assert parse_line(line) == Question(question)


def test_unknown_command_suggests_the_nearest() -> None:
    with pytest.raises(UsageError, match="Unknown command `/resme`") as caught:
        parse_line("/resme last")
    assert "`/resume`" in caught.value.hint
    assert "`//`" in caught.value.hint
    with pytest.raises(UsageError) as caught:
        parse_line("/xyzzy")
    assert "`/help`" in caught.value.hint


def test_missing_and_extra_arguments_are_errors() -> None:
    with pytest.raises(UsageError, match="needs n FILE"):
        parse_line("/save")
    with pytest.raises(UsageError, match="needs TEXT"):
        parse_line("/system  ")
    with pytest.raises(UsageError, match="takes no argument"):
        parse_line("/new now")


def test_block_numbers_start_at_one_and_default_to_the_last() -> None:
    assert parse_block_number("", 3) == 3
    assert parse_block_number("1", 3) == 1
    for wrong in ("0", "4", "x", "-1", "1.5", "²"):
        with pytest.raises(UsageError, match=r"No code block"):
            parse_block_number(wrong, 3)
    with pytest.raises(UsageError, match="conversation has no code block"):
        parse_block_number("1", 0)


@pytest.mark.parametrize(
    "name",
    ["~nobody-of-that-name/x.py", "x" * 5000, "a\0b", "\ud800"],
    ids=["nobody", "long", "null", "surrogate"],
)
def test_impossible_file_name_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="cannot be written"):
        save_code(Path(name), "x")


@pytest.mark.parametrize("name", ["edit", "exi", "qut", "quiet", "by"])
def test_leaving_is_never_suggested(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_line(f"/{name} 2")
    assert not re.search(r"`/(quit|exit|bye|q)`", caught.value.hint)


@pytest.mark.parametrize(
    ("argument", "position", "expected"), [("", 1, 1), ("", 3, -2), ("1", 3, -2), ("3", 1, 2)]
)
def test_an_answer_is_named_by_its_number(argument: str, position: int, expected: int) -> None:
    assert parse_sibling_step(argument, position, 3) == expected


@pytest.mark.parametrize("argument", ["0", "4", "x", "-1"])
def test_an_answer_that_does_not_exist_is_an_error(argument: str) -> None:
    with pytest.raises(UsageError, match="No answer"):
        parse_sibling_step(argument, 1, 3)
