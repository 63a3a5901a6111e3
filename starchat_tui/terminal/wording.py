"""What the screen says in words: progress, notes, help."""

from __future__ import annotations

from collections.abc import Iterable

from textual.binding import Binding
from textual.content import Content

from starchat_tui.chat.commands import COMMANDS
from starchat_tui.client.protocol import Progress
from starchat_tui.dialogue import Mode

_STAGES = {
    "starting": "starting the engine",
    "queued": "waiting for the engine",
    "downloading": "downloading the model",
    "loading": "loading the model",
    "warming": "warming up",
    "prefill": "reading the conversation",
}
_MODES: dict[Mode, str] = {
    "chat": "a model fine-tuned on dialogues answers",
    "ta": "a base model answers, shown by example dialogues how to",
}
ENDINGS = {
    "stopped": "stopped",
    "cut": "cut: the answer reached its length limit",
    "failed": "no whole answer",
    "partial": "not finished: the program ended meanwhile",
}
"""What stands under an answer that is not whole."""
UNSAFE = "UNSAFE: code runs without a sandbox, with your files and your network (--unsafe-run)"
"""What the screen says all the time where there is no wall."""
_COMPOSER_KEYS = (
    ("Enter", "send"),
    ("Ctrl+J, Alt+Enter, Shift+Enter", "new line"),
    ("Up, Down", "what you typed before (first, last row)"),
    ("Tab", "complete a command, or go on to the code blocks"),
    ("Page Up, Page Down", "scroll the conversation"),
    ("Left, Right, c", "in a code block: scroll it, copy it"),
    ("r, f", "in a code block: run it, send its error to the model"),
    ("Enter, o, s", "on a plot: enlarge, open, save it"),
)


def progress(now: Progress) -> str:
    """What the engine does, and how far it is."""
    stage = _STAGES.get(now.stage, now.stage)
    if now.stage == "queued":
        return f"{stage}, {now.done} before this one" if now.done else stage
    if not now.total:
        return f"{stage} …"
    return f"{stage} … {100 * now.done // now.total} %"


def switched(mode: Mode, model: str) -> str:
    """What a change of mode changes."""
    return f"{mode} mode · {model} · {_MODES[mode]}; the conversation goes on"


def speed(tokens_per_second: float, first_token: float) -> str:
    """Tokens per second, and seconds to the first one; empty where none came."""
    if not first_token:
        return ""
    rate = f"{tokens_per_second:.0f} tok/s · " if tokens_per_second else ""
    return f"{rate}first after {first_token:.1f} s"


def quoted(lines: int) -> str:
    """That lines of the prompt look like its layout."""
    what = "1 line looks" if lines == 1 else f"{lines} lines look"
    return f"{what} like the prompt's own layout and went quoted (“> ”)"


def help_text(bindings: Iterable[Binding]) -> Content:
    """The keys and the commands, two columns."""
    keys = [(_key(binding), binding.description) for binding in bindings if binding.description]
    commands = [(command.usage, command.summary) for command in COMMANDS]
    commands.append(("//…", "a question that begins with a slash"))
    parts = [_table("Keys", [*_COMPOSER_KEYS, *keys]), _table("Commands", commands)]
    return Content("\n\n").join(parts)


def _key(binding: Binding) -> str:
    return binding.key.replace("+", " ").title().replace(" ", "+").replace(",", ", ")


def _table(title: str, rows: Iterable[tuple[str, str]]) -> Content:
    lines = [Content.styled(title, "bold $accent")]
    for name, meaning in rows:
        lines.append(Content.styled(f"{name:<32}", "$primary") + Content(meaning))
    return Content("\n").join(lines)
