"""Line mode of the chat: reads a line, appends the answer, never redraws.

For scrollback, slow connections and screen readers (`accessible`: labels instead of symbols, no
colors, no status line).
"""

from __future__ import annotations

import asyncio
import base64
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from starchat_tui.chat import commands
from starchat_tui.chat.events import (
    AnswerFailed,
    AnswerFinished,
    AnswerStarted,
    AnswerText,
    ChatEvent,
    EngineProgress,
)
from starchat_tui.chat.session import Session
from starchat_tui.chat.shared_commands import SHARED_HANDLERS
from starchat_tui.cli.ask import Terminal
from starchat_tui.cli.line_editor import create_prompt_session
from starchat_tui.cli.repl_runs import ReplRuns
from starchat_tui.config.settings import ImageChoice
from starchat_tui.dialogue import MODES
from starchat_tui.errors import StarChatError, UsageError
from starchat_tui.sanitize import sanitize_text
from starchat_tui.terminal import clipboard
from starchat_tui.terminal.ansi_markdown import AnsiMarkdownRenderer
from starchat_tui.terminal.image_detection import ImageDetector
from starchat_tui.terminal.input_history import InputHistory
from starchat_tui.terminal.status_text import (
    ANSWER_END_TEXTS,
    format_destination,
    format_mode_change,
    format_model_change,
    format_progress,
    format_quoted_lines,
    format_stats,
)

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession

_DIM, _PLAIN = "\x1b[2m", "\x1b[0m"
_CLEAR = "\r\x1b[K"


