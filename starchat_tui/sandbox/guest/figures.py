"""Figures of a run: each one once, in its last state, however it is shown.

The rule is that of a notebook, and of windows where there would be windows:

- `plt.show()`, `display(fig)` and a figure as the last expression show a state for good; a state
  that is shown again unchanged is no second picture, a changed one is;
- `plt.show(block=False)`, `fig.show()`, `plt.pause`, and `plt.show()` in interactive mode
  (`plt.ion`) open a window: its picture is replaced by later states until the figure is closed;
- a figure that is still open at the end of the cell is shown in its last state;
- a figure that was only saved is shown: as the picture in the folder of the cell that was written
  last, else (a PDF, a buffer, a file elsewhere) as it is when it is cleared or closed;
- an animation is shown by its first and its last frame;
- `Figure.clear` begins another drawing, of which the same holds;
- `clear_output` removes what was shown before it.
"""

from __future__ import annotations

import io
import os
import sys
import time
import weakref
from collections.abc import Callable, Iterator
from os import PathLike
from typing import Any

from starchat_tui.sandbox.guest import animations
from starchat_tui.sandbox.guest.describe.figure_description import describe_figure
from starchat_tui.sandbox.guest.drawings import (
    Drawing,
    FigureState,
    SavedDrawings,
    has_data,
    is_empty,
)
from starchat_tui.sandbox.guest.picture_sender import PictureSender, compute_digest
from starchat_tui.sandbox.guest.pictures import Grids, Picture, copy_canvas, create_picture

BACKEND = "module://starchat_tui.sandbox.guest.backend"
"""The backend's name for `matplotlib.use`."""
UPDATE_INTERVAL = 1.0
"""Seconds between two states of a window that are sent; at least."""
_RENDER_SHARE = 4
"""Intervals last at least this many times as long as rendering, so the code keeps its speed."""


