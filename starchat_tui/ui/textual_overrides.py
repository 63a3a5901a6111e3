"""Uses of what Textual does not document, each with its reason; its version is pinned.

The overrides of methods of `App` and `Screen` are classes to inherit from, the others functions.
"""

from __future__ import annotations

from traceback import walk_tb
from typing import TYPE_CHECKING, Any, cast

from textual._ansi_sequences import ANSI_SEQUENCES_KEYS
from textual.app import App
from textual.await_complete import AwaitComplete
from textual.command import CommandPalette
from textual.css.query import NoMatches
from textual.errors import NoWidget
from textual.events import Event, MouseEvent
from textual.geometry import Offset
from textual.keys import Keys
from textual.screen import ModalScreen, Screen, ScreenResultType
from textual.selection import Selection, SelectStart, SelectState
from textual.widget import MountError, Widget
from textual.widgets import Input
from textual.worker import WorkerFailed

if TYPE_CHECKING:
    from textual._xterm_parser import XTermParser
    from textual.geometry import Region
    from textual.message import Message

MAX_QUERY_CHARACTERS = 200
"""Length of what can be searched for."""


def register_alt_enter() -> None:
    """Make Alt+Enter a line break: Textual would read what terminals send for it as Enter."""
    cast(dict[str, Any], ANSI_SEQUENCES_KEYS).setdefault("\x1b\r", (Keys.ControlJ,))


def finish_sequence(parser: XTermParser) -> list[Message]:
    """Return the messages of the sequence that a parser is in, as after its delay.

    The parser waits for the rest of a sequence, and we know that there is none.
    """
    parser._timeout_time = 0.0
    return list(parser.tick())


def _is_of_leaving_widget(error: Exception) -> bool:
    """Return whether an error is only that a widget has left the screen while it worked.

    Children go before their parent, whose workers, timers and watchers run on until then: the
    command palette fails so if it is closed while it gathers commands (Textualize/textual#6643),
    and an answer if the user quits or leaves the conversation while its last part is drawn.
    """
    if not isinstance(error, NoMatches | MountError):
        return False
    callers = (frame.f_locals.get("self") for frame, _ in walk_tb(error.__traceback__))
    return any(isinstance(caller, Widget) and _is_leaving(caller) for caller in callers)


def _is_leaving(widget: Widget) -> bool:
    """Return whether a widget was on the screen, and leaves it or has left it."""
    if widget._pruning or widget._closing or widget._closed:
        return True
    # None is attached any more once the app exits.
    return widget._is_mounted and not widget.is_attached


class QuietApp(App[None]):
    """App that ends without a traceback on the screen and does not restyle without need."""

    def _watch_app_focus(self, focus: bool) -> None:
        """Ignore that the terminal's window gained or lost the focus.

        Textual would restyle every widget here: seconds in a long conversation
        (mistralai/mistral-vibe#1105).
        """

    def _handle_exception(self, error: Exception) -> None:
        """Exit; `run` raises the error again, and the error boundary reports it."""
        # Textual prints a traceback with the values of variables on the screen, and some of its
        # ways here leave the exit code at 0 (`App.panic`, which its input thread calls).
        failed = error.error if isinstance(error, WorkerFailed) else None
        cause = failed if isinstance(failed, Exception) else error
        if _is_of_leaving_widget(cause):
            return
        if self._exception is None:
            self._exception = cause
            self._exception_event.set()
        self._return_code = 1
        self._close_messages_no_wait()

    def copy_to_clipboard(self, text: str) -> None:
        """Copy a text; an empty one leaves the clipboard as it is.

        Ctrl+X in a field without a selection would clear what the user copied elsewhere.
        """
        if text:
            super().copy_to_clipboard(text)

    def action_command_palette(self) -> None:
        """Open the command palette."""
        if self.use_command_palette and not CommandPalette.is_open(cast(Any, self)):
            self.push_screen(SafePalette(id="--command-palette"))

    def run(self, *args: Any, **kwargs: Any) -> None:
        """Run until the user quits; raise the error that ended the app, if one did."""
        try:
            return super().run(*args, **kwargs)
        finally:
            if self._exception is not None:
                raise self._exception