class Repl:
    """A chat that reads and prints line by line."""

    def __init__(
        self,
        session: Session,
        terminal: Terminal,
        input_history: InputHistory,
        *,
        accessible: bool,
        environ: Mapping[str, str],
        images: ImageChoice = "off",
    ) -> None:
        self._session = session
        self._environ = environ
        self._terminal = terminal
        self._accessible = accessible
        self._prompt_session: PromptSession[str] = create_prompt_session(input_history)
        self._runs = ReplRuns(
            session, self._print_note, self._terminal, images=ImageDetector(images, environ)
        )
        self._context = ""
        self._progress_is_shown = False
        self._quitting = False

    async def run(self, first_question: str = "") -> None:
        """Read and answer until the user quits."""
        self._print_note("Ctrl+J for a new line, /help for commands, Ctrl+D to quit")
        if self._session.server:
            self._print_note(format_destination(self._session.server))
        if self._session.turns:
            self._print_resumed()
        if first_question:
            await self._print_answer(self._session.ask(first_question))
        while not self._quitting:
            try:
                line = await self._prompt_session.prompt_async(
                    self._prompt_marker(), bottom_toolbar=self._toolbar()
                )
            except KeyboardInterrupt:
                # Ctrl+C at the prompt discards the line, as in a shell.
                continue
            except EOFError:
                return
            if line.strip():
                await self._handle_line(line)

    def _prompt_marker(self) -> str:
        return "You: " if self._accessible else "› "

    def _toolbar(self) -> str | None:
        if self._accessible:
            return None
        return sanitize_text(f" {self._session.model} · {self._session.mode}{self._context}")

    async def _handle_line(self, line: str) -> None:
        """Answer a question or run a command; an error is printed and the chat continues."""
        try:
            parsed = commands.parse_line(line)
            if isinstance(parsed, commands.Question):
                await self._print_answer(self._session.ask(parsed.text))
            else:
                await self._run_command(parsed.command.name, parsed.argument)
        except StarChatError as error:
            self._print_error(error)

    async def _run_command(self, name: str, argument: str) -> None:
        if shared := SHARED_HANDLERS.get(name):
            self._print_note(await shared(self._session, argument))
            return
        handler = self.COMMAND_HANDLERS.get(name)
        if handler is None:
            raise UsageError(f"`/{name}` does not work in the line mode", "`/help` lists commands")
        await handler(self, argument)

    async def _print_help(self, argument: str) -> None:
        width = max(len(command.usage) for command in commands.COMMANDS)
        for command in commands.COMMANDS:
            self._print(f"{command.usage:<{width}}  {command.summary}")

    async def _start_conversation(self, argument: str) -> None:
        self._session.start_conversation()
        self._print_note("new conversation")

    async def _quit(self, argument: str) -> None:
        self._quitting = True

    async def _retry(self, argument: str) -> None:
        await self._print_answer(self._session.retry())

    async def _show_answer(self, argument: str) -> None:
        position, count = self._session.siblings.locate_last(self._session.turns)
        self._session.show_sibling(None, commands.parse_sibling_step(argument, position, count))
        position, count = self._session.siblings.locate_last(self._session.turns)
        self._print_note(f"answer {position} of {count}")
        self._print(sanitize_text(self._session.turns[-1].turn.text))

    async def _print_prompt(self, argument: str) -> None:
        view = await self._session.view_prompt()
        self._print(sanitize_text(view.format_text()))

    async def _set_system(self, argument: str) -> None:
        self._session.system = argument
        self._print_note("the system prompt applies from the next question on")

    async def _fix_run(self, argument: str) -> None:
        await self._print_answer(self._session.ask(self._runs.build_fix_question(argument)))

    async def _explain_stop(self, argument: str) -> None:
        self._print_note("no answer is being written; Ctrl+C stops one")

    async def _explain_theme(self, argument: str) -> None:
        self._print_note("the line mode uses the colors of your terminal")

    async def _resume(self, query: str) -> None:
        """Continue the newest conversation that contains the words; list the others."""
        found = self._session.list_conversations(query)
        if not found:
            raise UsageError("No conversation contains these words", "`/resume` opens the last one")
        for summary in found[1:6]:
            self._print_note(
                f"also {summary.id}: {summary.title} (starchat repl --cid {summary.id})"
            )
        self._session.resume(found[0].id)
        self._print_resumed()

    def _print_resumed(self) -> None:
        self._print_note(f"continuing: {self._session.title}")
        if self._session.former_model:
            self._print_note(format_model_change(self._session.former_model, self._session.model))

    async def _switch_mode(self, name: str) -> None:
        other = next(mode for mode in MODES if mode != self._session.mode)
        wanted = next((mode for mode in MODES if mode == (name or other)), None)
        if wanted is None:
            raise UsageError(f"No mode `{name}`", f"the modes are {' and '.join(MODES)}")
        self._session.switch_mode(wanted)
        self._print_note(format_mode_change(self._session.mode, self._session.model))

    async def _save_block(self, argument: str) -> None:
        number, _, name = argument.partition(" ")
        found = self._runs.blocks
        index = commands.parse_block_number(number, len(found))
        if not name.strip():
            raise UsageError("`/save` needs a file", "give `/save n FILE`")
        saved = commands.save_code(Path(name.strip()), found[index - 1].code)
        self._print_note(f"saved code block {index} to {saved}")

    async def _copy_block(self, argument: str) -> None:
        found = self._runs.blocks
        index = commands.parse_block_number(argument, len(found))
        code = found[index - 1].code
        route = await clipboard.copy_text(
            code, clipboard.find_routes(self._environ), self._copy_with_osc52
        )
        self._print_note(clipboard.describe_copy(f"code block {index}", code, route))

    async def _print_plots(self, argument: str) -> None:
        self._runs.print_plots(argument)

    async def _run_block(self, argument: str) -> None:
        await self._runs.run_block(argument)

    COMMAND_HANDLERS: ClassVar[Mapping[str, Callable[[Repl, str], Awaitable[None]]]] = {
        "help": _print_help,
        "new": _start_conversation,
        "resume": _resume,
        "mode": _switch_mode,
        "retry": _retry,
        "answer": _show_answer,
        "stop": _explain_stop,
        "copy": _copy_block,
        "save": _save_block,
        "run": _run_block,
        "fix": _fix_run,
        "plots": _print_plots,
        "prompt": _print_prompt,
        "system": _set_system,
        "theme": _explain_theme,
        "quit": _quit,
    }
    """Handlers of the slash commands by name, less `SHARED_HANDLERS`; a test compares the names."""

    # Output

    def _copy_with_osc52(self, text: str) -> None:
        """Ask the terminal to copy `text`, with the escape sequence OSC 52."""
        encoded = base64.b64encode(text.encode(errors="replace")).decode()
        self._terminal.out.write(f"\x1b]52;c;{encoded}\a")
        self._terminal.out.flush()

    async def _print_answer(self, answer: AsyncGenerator[ChatEvent, None]) -> None:
        """Print an answer as it arrives; Ctrl+C stops it and keeps its text."""
        renderer = AnsiMarkdownRenderer(color=self._terminal.color)
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self._session.stop)
        if self._accessible:
            self._print("Assistant:")
        try:
            async with aclosing(answer) as events:
                async for event in events:
                    self._print_event(event, renderer)
        finally:
            loop.remove_signal_handler(signal.SIGINT)

    def _print_event(self, event: ChatEvent, renderer: AnsiMarkdownRenderer) -> None:
        if isinstance(event, EngineProgress):
            self._show_progress(format_progress(event.progress))
            return
        self._show_progress("")
        if isinstance(event, AnswerStarted):
            self._context = f" · {event.prompt_tokens}/{event.window}"
            if event.dropped_turns:
                self._print_note(
                    f"the first {event.dropped_turns} turns no longer fit the context window"
                )
            if event.quoted_lines:
                self._print_note(format_quoted_lines(event.quoted_lines))
        elif isinstance(event, AnswerText):
            self._terminal.out.write(renderer.feed(event.text))
            self._terminal.out.flush()
        elif isinstance(event, AnswerFinished):
            self._print(renderer.finish())
            if event.state != "done":
                self._print_note(ANSWER_END_TEXTS[event.state])
            self._print_note(format_stats(event.stats))
        elif isinstance(event, AnswerFailed):
            self._print(renderer.finish())
            self._print_error(event.error)

    def _show_progress(self, text: str) -> None:
        """Replace the progress line; nothing for a screen reader, which would read every update."""
        if self._accessible or not (text or self._progress_is_shown):
            return
        self._terminal.err.write(f"{_CLEAR}{sanitize_text(text)}")
        self._terminal.err.flush()
        self._progress_is_shown = bool(text)

    def _print(self, text: str) -> None:
        print(text, file=self._terminal.out, flush=True)

    def _print_note(self, text: str) -> None:
        dim, plain = (_DIM, _PLAIN) if self._terminal.color else ("", "")
        print(f"{dim}{sanitize_text(text)}{plain}", file=self._terminal.err, flush=True)

    def _print_error(self, error: StarChatError) -> None:
        self._print_note(error.message)
        if error.hint:
            self._print_note(f"  {error.hint}")
