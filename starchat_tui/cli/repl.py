"""The line mode: a line is read, the answer is appended, nothing is ever redrawn.

For those who want their scrollback, a slow line, or a screen reader (`accessible`: labels instead
of marks, no colour, no status line).
"""

from __future__ import annotations

import asyncio
import base64
import signal
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING

from starchat_tui.chat import commands
from starchat_tui.chat.events import Asked, Event, Failed, Finished, Said, Waiting
from starchat_tui.chat.session import Session
from starchat_tui.cli.ask import Terminal, progress_text, stats_text
from starchat_tui.cli.repl_runs import ReplRuns
from starchat_tui.dialogue import MODES
from starchat_tui.errors import StarChatError, UsageError
from starchat_tui.sanitize import clean
from starchat_tui.terminal import clipboard
from starchat_tui.terminal.ansi_markdown import Painter
from starchat_tui.terminal.input_history import InputHistory

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.history import History
    from prompt_toolkit.key_binding import KeyBindings

_DIM, _PLAIN = "\x1b[2m", "\x1b[0m"
_CLEAR = "\r\x1b[K"


class Repl:
    """A conversation, line by line."""

    def __init__(
        self,
        session: Session,
        terminal: Terminal,
        recall: InputHistory,
        *,
        accessible: bool,
        environ: Mapping[str, str],
        images: str = "off",
    ) -> None:
        self._session = session
        self._environ = environ
        self._terminal = terminal
        self._accessible = accessible
        self._lines: PromptSession[str] = _reader(recall)
        self._code = ReplRuns(session, self._tell, self._terminal, images=images)
        self._context = ""
        self._progress = False
        self._leaving = False

    async def run(self, first: str = "") -> None:
        """Read and answer until the user leaves."""
        self._tell("Ctrl+J for a new line, /help for commands, Ctrl+D to leave")
        if self._session.turns:
            self._tell(f"goes on: {self._session.title}")
        if first:
            await self._answer(self._session.say(first))
        while not self._leaving:
            try:
                line = await self._lines.prompt_async(self._mark(), bottom_toolbar=self._toolbar())
            except KeyboardInterrupt:
                continue
            except EOFError:
                return
            if line.strip():
                await self._obey(line)

    def _mark(self) -> str:
        return "You: " if self._accessible else "› "

    def _toolbar(self) -> str | None:
        if self._accessible:
            return None
        return clean(f" {self._session.model} · {self._session.mode}{self._context}")

    async def _obey(self, line: str) -> None:
        """Answer a question, or do what a command says; a mistake is told and costs nothing."""
        try:
            meant = commands.parse(line)
            if isinstance(meant, commands.Question):
                await self._answer(self._session.say(meant.text))
            else:
                await self._do(meant.command.name, meant.argument)
        except StarChatError as error:
            self._complain(error)

    async def _do(self, name: str, argument: str) -> None:
        waited: dict[str, Callable[[], object]] = {
            "help": self._help,
            "new": self._session.new,
            "resume": lambda: self._resume(argument),
            "mode": lambda: self._switch(argument),
            "save": lambda: self._save(argument),
            "system": lambda: setattr(self._session, "system", argument),
            "quit": self._leave,
            "stop": lambda: self._tell("nothing is being written; Ctrl+C stops an answer"),
            "theme": lambda: self._tell("the line mode takes your terminal's own colours"),
        }
        if name == "retry":
            await self._answer(self._session.retry())
        elif name == "prompt":
            self._print(clean(await self._session.visible(await self._session.prompt())))
        elif name == "copy":
            await self._copy(argument)
        elif name == "fix":
            await self._answer(self._session.say(self._code.fix(argument)))
        elif name in self._code.commands:
            await self._code.commands[name](argument)
        else:
            waited[name]()

    def _help(self) -> None:
        for command in commands.COMMANDS:
            self._print(f"{command.usage:<16}{command.summary}")

    def _leave(self) -> None:
        self._leaving = True

    def _resume(self, query: str) -> None:
        """Go on with the newest conversation that holds the words; list the others."""
        found = self._session.conversations(query)
        if not found:
            raise UsageError("No conversation holds these words", "`/resume` alone takes the last")
        for summary in found[1:6]:
            self._tell(f"also {summary.id}: {summary.title} (starchat repl --cid {summary.id})")
        self._session.resume(found[0].id)
        self._tell(f"goes on: {self._session.title}")

    def _switch(self, name: str) -> None:
        other = next(mode for mode in MODES if mode != self._session.mode)
        wanted = next((mode for mode in MODES if mode == (name or other)), None)
        if wanted is None:
            raise UsageError(f"There is no mode `{name}`", f"they are {' and '.join(MODES)}")
        self._session.switch(wanted)
        self._tell(f"{self._session.mode} mode, {self._session.model}; the conversation goes on")

    def _save(self, argument: str) -> None:
        number, _, name = argument.partition(" ")
        found = self._code.blocks
        index = commands.block_number(number, len(found))
        if not name.strip():
            raise UsageError("`/save` needs a file", "give `/save n FILE`")
        saved = commands.save_new(Path(name.strip()), found[index - 1].code)
        self._tell(f"code block {index} is in {saved}")

    async def _copy(self, argument: str) -> None:
        found = self._code.blocks
        index = commands.block_number(argument, len(found))
        code = found[index - 1].code
        route = await clipboard.copy(code, clipboard.routes(self._environ), self._osc52)
        self._tell(clipboard.report(f"code block {index}", code, route))

    def _osc52(self, text: str) -> None:
        """Ask the terminal to take `text` into its clipboard."""
        encoded = base64.b64encode(text.encode(errors="replace")).decode()
        self._terminal.out.write(f"\x1b]52;c;{encoded}\a")
        self._terminal.out.flush()

    async def _answer(self, happening: AsyncGenerator[Event, None]) -> None:
        """Print an answer as it comes; Ctrl+C stops it and keeps what there is."""
        painter = Painter(color=self._terminal.color)
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self._session.stop)
        if self._accessible:
            self._print("Assistant:")
        try:
            async with aclosing(happening) as events:
                async for event in events:
                    self._happened(event, painter)
        finally:
            loop.remove_signal_handler(signal.SIGINT)

    def _happened(self, event: Event, painter: Painter) -> None:
        if isinstance(event, Waiting):
            self._wait(progress_text(event.progress))
            return
        self._wait("")
        if isinstance(event, Asked):
            self._context = f" · {event.prompt_tokens}/{event.window}"
            if event.dropped:
                self._tell(f"the model no longer sees the first {event.dropped} turns")
            if event.quoted:
                self._tell(f"{event.quoted} lines looked like the prompt's layout and were quoted")
        elif isinstance(event, Said):
            self._terminal.out.write(painter.feed(event.text))
            self._terminal.out.flush()
        elif isinstance(event, Finished):
            self._print(painter.finish())
            state = "" if event.state == "done" else f"{event.state} · "
            self._tell(state + stats_text(event.stats))
        elif isinstance(event, Failed):
            self._print(painter.finish())
            self._complain(event.error)

    def _wait(self, text: str) -> None:
        """Show what is waited for on a line of its own; a screen reader is not told."""
        if self._accessible or not (text or self._progress):
            return
        self._terminal.err.write(f"{_CLEAR}{clean(text)}")
        self._terminal.err.flush()
        self._progress = bool(text)

    def _print(self, text: str) -> None:
        print(text, file=self._terminal.out, flush=True)

    def _tell(self, text: str) -> None:
        dim, plain = (_DIM, _PLAIN) if self._terminal.color else ("", "")
        print(f"{dim}{clean(text)}{plain}", file=self._terminal.err, flush=True)

    def _complain(self, error: StarChatError) -> None:
        self._tell(error.message)
        if error.hint:
            self._tell(f"  {error.hint}")


def _reader(recall: InputHistory) -> PromptSession[str]:
    """What reads a line: Enter sends, Ctrl+J and Alt+Enter begin a new one, `/` completes."""
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import WordCompleter

    names = [f"/{command.name}" for command in commands.COMMANDS]
    return PromptSession(
        history=_history(recall),
        completer=WordCompleter(names, sentence=True),
        complete_while_typing=False,
        enable_open_in_editor=True,
        enable_suspend=True,
        multiline=True,
        key_bindings=_keys(),
        prompt_continuation="  ",
    )


def _keys() -> KeyBindings:
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


def _history(recall: InputHistory) -> History:
    from prompt_toolkit.history import History

    class Shared(History):
        """The lines typed before, in this mode and in the full-screen chat."""

        def load_history_strings(self) -> Iterable[str]:
            return reversed(recall.entries)

        def store_string(self, string: str) -> None:
            recall.add(string)

    return Shared()
