"""Base of the app that knows no conversation: themes, signals, driver, errors that end it."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Any, cast

from textual._ansi_sequences import ANSI_SEQUENCES_KEYS
from textual.app import App
from textual.keys import Keys
from textual.worker import WorkerFailed

from starchat_tui.errors import UsageError
from starchat_tui.ui.theme import DARK, LIGHT, SHORT_NAMES

if TYPE_CHECKING:
    from textual.driver import Driver

EXIT_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


class BaseApp(App[None]):
    """Adjusts Textual's app to a chat that has to start fast and end orderly."""

    PAUSE_GC_ON_SCROLL = True
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (60, "-wide")]  # noqa: RUF012 (as App has it)

    def __init__(self, *, theme: str) -> None:
        super().__init__()
        self._is_styled = False
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self.choose_theme(theme)
        self.stylesheet.set_variables(self.get_css_variables())
        # Most terminals send this for Alt+Enter; Textual would read it as Enter.
        cast(dict[str, Any], ANSI_SEQUENCES_KEYS).setdefault("\x1b\r", (Keys.ControlJ,))

    def refresh_css(self, animate: bool = True) -> None:
        """Restyle all widgets, except the first time."""
        # The theme set in `__init__` has Textual restyle a screen that was just styled with the
        # same variables: a tenth of the time to the first frame.
        if self._is_styled:
            super().refresh_css(animate)
        self._is_styled = True

    def get_driver_class(self) -> type[Driver]:
        """Return Textual's driver, or in place of the Linux one ours, which survives a hangup."""
        from textual.drivers.linux_driver import LinuxDriver

        from starchat_tui.ui import driver

        found = super().get_driver_class()
        return driver.HangupSafeDriver if found is LinuxDriver else found

    def handle_signals(self) -> None:
        """Exit orderly when the process is terminated or the terminal goes away."""
        # Textual itself dies of them and leaves the terminal in raw mode, with mouse reporting.
        loop = asyncio.get_running_loop()
        for number in EXIT_SIGNALS:
            loop.add_signal_handler(number, self._exit_on_signal, number)

    def _exit_on_signal(self, number: signal.Signals) -> None:
        self.exit(return_code=128 + number)

    def _watch_app_focus(self, focus: bool) -> None:
        """Ignore that the terminal's window gained or lost the focus.

        Textual would restyle every widget here: seconds in a long conversation
        (mistralai/mistral-vibe#1105). The method is private, so Textual's version is pinned.
        """

    def _handle_exception(self, error: Exception) -> None:
        """Exit without a traceback on the screen; `run` raises the error again."""
        if self._exception is None:
            cause = error.error if isinstance(error, WorkerFailed) else error
            self._exception = cause if isinstance(cause, Exception) else error
            self._exception_event.set()
        self._return_code = 1
        self._close_messages_no_wait()

    def run(self, *args: Any, **kwargs: Any) -> None:
        """Run until the user quits; raise the error that ended the app, if one did."""
        try:
            return super().run(*args, **kwargs)
        finally:
            if self._exception is not None:
                raise self._exception

    def choose_theme(self, name: str) -> None:
        """Set a theme by name; without a name switch between light and dark.

        Raises `UsageError` if there is no such theme.
        """
        if not name:
            name = "light" if self.current_theme.dark else "dark"
        wanted = SHORT_NAMES.get(name, name)
        if wanted not in self.available_themes:
            names = ", ".join(["dark", "light", *sorted(self.available_themes)])
            raise UsageError(f"There is no theme `{name}`", f"choose one of {names}")
        self.theme = wanted

    def action_toggle_theme(self) -> None:
        """Switch between light and dark."""
        self.choose_theme("")
