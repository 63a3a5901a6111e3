"""The full-screen chat: owns the view and the controllers, and binds keys and commands to them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, ClassVar

from textual import events
from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen

from starchat_tui.chat import commands
from starchat_tui.chat.session import Session
from starchat_tui.chat.shared_commands import SHARED_HANDLERS
from starchat_tui.errors import StarChatError, UsageError
from starchat_tui.sanitize import sanitize_text
from starchat_tui.terminal import clipboard
from starchat_tui.terminal.input_history import Draft, InputHistory
from starchat_tui.terminal.status_text import UNSAFE_WARNING
from starchat_tui.ui.answer_controller import AnswerController
from starchat_tui.ui.app_base import BaseApp
from starchat_tui.ui.command_provider import CommandProvider
from starchat_tui.ui.conversation_controller import ConversationController
from starchat_tui.ui.messages import (
    CopyRequested,
    DraftChanged,
    FigureActionRequested,
    FixRequested,
    LinkClicked,
    NoticeRequested,
    RunRequested,
    SiblingRequested,
    Submitted,
)
from starchat_tui.ui.options import ChatOptions
from starchat_tui.ui.run_controller import RunController
from starchat_tui.ui.status_controller import TYPING_PAUSE, StatusController
from starchat_tui.ui.warm_up import import_lazy_modules
from starchat_tui.ui.widgets.answer_view import AnswerView
from starchat_tui.ui.widgets.chat_view import ChatView
from starchat_tui.ui.widgets.welcome import Welcome

QUIT_INTERVAL = 3.0
"""Seconds in which a second Ctrl+C quits."""


class StarChatApp(BaseApp):
    """A conversation on the full screen."""

    CSS_PATH = "starchat.tcss"
    COMMANDS: ClassVar[set[Any]] = {CommandProvider}
    TITLE = "StarChat"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "stop", "stop the answer or the code", id="chat.stop"),
        # Priority: Textual's own Ctrl+C, and the text area's, would take it first.
        Binding(
            "ctrl+c", "interrupt", "copy, stop, clear, quit", id="chat.interrupt", priority=True
        ),
        Binding("ctrl+d", "quit", "quit, if nothing is typed", id="chat.leave"),
        Binding("f1", "help", "keys and commands", id="chat.help"),
        Binding("f2", "switch", "switch between chat and ta mode", id="chat.mode"),
        Binding("ctrl+n", "new", "new conversation", id="chat.new"),
        Binding("ctrl+o", "library", "browse conversations", id="chat.library"),
        Binding("ctrl+r", "retry", "another answer", id="chat.retry"),
        Binding("ctrl+t", "toggle_theme", "light or dark", id="chat.theme"),
        Binding("ctrl+l", "close_error", "close the error", id="chat.close"),
        Binding("alt+y", "copy_next", "copy the last code block, then older ones", id="chat.copy"),
        Binding("alt+r", "run_last", "run the last code block", id="chat.run"),
        Binding("ctrl+p", "command_palette", "search the commands", id="chat.palette"),
        Binding("alt+left", "sibling(-1)", "the answer before this one", id="chat.previous"),
        Binding("alt+right", "sibling(1)", "the answer after this one", id="chat.next"),
        Binding("alt+f", "fix_last", "send the last error to the model", id="chat.fix"),
        Binding("pageup", "page(-1)", id="chat.page_up"),
        Binding("pagedown", "page(1)", id="chat.page_down"),
        Binding("ctrl+home", "end(-1)", id="chat.top"),
        Binding("ctrl+end", "end(1)", id="chat.bottom"),
    ]

    def __init__(self, session: Session, options: ChatOptions) -> None:
        super().__init__(theme=options.theme)
        self._session = session
        self._options = options
        self._last_interrupt = 0.0
        manager = session.kernel_manager
        draft = Draft(options.draft)
        self.chat_view = ChatView(
            self._create_welcome(),
            InputHistory(options.input_history),
            draft=draft.read() + options.typed_ahead,
            images=options.images,
            load_results=session.load_run_results,
            locate_sibling=session.siblings.locate,
            warning=UNSAFE_WARNING if manager is not None and manager.unsafe else "",
        )
        view = self.chat_view
        self.status = StatusController(session, view, draft, is_demo=options.is_demo)
        self.answers = AnswerController(session, view, self.status)
        self.conversations = ConversationController(
            session,
            view,
            self.status,
            create_welcome=self._create_welcome,
            clock=options.clock,
        )
        self.runs = RunController(
            session,
            view,
            plots=options.plots,
            images=options.images,
            environment=options.environment,
        )

    def compose(self) -> ComposeResult:
        """Yield the view that fills the screen."""
        yield self.chat_view

    def _create_welcome(self) -> Welcome:
        return Welcome(
            model=self._session.model,
            demo=self._options.is_demo and not self._session.server,
            server=self._session.server,
            get_advice=self._options.get_advice,
        )

    async def on_mount(self) -> None:
        """Show the resumed conversation and ask the first question."""
        self.handle_signals()
        if self._session.turns:
            await self.conversations.show()
        self.status.refresh(TYPING_PAUSE)
        if self._options.first_question:
            self.answers.ask(self._options.first_question)
        # Not at once: the imports hold the interpreter, and the first keys would wait for them.
        self.set_timer(TYPING_PAUSE, lambda: self.run_worker(import_lazy_modules, thread=True))

    async def on_unmount(self) -> None:
        """Save the draft and end what runs."""
        self.save_draft()
        await self._session.aclose()

    def save_draft(self) -> None:
        """Save what was typed and not sent."""
        self.status.save_draft()

    # Messages of widgets

    def on_submitted(self, message: Submitted) -> None:
        """Ask a question or run a command."""
        self.chat_view.banner.hide()
        try:
            parsed = commands.parse_line(message.text)
            if isinstance(parsed, commands.Question):
                self.answers.ask(parsed.text)
            else:
                self._run_command(parsed)
        except StarChatError as error:
            self.chat_view.show_error(error)
            # A command that cannot be run is there to be corrected.
            self.chat_view.restore_draft(message.text)

    def on_draft_changed(self, message: DraftChanged) -> None:
        """Save the draft and count its tokens once the user pauses."""
        self.status.schedule()

    def on_copy_requested(self, message: CopyRequested) -> None:
        """Copy a text."""
        self._copy(message.text, message.subject)

    def on_run_requested(self, message: RunRequested) -> None:
        """Run a code block."""
        with self.chat_view.show_errors():
            self.runs.run_block(str(message.number))

    def on_fix_requested(self, message: FixRequested) -> None:
        """Send the error of a run to the model."""
        with self.chat_view.show_errors():
            self.runs.fix(str(message.number))

    def on_figure_action_requested(self, message: FigureActionRequested) -> None:
        """Enlarge, open or save a plot."""
        with self.chat_view.show_errors():
            self.runs.handle_figure(message)

    def on_sibling_requested(self, message: SiblingRequested) -> None:
        """Show another answer to the same question."""
        self._show_sibling(message.turn, message.step)

    def _show_sibling(self, turn: int | None, step: int) -> None:
        with self.chat_view.show_errors():
            if self.answers.is_busy or self.runs.is_running:
                raise UsageError("Another answer has to wait", "stop this one with Esc first")
            self.conversations.show_sibling(turn, step)

    def on_notice_requested(self, message: NoticeRequested) -> None:
        """Show a notice in place of the one before."""
        self.clear_notifications()
        self.notify(sanitize_text(message.text), markup=False)

    def on_link_clicked(self, message: LinkClicked) -> None:
        """Show where a link leads before it is followed."""
        from starchat_tui.ui.screens.dialogs import LinkDialog

        def follow(choice: str | None) -> None:
            if choice == "open":
                self.open_url(message.url)
            elif choice == "copy":
                self._copy(message.url, "the link")

        self.push_screen(LinkDialog(message.url), follow)

    # The clipboard

    def _copy(self, text: str, subject: str) -> None:
        self.chat_view.run_in_background(partial(self._copy_text, text, subject), group="copy")

    async def _copy_text(self, text: str, subject: str) -> None:
        routes = clipboard.find_routes(self._options.environment)
        route = await clipboard.copy_text(text, routes, self.copy_to_clipboard)
        self.chat_view.show_notice(clipboard.describe_copy(subject, text, route))

    # Commands

    def _run_command(self, call: commands.CommandCall) -> None:
        """Run a slash command; raise `UsageError` if it cannot be run now, or not here at all."""
        name = call.command.name
        if self.answers.is_busy and not call.command.while_busy:
            raise UsageError(f"`/{name}` has to wait for the answer", "stop it with Esc first")
        if self.runs.is_running and name in ("new", "resume"):
            raise UsageError(f"`/{name}` has to wait for the code", "interrupt it with Esc first")
        if shared := SHARED_HANDLERS.get(name):
            self.runs.run_shared(shared, call)
            return
        handle = COMMAND_HANDLERS.get(name)
        if handle is None:
            raise UsageError(f"`/{name}` does not work on this screen", "`/help` lists what does")
        handle(self, call.argument)

    def _run_command_named(self, name: str) -> None:
        """Run the command of that name without an argument."""
        command = commands.find_command(name)
        assert command is not None, name
        with self.chat_view.show_errors():
            self._run_command(commands.CommandCall(command))

    def save_block(self, argument: str) -> None:
        """Write a code block to a new file."""
        path = self.chat_view.save_block(argument)
        self.chat_view.show_notice(f"Wrote {sanitize_text(str(path))}")

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Yield the commands that work without an argument, for the command palette."""
        for command in commands.COMMANDS:
            if not command.argument or command.argument.startswith("["):
                yield SystemCommand(
                    command.usage, command.summary, partial(self._run_command_named, command.name)
                )
        yield SystemCommand("themes", "choose among all themes", self.search_themes)

    # Keys

    async def on_event(self, event: events.Event) -> None:
        """Focus the draft for a letter or a paste that nothing else takes."""
        # Not in `on_key`: later keys would overtake the one that is on its way up to the app.
        is_input = isinstance(event, events.Key | events.Paste) and not event.is_forwarded
        if is_input and len(self.screen_stack) == 1 and self._is_for_draft(event):
            self.screen.set_focus(self.chat_view.composer)
        await super().on_event(event)

    def _is_for_draft(self, event: events.Event) -> bool:
        if not isinstance(event, events.Key):
            return True
        is_bound = event.key in self.screen.active_bindings
        return event.is_printable and not is_bound and not event.key.startswith("alt+")

    def action_stop(self) -> None:
        """Stop the answer or the code; if neither runs, close the error. Then focus the draft."""
        if not self.answers.stop() and not self.runs.interrupt():
            self.chat_view.banner.hide()
        self.chat_view.composer.focus()

    def action_close_error(self) -> None:
        """Close the error; what runs goes on."""
        self.chat_view.banner.hide()

    def action_interrupt(self) -> None:
        """Copy the selection, else stop, else clear the draft, else quit at the second key."""
        composer = self.chat_view.composer
        selected = self.screen.get_selected_text() or composer.selected_text
        if selected:
            self._copy(selected, "the selection")
            # The next Ctrl+C is to stop or quit.
            self.screen.clear_selection()
        elif self.answers.stop() or self.runs.interrupt():
            pass
        elif composer.text:
            composer.clear_draft()
        elif self._options.clock() - self._last_interrupt < QUIT_INTERVAL:
            self.exit()
        else:
            self._last_interrupt = self._options.clock()
            self.chat_view.show_notice("Press Ctrl+C again to quit")

    def action_help(self) -> None:
        """Show the keys and commands."""
        from starchat_tui.ui.help_text import build_help
        from starchat_tui.ui.screens.dialogs import TextDialog

        bindings = [binding for binding in self.BINDINGS if isinstance(binding, Binding)]
        self.push_screen(TextDialog("StarChat", build_help(bindings)))

    def action_switch(self) -> None:
        """Continue in the other mode."""
        self._run_command_named("mode")

    def action_new(self) -> None:
        """Start a new conversation."""
        self._run_command_named("new")

    def action_library(self) -> None:
        """Browse the stored conversations."""
        self._run_command_named("resume")

    def action_retry(self) -> None:
        """Ask the last question again."""
        self._run_command_named("retry")

    def action_run_last(self) -> None:
        """Run the last code block."""
        with self.chat_view.show_errors():
            self.runs.run_block("")

    def action_sibling(self, step: int) -> None:
        """Show another answer to a question: of the focused answer, or the last with several."""
        around = self.focused.ancestors if self.focused else []
        turn = next((one.turn_id for one in around if isinstance(one, AnswerView)), None)
        self._show_sibling(turn, step)

    def action_fix_last(self) -> None:
        """Send the error of the last failed run to the model."""
        with self.chat_view.show_errors():
            self.runs.fix("")

    def action_copy_next(self) -> None:
        """Copy the last code block; pressed again, the one before it."""
        with self.chat_view.show_errors():
            self.chat_view.request_next_copy()

    def action_page(self, pages: int) -> None:
        """Scroll the conversation by pages."""
        self.chat_view.scroll_by_page(pages)

    def action_end(self, side: int) -> None:
        """Scroll the conversation to its beginning or its end."""
        self.chat_view.scroll_to_edge(side)


CommandHandler = Callable[[StarChatApp, str], None]
"""Runs a slash command with its argument; raises `UsageError` if it cannot."""

COMMAND_HANDLERS: Mapping[str, CommandHandler] = {
    "help": lambda app, _: app.action_help(),
    "new": lambda app, _: app.conversations.start_new(),
    "resume": lambda app, query: app.conversations.open_library(query),
    "mode": lambda app, name: app.conversations.switch_mode(name),
    "retry": lambda app, _: app.answers.retry(),
    "answer": lambda app, number: app.conversations.show_answer(number),
    "stop": lambda app, _: app.action_stop(),
    "copy": lambda app, number: app.chat_view.request_copy(number),
    "save": lambda app, argument: app.save_block(argument),
    "run": lambda app, number: app.runs.run_block(number, explicit=True),
    "fix": lambda app, number: app.runs.fix(number),
    "plots": lambda app, number: app.runs.show_plots(number),
    "prompt": lambda app, _: app.conversations.show_prompt(),
    "system": lambda app, text: app.conversations.set_system(text),
    "theme": lambda app, name: app.choose_theme(name),
    "quit": lambda app, _: app.exit(),
}
"""Handlers by the names of their commands in `commands.COMMANDS`, less `SHARED_HANDLERS`."""
