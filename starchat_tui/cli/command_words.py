"""Words of the command line that are, or were meant to be, a subcommand and no question."""

from __future__ import annotations

import argparse
import builtins
import keyword
import sys
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
    meant = _find_meant(words[0].lower())
    if meant is None:
        return
    command = OTHER_VERBS.get(meant, f"starchat {meant}")
    raise UsageError(
        f"`{words[0]}` is not a command",
        f"did you mean `{command}`? To ask it as a question: `starchat -- {words[0]}`",
    )


def _find_meant(word: str) -> str | None:
    """Return the command that `word` is, or is one typing error away from."""
    known = [*arguments.SUBCOMMANDS, *OTHER_VERBS]
    if word in known:
        return word
    # `repr`, `stat` and `lists` are questions about Python.
    is_of_python = keyword.iskeyword(word) or hasattr(builtins, word)
    if is_of_python or word in sys.stdlib_module_names or word.removesuffix("s") in OTHER_VERBS:
        return None
    return next((name for name in known if _is_typing_error(word, name)), None)


def _is_typing_error(word: str, name: str) -> bool:
    """Return whether one letter is wrong, too many or missing, or two are exchanged.

    The first letter of a short name must be right: nearly everything is like `ls`.
    """
    if len(name) < 4 and (word[0] != name[0] or len(word) < len(name)):
        return False
    pairs = enumerate(zip(word, name, strict=False))
    at = next((at for at, (one, two) in pairs if one != two), min(len(word), len(name)))
    exchanged = name[:at] + name[at : at + 2][::-1] + name[at + 2 :]
    rests = word[at:], name[at:]
    return (
        word == exchanged
        or rests[0][1:] == rests[1][1:]
        or rests[0][1:] == rests[1]
        or rests[0] == rests[1][1:]
    )
