"""What the full-screen face does whatever it shows: themes, signals, clipboard, an orderly end."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from textual import events
from textual._ansi_sequences import ANSI_SEQUENCES_KEYS
from textual.app import App
from textual.keys import Keys
from textual.worker import WorkerFailed

from starchat_tui.errors import StarChatError, UsageError
from starchat_tui.sanitize import clean
from starchat_tui.terminal import clipboard
from starchat_tui.ui.messages import CopyRequested, LinkOpened
from starchat_tui.ui.theme import DARK, LIGHT, NAMES
from starchat_tui.ui.widgets.chat_view import Stage

if TYPE_CHECKING:
    from textual.driver import Driver

SIGNALS = (signal.SIGTERM, signal.SIGHUP)


class Shell(App[None]):
    """The parts of the app that know no conversation."""

    stage: Stage
    PAUSE_GC_ON_SCROLL = True
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (60, "-wide")]  # noqa: RUF012 (as App has it)

    def __init__(self, *, environ: Mapping[str, str], theme: str) -> None:
        super().__init__()
        self._environ = environ
        self._styled = False
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self.choose_theme(theme)
        self.stylesheet.set_variables(self.get_css_variables())
        # What most terminals send for Alt+Enter; Textual would read it as Enter.
        cast(dict[str, Any], ANSI_SEQUENCES_KEYS).setdefault("\x1b\r", (Keys.ControlJ,))

    def refresh_css(self, animate: bool = True) -> None:
        """Style all anew; not the first time, which has nothing new (a tenth of the start)."""
        if self._styled:
            super().refresh_css(animate)
        self._styled = True

    def get_driver_class(self) -> type[Driver]:
        """Textual's, or in the place of the one for a terminal ours, which ends with that."""
        from textual.drivers.linux_driver import LinuxDriver

        from starchat_tui.ui import driver

        found = super().get_driver_class()
        return driver.Driver if found is LinuxDriver else found

    def prepare(self) -> None:
        """An orderly end where the terminal goes away."""
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self._signalled, number)

    def _signalled(self, number: signal.Signals) -> None:
        self.exit(return_code=128 + number)

    def _watch_app_focus(self, focus: bool) -> None:
        """Keep the focus; Textual styles every widget anew here, seconds in a long conversation."""

    def _handle_exception(self, error: Exception) -> None:
        """End without a traceback on the screen; `run` raises the error at the door."""
        if self._exception is None:
            cause = error.error if isinstance(error, WorkerFailed) else error
            self._exception = cause if isinstance(cause, Exception) else error
            self._exception_event.set()
        self._return_code = 1
        self._close_messages_no_wait()

    def run(self, *args: Any, **kwargs: Any) -> None:
        """Run until the user leaves; an error that nobody caught is raised here."""
        try:
            return super().run(*args, **kwargs)
        finally:
            if self._exception is not None:
                raise self._exception

    def show_error(self, error: StarChatError) -> None:
        """Say what happened and what to do next."""
        self.say(f"{error.message}. {error.hint}")

    @contextmanager
    def _shown_errors(self) -> Iterator[None]:
        try:
            yield
        except StarChatError as error:
            self.show_error(error)

    def in_background(
        self,
        work: Callable[[], Coroutine[Any, Any, None]],
        *,
        group: str,
        exclusive: bool = False,
    ) -> None:
        """Run `work` beside the keys; with `exclusive` it ends what its group still does."""
        self.run_worker(cast(Any, work), group=group, exclusive=exclusive)

    # Themes

    def choose_theme(self, name: str) -> None:
        """Take a theme by name, or the light one for the dark one; raises `UsageError`."""
        if not name:
            name = "light" if self.current_theme.dark else "dark"
        wanted = NAMES.get(name, name)
        if wanted not in self.available_themes:
            names = ", ".join(["dark", "light", *sorted(self.available_themes)])
            raise UsageError(f"There is no theme `{name}`", f"there are {names}")
        self.theme = wanted

    def action_toggle_theme(self) -> None:
        """Light for dark, dark for light."""
        self.choose_theme("")

    # The stage

    def mention(self, text: str) -> None:
        """A line in the conversation that is not part of it."""
        self.in_background(partial(self.stage.transcript.note, text), group="note")

    def action_copy_next(self) -> None:
        """Copy the last code block, the one before it when repeated."""
        with self._shown_errors():
            self.stage.copy_next()

    def action_page(self, pages: int) -> None:
        """Scroll the conversation by pages."""
        self.stage.page(pages)

    def action_end(self, side: int) -> None:
        """Scroll the conversation to its beginning or its end."""
        self.stage.end(side)

    def on_key(self, event: events.Key) -> None:
        """A letter typed where nothing takes it belongs to the draft."""
        taken = event.key in self.screen.active_bindings
        plain = event.is_printable and not taken and not event.key.startswith("alt+")
        if plain and event.character and len(self.screen_stack) == 1:
            self.stage.composer.focus()
            self.stage.composer.insert(event.character)

    # The clipboard

    def copy_out(self, text: str, what: str) -> None:
        """Copy, and say which way it went."""
        self.in_background(partial(self._copy_out, text, what), group="copy")

    async def _copy_out(self, text: str, what: str) -> None:
        route = await clipboard.copy(text, clipboard.routes(self._environ), self.copy_to_clipboard)
        self.say(clipboard.report(what, text, route))

    def on_copy_requested(self, message: CopyRequested) -> None:
        """A code block asked to be copied."""
        self.copy_out(message.code, message.what)

    def say(self, text: str) -> None:
        """A notice that leaves by itself, or for the next one."""
        self.clear_notifications()
        self.notify(clean(text), markup=False)

    # Links

    def on_link_opened(self, message: LinkOpened) -> None:
        """Show where a link leads before it is followed."""
        from starchat_tui.ui.screens.dialogs import LinkDialog

        def decided(choice: str | None) -> None:
            if choice == "open":
                self.open_url(message.url)
            elif choice == "copy":
                self.copy_out(message.url, "the link")

        self.push_screen(LinkDialog(message.url), decided)
