"""The text of the help screen: keys and slash commands."""

from __future__ import annotations

from collections.abc import Iterable

from textual.binding import Binding
from textual.content import Content

from starchat_tui.chat.commands import COMMANDS

_COMPOSER_KEYS = (
    ("Enter", "send"),
    ("Ctrl+J, Alt+Enter, Shift+Enter", "new line"),
    ("Up, Down", "prompt history (from the first or last row)"),
    ("Tab", "complete a command, or move to the code blocks"),
    ("Page Up, Page Down", "scroll the conversation"),
)
_BLOCK_KEYS = (
    ("r", "run the code block"),
    ("f", "send the error of its run to the model"),
    ("c", "copy the code block"),
    ("Left, Right", "scroll it sideways"),
    ("Enter, o, s", "on a plot: enlarge, open, save"),
)
_NAME_WIDTH = 32


def build_help(bindings: Iterable[Binding]) -> Content:
    """Return the help text, two columns, for the keys of the app and all commands."""
    keys = [(_format_key(one), one.description) for one in bindings if one.description]
    commands = [(command.usage, command.summary) for command in COMMANDS]
    commands.append(("//…", "a question that starts with a slash"))
    return Content("\n\n").join(
        [
            _build_table("Keys", [*_COMPOSER_KEYS, *keys]),
            _build_table("In a code block (Tab moves there)", _BLOCK_KEYS),
            _build_table("Commands", commands),
        ]
    )


def _format_key(binding: Binding) -> str:
    return binding.key.replace("+", " ").title().replace(" ", "+").replace(",", ", ")


def _build_table(title: str, rows: Iterable[tuple[str, str]]) -> Content:
    lines = [Content.styled(title, "bold $accent")]
    for name, meaning in rows:
        lines.append(Content.styled(f"{name:<{_NAME_WIDTH}}", "$primary") + Content(meaning))
    return Content("\n").join(lines)
