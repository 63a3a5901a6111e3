"""Textual driver for a terminal that may send anything, and that may go away.

A window is closed, a connection breaks, and not every such end comes with SIGHUP: the first read or
write that fails sends it.
"""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import IO, Any

from textual import events
from textual._xterm_parser import XTermParser
from textual.app import ScreenStackError
from textual.drivers.linux_driver import LinuxDriver
from textual.geometry import Size
from textual.message import Message

from starchat_tui.terminal.input_decoder import InputDecoder, Keys, Paste, is_burst
from starchat_tui.ui.textual_overrides import finish_sequence

READ_BYTES = 2**16
MAX_BURST_BYTES = 2**20
"""Bytes of a paste without brackets that are collected before it is inserted."""
POLL_SECONDS = 0.1
"""Seconds after which an incomplete sequence, such as the Escape key alone, is complete."""
BURST_SECONDS = 0.02
"""Seconds without input that end a paste without brackets."""
PASTE_SECONDS = 2.0
"""Seconds without input after which the end of a bracketed paste will not come."""
MAX_QUEUED_EVENTS = 64
"""Events that wait for the app; further input waits in the terminal."""
MAX_CELLS = 1000
"""Columns or rows of the largest screen."""


class TerminalWriter:
    """File that the driver's thread writes to; output to a terminal that is gone is discarded.

    An exception would end that thread, and the app would then wait forever to hand it the next
    frame: it goes to `report`.
    """

    def __init__(self, file: IO[str], report: Callable[[Exception], None]) -> None:
        self._file = file
        self._report = report
        self._is_gone = False

    def write(self, text: str) -> None:
        """Write to the terminal."""
        self._attempt(lambda: self._file.write(text))

    def flush(self) -> None:
        """Flush what was written."""
        self._attempt(self._file.flush)

    def fileno(self) -> int:
        """Return the terminal's file descriptor."""
        return self._file.fileno()

    def _attempt(self, write: Callable[[], object]) -> None:
        if self._is_gone:
            return
        try:
            write()
        except OSError:
            self._is_gone = True
            _hang_up()
        # Later frames are tried all the same: the last one restores the terminal.
        except Exception as error:  # noqa: BLE001  (the boundary of that thread)
            self._report(error)