class _ScrolledStart(SelectStart):
    """Start of a selection, whose position follows the text when its container scrolls."""

    @property
    def pointer_start_offset(self) -> Offset:
        """Position on the screen. Textual 8.2 adds what was scrolled, and loses the selection."""
        scrolled = self.container.scroll_offset - self.container_initial_scroll_offset
        return self.container.region.offset + self.container_pointer_delta - scrolled


def _include_last_letter(selection: Selection) -> Selection:
    """Return a selection with the letter below the pointer.

    Textual 8.2 includes it only if the selection begins in the same widget.
    """
    start, end = selection
    if start is None and end is not None:
        return Selection(None, Offset(end.x + 1, end.y))
    return selection


class _GuardedScreen(Screen[ScreenResultType]):
    """Screen on which no mouse event, and no key that comes too late, ends the app.

    While an answer streams, a widget leaves the screen between two frames, and Textual's compositor
    still finds it below the pointer: it has no parent and no region (Textualize/textual#6643).
    """

    def get_widget_at(self, x: int, y: int) -> tuple[Widget, Region]:
        """Return the widget at a position; raise `NoWidget` also if it has left the screen."""
        widget, region = super().get_widget_at(x, y)
        if not widget.is_attached:
            raise NoWidget(f"The widget at ({x}, {y}) has left the screen")
        return widget, region

    def get_widget_and_offset_at(self, x: int, y: int) -> tuple[Widget | None, Offset | None]:
        """Return the widget at a position and the offset in its content; None if it has left."""
        try:
            widget, offset = super().get_widget_and_offset_at(x, y)
        # Its content has changed since it was laid out.
        except (AttributeError, LookupError, NoWidget):
            return None, None
        is_present = widget is not None and widget.is_attached and widget.parent is not None
        return (widget, offset) if is_present else (None, None)

    def get_selected_text(self) -> str | None:
        """Return the selected text as it was written; None if there is none."""
        if not self.selections:
            return None
        # Imported late: it imports Markdown, which the first frame does without.
        from starchat_tui.ui.selected_text import join_selected_text

        return join_selected_text(self.selections) or None

    def _watch__select_state(self, select_state: SelectState | None) -> None:
        """Select what the mouse has passed over, unless it is changing meanwhile."""
        if select_state is not None:
            start = _ScrolledStart(*select_state.start)
            select_state = select_state._replace(start=start)
        former = self.selections
        try:
            super()._watch__select_state(select_state)
        except (AssertionError, AttributeError, LookupError, ValueError, NoWidget):
            self.selections = {}
            self._selecting = False
            return
        if self.selections is not former:
            self.selections = {
                widget: _include_last_letter(one) for widget, one in self.selections.items()
            }

    def _forward_event(self, event: Event) -> None:
        """Hand an event to the widget that it is for; drop a mouse event that fails on the way."""
        try:
            super()._forward_event(event)
        except (AssertionError, AttributeError, LookupError, ValueError, NoWidget):
            if not isinstance(event, MouseEvent):
                raise
            self.clear_selection()

    def dismiss(self, result: ScreenResultType | None = None) -> AwaitComplete:
        """Close the dialog, unless it is closed already.

        Two keys may arrive before the first has closed it; Textual would then close what lies
        below, or raise `ScreenStackError`.
        """
        return super().dismiss(result) if self.is_active else AwaitComplete()


class SafeScreen(_GuardedScreen[None]):
    """Screen of the chat."""

    # Not the first widget that takes it: keys would be lost until the composer has it.
    AUTO_FOCUS = ""


# The first base gives the style sheet.
class SafeDialog(ModalScreen[ScreenResultType], _GuardedScreen[ScreenResultType]):
    """Dialog over the chat."""


class SafePalette(CommandPalette, _GuardedScreen[Any]):
    """Command palette."""

    def on_mount(self) -> None:
        """Limit the query: each key costs time in proportion to its length."""
        self.query_one(Input).max_length = MAX_QUERY_CHARACTERS
