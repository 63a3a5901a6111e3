"""Base of the app that knows no conversation: themes, signals, driver, errors that end it."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from textual.screen import Screen

from starchat_tui.errors import UsageError
from starchat_tui.ui.textual_overrides import QuietApp, SafeScreen, register_alt_enter
from starchat_tui.ui.theme import DARK, LIGHT, SHORT_NAMES

if TYPE_CHECKING:
    from textual.driver import Driver

EXIT_SIGNALS = (signal.SIGTERM, signal.SIGHUP)
EXIT_SECONDS = 5.0
"""Seconds that an orderly exit may take after a signal; then the signal ends the process."""


class BaseApp(QuietApp):
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
        register_alt_enter()

    def get_default_screen(self) -> Screen[Any]:
        """Return the screen of the chat."""
        return SafeScreen(id="_default")

    def refresh_css(self, animate: bool = True) -> None:
        """Restyle all widgets, except the first time."""
        # The theme set in `__init__` has Textual restyle a screen that was just styled with the
        # same variables: a tenth of the time to the first frame.
        if self._is_styled:
            super().refresh_css(animate)
        self._is_styled = True

    def get_driver_class(self) -> type[Driver]:
        """Return Textual's driver, or in place of the Linux one ours, which nothing ends."""
        from textual.drivers.linux_driver import LinuxDriver

        from starchat_tui.ui import driver

        found = super().get_driver_class()
        return driver.ChatDriver if found is LinuxDriver else found

    def handle_signals(self) -> None:
        """Exit orderly when the process is terminated or the terminal goes away."""
        # Textual itself dies of them and leaves the terminal in raw mode, with mouse reporting.
        loop = asyncio.get_running_loop()

        def exit_soon(number: int, _: object) -> None:
            # Not `loop.add_signal_handler`: the loop may be busy for long, and the timer of
            # `_end_process` has to run from now on.
            timer = threading.Timer(EXIT_SECONDS, self._end_process, [number])
            timer.daemon = True
            timer.start()
            # Once the loop is closed, the process is about to end by itself.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self.exit, None, 128 + number)

        for number in EXIT_SIGNALS:
            signal.signal(number, exit_soon)

    def _end_process(self, number: int) -> None:
        """End the process, which has not obeyed a signal in time; called in a thread."""
        # Whatever the app is busy with may be in the way.
        with suppress(Exception):
            self.save_draft()
        if number == signal.SIGHUP:
            os._exit(128 + number)
        # The supervisor restores the terminal of a child that was killed.
        os.kill(os.getpid(), signal.SIGKILL)

    def save_draft(self) -> None:
        """Save what was typed and not sent."""

    def run(self, *args: Any, **kwargs: Any) -> None:
        """Run until the user quits; raise the error that ended the app, if one did."""
        try:
            return super().run(*args, **kwargs)
        finally:
            with suppress(Exception):
                self.save_draft()

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
