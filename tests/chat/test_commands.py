from __future__ import annotations

from pathlib import Path

import pytest

from starchat_tui.chat.commands import (
    COMMANDS,
    CommandCall,
    Question,
    find_command,
    parse_block_number,
    parse_line,
    save_code,
)
from starchat_tui.errors import UsageError


def test_names_and_aliases_are_each_there_once() -> None:
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
def test_a_command_and_its_argument(line: str, name: str, argument: str) -> None:
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
def test_a_question(line: str, question: str) -> None:
    assert parse_line(line) == Question(question)


def test_an_unknown_command_is_not_sent_and_the_nearest_is_named() -> None:
    with pytest.raises(UsageError, match="no command `/resme`") as caught:
        parse_line("/resme last")
    assert "`/resume`" in caught.value.hint
    assert "`//`" in caught.value.hint
    with pytest.raises(UsageError) as caught:
        parse_line("/xyzzy")
    assert "`/help`" in caught.value.hint


def test_arguments_are_asked_for_and_refused() -> None:
    with pytest.raises(UsageError, match="needs n FILE"):
        parse_line("/save")
    with pytest.raises(UsageError, match="needs TEXT"):
        parse_line("/system  ")
    with pytest.raises(UsageError, match="takes nothing"):
        parse_line("/new now")


def test_blocks_are_counted_from_one_and_the_last_is_meant() -> None:
    assert parse_block_number("", 3) == 3
    assert parse_block_number("1", 3) == 1
    for wrong in ("0", "4", "x", "-1", "1.5", "²"):
        with pytest.raises(UsageError, match="There is no code block"):
            parse_block_number(wrong, 3)
    with pytest.raises(UsageError, match="no code block in this conversation"):
        parse_block_number("1", 0)


@pytest.mark.parametrize(
    "name",
    ["~nobody-of-that-name/x.py", "x" * 5000, "a\0b", "\ud800"],
    ids=["nobody", "long", "null", "surrogate"],
)
def test_a_name_that_no_file_can_have_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="cannot be written"):
        save_code(Path(name), "x")