class ChatDriver(LinuxDriver):
    """Linux driver that no byte, no size and no lost terminal can end without a word."""

    def __init__(self, app: Any, **options: Any) -> None:
        super().__init__(app, **options)
        self._file: Any = TerminalWriter(self._file, self._report_error)
        self._parser = XTermParser()
        self._decoder = InputDecoder()
        self._has_focused = False
        """True once a widget had the focus."""

    def run_input_thread(self) -> None:
        """Read the terminal until the driver stops; an error here ends the app as any other."""
        try:
            self._read_terminal()
        except Exception as error:  # noqa: BLE001  (the boundary of this thread)
            self._report_error(error)

    def _report_error(self, error: Exception) -> None:
        """End the app because of an error in a thread of the driver."""
        self._app.call_later(self._app._handle_exception, error)

    def _read_terminal(self) -> None:
        # Textual's own loop decodes strictly (Textualize/textual#6456, #6668), loses the order of
        # a paste that holds an escape character, and makes an edit of each pasted character.
        silence = 0.0
        while not self.exit_event.is_set():
            was_ready = self._has_focused
            self._await_app()
            is_early = not was_ready and self._is_readable(0)
            if not self._is_readable(POLL_SECONDS):
                silence += POLL_SECONDS
                if silence >= (PASTE_SECONDS if self._decoder.is_pasting else POLL_SECONDS):
                    self._handle_input(self._decoder.flush())
                continue
            silence = 0.0
            data = self._read_burst()
            if not data:
                _hang_up()
                return
            parts = self._decoder.feed(data)
            self._handle_input([_convert_enter(part) for part in parts] if is_early else parts)

    def _await_app(self) -> None:
        """Wait while the app is behind, so that its end does not have to wait for a flood."""
        while self._is_behind():
            if self.exit_event.wait(POLL_SECONDS / 10):
                return
            if self._is_hung_up():
                _hang_up()
                self.exit_event.wait()
                return

    def _is_behind(self) -> bool:
        """Return whether input has to wait; before a widget has the focus, pastes get lost."""
        app = self._app
        # No screen yet, or none any more.
        with suppress(ScreenStackError):
            self._has_focused = self._has_focused or app.focused is not None
            pumps = (app, app.screen, app.focused or app)
            queued = max(pump.message_queue_size for pump in pumps)
            return not self._has_focused or queued > MAX_QUEUED_EVENTS
        return True

    def _is_hung_up(self) -> bool:
        """Return whether the other end of the terminal is closed, whatever it sent before."""
        poll = select.poll()
        poll.register(self.fileno, 0)
        return any(event & select.POLLHUP for _, event in poll.poll(0))

    def _is_readable(self, seconds: float) -> bool:
        return bool(select.select([self.fileno], [], [], seconds)[0])

    def _read_burst(self) -> bytes:
        """Return the next input, with all of a paste; empty if the terminal is gone."""
        data = part = self._read()
        # The line discipline hands out 4,096 bytes at a time, and a paste that were cut there could
        # end in a line break that looks like the Enter key.
        while part and is_burst(data) and len(data) < MAX_BURST_BYTES:
            if not self._is_readable(BURST_SECONDS):
                break
            part = self._read()
            data += part
        return data

    def _read(self) -> bytes:
        # EIO, on Linux, where the other end of the terminal was closed.
        with suppress(OSError):
            return os.read(self.fileno, READ_BYTES)
        return b""

    def _handle_input(self, parts: list[Keys | Paste]) -> None:
        for part in parts:
            # One read may bring a hundred thousand keys.
            self._await_app()
            if self.exit_event.is_set():
                return
            if isinstance(part, Paste):
                self.process_message(events.Paste(part.text))
            elif part.text == "\x1b":
                self.process_message(events.Key("escape", "\x1b"))
            else:
                for message in self._parse(part.text):
                    self.process_message(message)

    def _parse(self, text: str) -> list[Message]:
        """Return the messages of keys, or of one whole sequence; none where it has no meaning."""
        is_sequence = text.startswith("\x1b")
        try:
            found = list(self._parser.feed(text))
            if is_sequence and not found and not text.startswith("\x1b["):
                found = finish_sequence(self._parser)
        # A number of any size may stand in a sequence: the parser makes a character of it.
        except Exception:  # noqa: BLE001  (no input may end the thread)
            found = []
        if is_sequence and not found:
            # A parser in the middle of a sequence would take the next keys for its rest.
            self._parser = self._copy_parser()
        return found

    def _copy_parser(self) -> XTermParser:
        """Return a parser that is in no sequence and knows the same terminal."""
        parser = XTermParser()
        for name in ("last_x", "last_y", "mouse_pixels", "terminal_size", "terminal_pixel_size"):
            setattr(parser, name, getattr(self._parser, name))
        return parser

    def process_message(self, message: Message) -> None:
        """Hand a message to the app; a size that is reported as input is checked."""
        if isinstance(message, events.Resize):
            # The system knows the size. What comes as input may be forged, or torn: a screen of a
            # million cells would take seconds to draw.
            size = Size(*self._get_terminal_size())
            message = events.Resize(size, size, pixel_size=message.pixel_size)
        super().process_message(message)

    def _get_terminal_size(self) -> tuple[int, int]:
        width, height = super()._get_terminal_size()
        return min(width, MAX_CELLS), min(height, MAX_CELLS)


def _convert_enter(part: Keys | Paste) -> Keys | Paste:
    """Return what was typed before the first frame: none of it sends a question."""
    # A paste may be cut at a line break, and an Enter key was meant for the shell.
    is_text = isinstance(part, Keys) and part.text.endswith(("\r", "\n"))
    return Paste(part.text.replace("\r", "\n") if part.text.strip() else "") if is_text else part


def _hang_up() -> None:
    """Tell this process that its terminal is gone, as the system does where it knows."""
    os.kill(os.getpid(), signal.SIGHUP)
