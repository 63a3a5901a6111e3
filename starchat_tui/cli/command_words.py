"""Words of the command line that are, or were meant to be, a subcommand and no question."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Sequence

from starchat_tui.cli import arguments
from starchat_tui.errors import UsageError

OTHER_VERBS = {
    "help": "starchat --help",
    "commands": "starchat --help",
    "usage": "starchat --help",
    "version": "starchat --version",
    "chat": "starchat",
    "start": "starchat",
    "open": "starchat",
    "ask": 'starchat "question"',
    "models": "starchat ps",
    "status": "starchat ps",
    "list": "starchat ls",
    "history": "starchat ls",
    "search": "starchat ls WORDS",
    "find": "starchat ls WORDS",
    "conversations": "starchat ls",
    "delete": "starchat rm ID",
    "remove": "starchat rm ID",
    "resume": "starchat -c",
    "continue": "starchat -c",
    "exec": "starchat run FILE",
    "execute": "starchat run FILE",
    "pull": "starchat load MODEL",
    "download": "starchat load MODEL",
    "server": "starchat serve",
    "kill": "starchat stop",
    "quit": "starchat stop",
    "exit": "starchat stop",
    "check": "starchat doctor",
    "config": "starchat --help",
    "settings": "starchat --help",
    "rename": "starchat --help",
    "completion": "starchat --help",
    "update": "starchat --help",
    "upgrade": "starchat --help",
    "install": "starchat doctor",
    "login": "starchat --help",
    "info": "starchat doctor",
}
"""Commands of similar programs, and what does their work here or says what does."""
_SIMILARITY = 0.75
"""Ratio from which on a word counts as a misspelled command; `runn` has 0.86, `list` and `ls` 0.67.
"""


def find_subcommand(argv: Sequence[str]) -> tuple[str, list[str]] | None:
    """Return the subcommand and its arguments, also if flags stand before its name.

    `starchat --url URL prompt "x"` means what `starchat prompt --url URL "x"` does, and
    `starchat help prompt` what `starchat prompt --help` does.
    """
    if len(argv) == 2 and argv[0] == "help" and argv[1] in arguments.SUBCOMMANDS:
        return argv[1], ["--help"]
    takes_value = _list_options_with_value(arguments.create_question_parser())
    index = 0
    while index < len(argv) and argv[index].startswith("-") and argv[index] not in ("-", "--"):
        index += 2 if argv[index] in takes_value else 1
    if index < len(argv) and argv[index] in arguments.SUBCOMMANDS:
        return argv[index], [*argv[:index], *argv[index + 1 :]]
    return None


def _list_options_with_value(parser: argparse.ArgumentParser) -> set[str]:
    # argparse has no public list of its actions.
    return {name for action in parser._actions for name in action.option_strings if _takes(action)}


def _takes(action: argparse.Action) -> bool:
    return action.nargs is None or action.nargs not in (0, "?")


def require_question(words: Sequence[str], argv: Sequence[str]) -> None:
    """Raise `UsageError` if the only word is a misspelled command, or one of another program.

    Behind `--` every word is a question.
    """
    if len(words) != 1 or "--" in argv or not words[0].isalpha():
        return
    word = words[0].lower()
    known = [*arguments.SUBCOMMANDS, *OTHER_VERBS]
    meant = difflib.get_close_matches(word, known, n=1, cutoff=_SIMILARITY)
    if not meant:
        return
    command = OTHER_VERBS.get(meant[0], f"starchat {meant[0]}")
    raise UsageError(
        f"`{words[0]}` is not a command",
        f"did you mean `{command}`? To ask it as a question: `starchat -- {words[0]}`",
    )
