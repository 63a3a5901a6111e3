"""The slash commands: one table for every face that reads a line."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from pathlib import Path

from starchat_tui.errors import UsageError
from starchat_tui.paths import made_new, typed


@dataclass(frozen=True, slots=True)
class Command:
    """A slash command and what it takes."""

    name: str
    summary: str
    argument: str = ""
    """The argument as help shows it; brackets mean that it may be left out."""
    aliases: tuple[str, ...] = ()
    while_busy: bool = True
    """Whether it may be given while an answer is being written."""

    @property
    def usage(self) -> str:
        """`/name ARGUMENT`."""
        return f"/{self.name} {self.argument}".rstrip()


@dataclass(frozen=True, slots=True)
class Call:
    """A command that was given, and the rest of its line."""

    command: Command
    argument: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """A line that is meant for the model."""

    text: str


COMMANDS = (
    Command("help", "the keys and commands", aliases=("?",)),
    Command("new", "a new conversation", while_busy=False),
    Command("resume", "find and go on with an old conversation", "[words]", while_busy=False),
    Command("mode", "chat: fine-tuned; ta: base model with a prompt", "[chat|ta]"),
    Command("retry", "another answer to the last question", while_busy=False),
    Command("stop", "stop the answer and keep what there is"),
    Command("copy", "copy a code block, by default the last", "[n]"),
    Command("save", "write a code block to a new file", "n FILE"),
    Command("run", "run a code block, by default the last", "[n]"),
    Command("fix", "send the error of a run to the model", "[n]", while_busy=False),
    Command("attach", "let the code read a file", "PATH"),
    Command("files", "what the code wrote, and what is attached"),
    Command("savefile", "keep a file that the code wrote", "NAME [PATH]"),
    Command("restart", "a fresh kernel, without the variables"),
    Command("prompt", "exactly what is sent to the model", aliases=("tokens",)),
    Command("system", "set the system text of this conversation", "TEXT", while_busy=False),
    Command("theme", "light or dark, or a theme by name", "[name]"),
    Command("quit", "leave; the conversation is kept", aliases=("exit", "bye", "q")),
)

_CALL = re.compile(r"/([A-Za-z?][\w?-]*)(?:\s+(.*))?", re.DOTALL)


def parse(line: str) -> Call | Question:
    """What a line means: `//` begins a question that starts with a slash, `/path/to` is none.

    Raises `UsageError` for an unknown command, naming the nearest one.
    """
    text = line.strip()
    if text.startswith("//"):
        return Question(text[1:])
    found = _CALL.fullmatch(text)
    if found is None:
        return Question(text)
    name = found[1].lower()
    command = find(name)
    if command is None:
        raise UsageError(f"There is no command `/{name}`", _suggestion(name))
    return Call(command, _argument(command, (found[2] or "").strip()))


def find(name: str) -> Command | None:
    """The command with that name or alias."""
    return next((one for one in COMMANDS if name == one.name or name in one.aliases), None)


def _argument(command: Command, argument: str) -> str:
    if argument and not command.argument:
        raise UsageError(f"`/{command.name}` takes nothing more", f"give `{command.usage}`")
    if not argument and command.argument and not command.argument.startswith("["):
        raise UsageError(f"`/{command.name}` needs {command.argument}", f"give `{command.usage}`")
    return argument


def _suggestion(name: str) -> str:
    names = [word for one in COMMANDS for word in (one.name, *one.aliases)]
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    meant = f"did you mean `/{near[0]}`? " if near else "`/help` lists them; "
    return meant + "`//` at the start sends a slash to the model"


def block_number(argument: str, count: int) -> int:
    """The code block, from 1 on, that `argument` names among `count`; the last one by default.

    Raises `UsageError` where there is none.
    """
    if not count:
        raise UsageError("There is no code block in this conversation", "ask for some code first")
    if not argument:
        return count
    if not argument.isdecimal() or not 1 <= int(argument) <= count:
        raise UsageError(f"There is no code block {argument}", f"they are numbered 1 to {count}")
    return int(argument)


def save_new(path: Path, text: str) -> Path:
    """Write `text` to a file that was not there; raises `UsageError` with the reason it cannot."""
    target = typed(path)
    with (
        made_new(target),
        target.open("x", encoding="utf-8", errors="surrogatepass", newline="") as file,
    ):
        file.write(text if text.endswith("\n") else f"{text}\n")
    return target.absolute()
