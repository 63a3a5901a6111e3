"""Line editor of the line mode: keys, completion of commands, history."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from starchat_tui.chat import commands
from starchat_tui.terminal.input_history import InputHistory

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.history import History
    from prompt_toolkit.key_binding import KeyBindings


def create_prompt_session(input_history: InputHistory) -> PromptSession[str]:
    """Create the editor: Enter sends, Ctrl+J and Alt+Enter insert a line break, Tab completes."""
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import WordCompleter

    names = [f"/{command.name}" for command in commands.COMMANDS]
    return PromptSession(
        history=_create_history(input_history),
        completer=WordCompleter(names, sentence=True),
        complete_while_typing=False,
        enable_open_in_editor=True,
        enable_suspend=True,
        multiline=True,
        key_bindings=_create_key_bindings(),
        prompt_continuation="  ",
    )


def _create_key_bindings() -> KeyBindings:
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

    keys = KeyBindings()

    @keys.add("enter")
    def send(event: KeyPressEvent) -> None:
        event.current_buffer.validate_and_handle()

    @keys.add("c-j")
    @keys.add("escape", "enter")
    def newline(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    return keys


def _create_history(input_history: InputHistory) -> History:
    from prompt_toolkit.history import History

    class SharedHistory(History):
        """Lines typed earlier, here and in the full-screen chat."""

        def load_history_strings(self) -> Iterable[str]:
            # prompt_toolkit wants the newest line first.
            return reversed(input_history.entries)

        def store_string(self, string: str) -> None:
            input_history.add(string)

    return SharedHistory()
