"""Flags: settings among them, words of the question, help texts."""

from __future__ import annotations

from dataclasses import fields

import pytest

from starchat_tui.cli import arguments
from starchat_tui.config.settings import Settings
from starchat_tui.errors import UsageError


def test_flags_that_are_settings_are_selected_and_no_others() -> None:
    chosen = arguments.select_settings(arguments.parse_arguments(["--json", "--no-daemon"]))
    assert set(chosen) == {field.name for field in fields(Settings)}
    assert [name for name, value in chosen.items() if value is not None] == ["daemon"]


def test_flags_that_are_not_given_are_none() -> None:
    chosen = arguments.select_settings(arguments.parse_arguments(["a", "question"]))
    assert set(chosen.values()) == {None}


def test_flags_may_stand_between_the_words() -> None:
    flags = arguments.parse_arguments(["why", "-t", "0", "not?", "--stop", "a", "--stop", "b"])
    assert flags.words == ["why", "not?"]
    assert arguments.select_settings(flags)["temperature"] == 0.0
    assert flags.stop == ("a", "b")


@pytest.mark.parametrize("argv", [["--temp", "0"], ["--mode", "poem"], ["--no-such-flag"]])
def test_wrong_flags_are_usage_errors(argv: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        arguments.parse_arguments(argv)
    assert caught.value.hint == "`starchat --help` lists all flags"


def test_help_lists_the_subcommands() -> None:
    text = arguments.create_question_parser().format_help()
    for name, summary in arguments.SUBCOMMANDS.items():
        assert f"  {name:<8}{summary}" in text


def test_description_keeps_names_capitalized() -> None:
    description = arguments.create_run_parser().description
    assert description == "Run a Python file in the sandbox and show its output and plots."
