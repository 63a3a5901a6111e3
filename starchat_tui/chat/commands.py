"""Slash commands: one table for all front ends, and the parser of an input line."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from pathlib import Path

from starchat_tui.config.paths import expand_user_path, explain_creation_errors
from starchat_tui.errors import UsageError


@dataclass(frozen=True, slots=True)
class SlashCommand:
    """A slash command and its argument."""

    name: str
    summary: str
    argument: str = ""
    """Argument as shown in the help; brackets mean that it is optional."""
    aliases: tuple[str, ...] = ()
    while_busy: bool = True
    """True if it works while an answer is being written."""

    @property
    def usage(self) -> str:
        """`/name ARGUMENT`."""
        return f"/{self.name} {self.argument}".rstrip()


@dataclass(frozen=True, slots=True)
class CommandCall:
    """A command from an input line, with its argument."""

    command: SlashCommand
    argument: str = ""

    @property
    def line(self) -> str:
        """The command as it is typed."""
        return f"/{self.command.name} {self.argument}".rstrip()


@dataclass(frozen=True, slots=True)
class Question:
    """A line for the model."""

    text: str


COMMANDS = (
    SlashCommand("help", "show keys and commands", aliases=("?",)),
    SlashCommand("new", "start a new conversation", while_busy=False),
    SlashCommand("resume", "find and continue an old conversation", "[words]", while_busy=False),
    SlashCommand("mode", "chat: fine-tuned model; ta: base model with a prompt", "[chat|ta]"),
    SlashCommand("retry", "answer the last question again", while_busy=False),
    SlashCommand(
        "answer", "show another answer to the question (default: the next)", "[n]", while_busy=False
    ),
    SlashCommand("stop", "stop the answer and keep its text"),
    SlashCommand("copy", "copy a code block (default: the last)", "[n]"),
    SlashCommand("save", "save a code block to a new file", "n FILE"),
    SlashCommand("run", "run a code block (default: the last)", "[n]"),
    SlashCommand("fix", "send the error of a run to the model", "[n]", while_busy=False),
    SlashCommand("plots", "show all plots of the conversation, or one of them", "[n]"),
    SlashCommand("attach", "give the code read access to a file", "PATH"),
    SlashCommand("files", "list files written by the code, and attached files"),
    SlashCommand("savefile", "save a file that the code wrote", "NAME [PATH]"),
    SlashCommand("env", "show or choose the environment of the code", "[NAME|PATH]"),
    SlashCommand("restart", "restart the kernel; variables are lost"),
    SlashCommand("prompt", "show the exact prompt", aliases=("tokens",)),
    SlashCommand("system", "set the system prompt of this conversation", "TEXT", while_busy=False),
    SlashCommand("theme", "switch to light, dark or a named theme", "[name]"),
    SlashCommand("quit", "quit; the conversation is saved", aliases=("exit", "bye", "q")),
)

# A second slash cannot match: `/usr/bin/env` is a path in a question.
_CALL = re.compile(r"/([A-Za-z?][\w?-]*)(?:\s+(.*))?", re.DOTALL)


def parse_line(line: str) -> CommandCall | Question:
    """Return the command or the question in a line.

    `//` begins a question that starts with a slash; a path such as `/path/to` is a question, too.
    Raises `UsageError` for an unknown command, and suggests the nearest one.
    """
    text = line.strip()
    if text.startswith("//"):
        return Question(text[1:])
    found = _CALL.fullmatch(text)
    if found is None:
        return Question(text)
    name = found[1].lower()
    command = find_command(name)
    if command is None:
        raise UsageError(f"Unknown command `/{name}`", _suggest_command(name))
    return CommandCall(command, _check_argument(command, (found[2] or "").strip()))


def find_command(name: str) -> SlashCommand | None:
    """Return the command with that name or alias."""
    return next((one for one in COMMANDS if name == one.name or name in one.aliases), None)


def _check_argument(command: SlashCommand, argument: str) -> str:
    if argument and not command.argument:
        raise UsageError(f"`/{command.name}` takes no argument", f"give `{command.usage}`")
    if not argument and command.argument and not command.argument.startswith("["):
        raise UsageError(f"`/{command.name}` needs {command.argument}", f"give `{command.usage}`")
    return argument


def _suggest_command(name: str) -> str:
    # A low cutoff: names are short, so that one typing error changes much of them. Leaving is
    # never suggested: `/edit` is close to `/exit`, and meant nothing of the kind.
    safe = (one for one in COMMANDS if one.name != "quit")
    names = [word for one in safe for word in (one.name, *one.aliases)]
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    meant = f"did you mean `/{near[0]}`? " if near else "`/help` lists the commands; "
    return meant + "`//` at the start sends a slash to the model"


def parse_block_number(argument: str, count: int) -> int:
    """Return the number of the code block (1 to `count`) in `argument`; the last one by default.

    Raises `UsageError` if there is no such block.
    """
    if not count:
        raise UsageError("This conversation has no code block", "ask for code first")
    if not argument:
        return count
    if not argument.isdecimal() or not 1 <= int(argument) <= count:
        raise UsageError(f"No code block {argument}", f"blocks are numbered 1 to {count}")
    return int(argument)


def parse_sibling_step(argument: str, position: int, count: int) -> int:
    """Return the step to answer number `argument`, or to the next one, from the last to the first.

    Raises `UsageError` if there is no such answer.
    """
    if not argument:
        return 1 if position < count else 1 - count
    if not argument.isdecimal() or not 1 <= int(argument) <= count:
        raise UsageError(f"No answer {argument}", f"answers are numbered 1 to {count}")
    return int(argument) - position


def save_code(path: Path, text: str) -> Path:
    """Write `text` to a new file and return its path; raises `UsageError` if that is impossible."""
    target = expand_user_path(path)
    with (
        explain_creation_errors(target),
        target.open("x", encoding="utf-8", errors="surrogatepass", newline="") as file,
    ):
        file.write(text if text.endswith("\n") else f"{text}\n")
    return target.absolute()