class FigurePublisher:
    """Shows the figures of a run, as the code and the backend report them."""

    def __init__(self, pictures: PictureSender, note: Callable[[str], None]) -> None:
        """Show figures; `note` takes a sentence for the user."""
        self._pictures, self._note = pictures, note
        self.render_grids: Callable[[Any], Grids] = lambda figure: ()
        """Draws a figure for grids of cells."""
        self.adds_axes = True
        """True if `Axes3D(fig)` adds itself to the figure, as code of 2022 expects."""
        self.saved = SavedDrawings(os.getcwd())
        """Drawings that were saved as pictures in the folder of the cell."""
        self.reset()

    def reset(self) -> None:
        """Forget the figures of the last run."""
        # Weak references: figures take much memory, and the code decides how long they live.
        self._states: weakref.WeakKeyDictionary[Any, FigureState] = weakref.WeakKeyDictionary()
        self._unfinished: dict[Any, None] = {}
        """Figures whose last state has to be shown, in order."""
        self.saved.reset()
        self.is_formatting, self.formatted_description = False, ""
        """True while the picture of a value is computed, and the description of its figure."""
        self.has_saved_frames = False
        """True if an animation was saved."""
        self.empty_count = self.closed_count = 0
        """Figures without content that were to be shown, and figures closed without being shown."""

    def forget_shown(self) -> None:
        """Show states again that were shown before: the code has cleared its output."""
        self.saved.forget_shown()
        for state in self._states.values():
            state.key, state.digest, state.drawing.is_omitted = 0, b"", False

    def publish_figure(self, figure: Any, key: int = 0) -> None:
        """Show the present state of a figure for good, as the output of a key if one is given."""
        state = self._get_state(figure)
        state.key = key or state.key
        if state.key and not key and not has_data(figure):
            # The code has emptied its window since it was seen last.
            if state.snapshot:
                self._pictures.send(state.snapshot(), state.key)
        elif not state.drawing.heading and (animation := animations.find_animation(figure)):
            for heading in animations.draw_first_and_last_frame(animation):
                state.drawing.heading = heading
                self._show_state(figure, state)
                state.key = 0
        else:
            self._show_state(figure, state)
        state.key, state.snapshot = 0, None
        self._unfinished.pop(figure, None)

    def update_figure(self, figure: Any) -> None:
        """Show the present state of a figure until there is a later one."""
        state = self._get_state(figure)
        self._unfinished[figure] = None
        if is_empty(figure) or state.drawing.is_omitted:
            return
        began = time.monotonic()
        if began < state.next_update:
            # Only copied: it is encoded and sent if the code empties the figure before the end.
            state.snapshot = copy_canvas(figure)
            return
        state.key, state.snapshot = state.key or self._pictures.create_key(), None
        self._show_state(figure, state)
        ended = time.monotonic()
        state.next_update = ended + max(UPDATE_INTERVAL, _RENDER_SHARE * (ended - began))

    def close_figure(self, figure: Any, *, was_visible: bool) -> None:
        """Show the last state of a figure that is being closed, if the user would have seen it."""
        drawing = (self._states.get(figure) or FigureState()).drawing
        is_seen = drawing.is_displayed and not figure.stale
        if (figure in self._unfinished and not is_seen) or (was_visible and not drawing.last_path):
            self.publish_figure(figure)
        elif not (drawing.is_shown or drawing.last_path or is_empty(figure)):
            self.closed_count += 1
        elif not (drawing.is_shown or figure.stale):
            # The file will be shown, and it has the present state.
            drawing.grids = self.render_grids(figure)

    def begin_drawing(self, figure: Any) -> None:
        """Show what was only saved of a figure that is being cleared."""
        state = self._states.get(figure)
        if state is None:
            return
        if state.drawing.needs_picture and not state.drawing.is_shown:
            self.publish_figure(figure)
        state.drawing = Drawing()

    def record_saved_figure(self, figure: Any, target: object) -> None:
        """Remember that a figure was saved to a path, or to a file that is open or in memory."""
        drawing = self._get_state(figure).drawing
        path = os.fspath(target) if isinstance(target, str | PathLike) else None
        if isinstance(target, io.BytesIO):
            self.saved.add_content(target.getvalue(), drawing, describe_figure(figure))
        if self.is_formatting:
            # A value draws itself, such as a plot of `seaborn.objects`: its picture is shown.
            self.formatted_description = describe_figure(figure)
        elif path is not None and self.saved.covers(path):
            # Described now: the code may close or clear the figure before the end of the cell.
            self.saved.add(path, drawing, describe_figure(figure))
            if drawing.needs_picture:
                drawing.needs_picture = False
                self._unfinished.pop(figure, None)
        elif not (drawing.is_shown or drawing.last_path):
            drawing.needs_picture = True
            self._unfinished[figure] = None

    def take_formatted_description(self) -> str:
        """Return the description of the figure of the value that was formatted last, once."""
        description, self.formatted_description = self.formatted_description, ""
        return description

    def record_frame(self, figure: Any) -> None:
        """Remember that a figure was saved as a frame of an animation."""
        self.has_saved_frames = True
        drawing = self._get_state(figure).drawing
        if not drawing.heading:
            drawing.heading = animations.LAST_FRAME
            drawing.first_frame = create_picture(figure, animations.FIRST_FRAME)
        drawing.needs_picture = True
        self._unfinished[figure] = None

    def add_axes(self, figure: Any, axes: Any) -> None:
        """Add axes that were created without being added, unless that is not wanted."""
        if self.adds_axes:
            figure.add_axes(axes)
            self._note("compat: Axes3D(fig) → fig.add_axes(Axes3D(fig))")

    def publish_open_figures(self) -> None:
        """Show the last state of every figure that is open or was only saved, and close it."""
        for figure in _iterate_open_figures():
            self._unfinished.setdefault(figure)
        try:
            for figure in list(self._unfinished):
                drawing = self._get_state(figure).drawing
                is_seen = drawing.is_displayed and not figure.stale
                if not (drawing.is_omitted or is_seen):
                    self.publish_figure(figure)
        finally:
            self._unfinished.clear()
            if pyplot := sys.modules.get("matplotlib.pyplot"):
                pyplot.close("all")

    def _get_state(self, figure: Any) -> FigureState:
        return self._states.setdefault(figure, FigureState())

    def _show_state(self, figure: Any, state: FigureState) -> None:
        """Show the present state of a figure, unless it was the last to be shown."""
        drawing = state.drawing
        if is_empty(figure):
            self.empty_count += not drawing.is_shown
        elif self._pictures.is_full(state.key):
            # Not rendered, so a state that was shown is recognized by what matplotlib says.
            if figure.stale or not drawing.is_shown:
                self._pictures.omit()
                drawing.is_omitted = drawing.is_shown = True
        else:
            self._send_first_frame(drawing)
            self._send(figure, create_picture(figure, drawing.heading), state)
            drawing.is_shown = drawing.is_visible = True
            drawing.needs_picture = False

    def _send_first_frame(self, drawing: Drawing) -> None:
        if drawing.first_frame:
            self._pictures.send(drawing.first_frame)
            drawing.first_frame = None

    def _send(self, figure: Any, picture: Picture, state: FigureState) -> None:
        digest = compute_digest(picture.png)
        if digest != state.digest or self._pictures.has_picture(state.key):
            state.digest = digest
            self._pictures.send(picture._replace(grids=self.render_grids(figure)), state.key)


def _iterate_open_figures() -> Iterator[Any]:
    if helpers := sys.modules.get("matplotlib._pylab_helpers"):
        for manager in helpers.Gcf.get_all_fig_managers():
            yield manager.canvas.figure
