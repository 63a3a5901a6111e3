"""Line editor of the line mode: keys, completion of commands, history."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from starchat_tui.chat import commands
from starchat_tui.terminal.input_history import InputHistory

PASTE_SECONDS = 0.05
"""Seconds after a pasted line break in which another is no Enter key."""

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
    pasted_at = 0.0

    @keys.add("enter")
    def send(event: KeyPressEvent) -> None:
        nonlocal pasted_at
        now = time.monotonic()
        # From a terminal without bracketed paste, the lines of a paste come as keys, in one read.
        is_followed = any(len(press.key) == 1 for press in event.key_processor.input_queue)
        if is_followed or now - pasted_at < PASTE_SECONDS:
            pasted_at = now
            event.current_buffer.insert_text("\n")
        else:
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
