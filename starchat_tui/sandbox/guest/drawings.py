"""State of a figure in a run: what was shown of it, and where it was saved."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from starchat_tui.sandbox.guest.picture_sender import compute_digest
from starchat_tui.sandbox.guest.pictures import Grids, Picture

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff")
"""Suffixes of files that are shown if a cell wrote them."""


@dataclass(eq=False)
class Drawing:
    """Content of a figure between two calls of its `clear`."""

    is_shown: bool = False
    is_visible: bool = False
    """True if it was shown, and not cleared since."""
    is_displayed: bool = False
    """True if it was shown as an image, which the code had saved it to."""
    is_omitted: bool = False
    """True if it was left out because there were too many pictures."""
    needs_picture: bool = False
    """True if it was saved, but not as a picture in the folder of the cell."""
    last_path: str = ""
    """Picture in the folder of the cell to which it was saved last."""
    grids: Grids = ()
    """Drawing for grids of cells, if it was closed after it was saved as such a picture."""
    first_frame: Picture | None = None
    """First frame of an animation that was saved, until it is shown."""
    heading: str = ""
    """First line of the description of its next picture."""


@dataclass(eq=False)
class FigureState:
    """State of a figure in a run."""

    drawing: Drawing = field(default_factory=Drawing)
    key: int = 0
    """Key of the picture that the next state replaces; 0 if there is none."""
    digest: bytes = b""
    """Digest of the state that was shown last."""
    snapshot: Callable[[], Picture] | None = None
    """Encoder of the window's last state, if another one was sent shortly before it."""
    next_update: float = 0.0
    """Time from which the next state of the window is sent."""


class SavedDrawings:
    """Drawings that were saved as pictures in a folder, by path."""

    def __init__(self, folder: str) -> None:
        self._folder = os.path.realpath(folder)
        self._drawings: dict[str, tuple[Drawing, str]] = {}
        self._contents: dict[bytes, tuple[Drawing, str]] = {}
        """Drawing and description of what was saved to a buffer, by the digest of the buffer."""

    def reset(self) -> None:
        """Forget the drawings of the last run."""
        self._drawings.clear()
        self._contents.clear()

    def covers(self, path: str) -> bool:
        """Return whether a file of this path is shown as a picture at the end of the cell."""
        real_path = os.path.realpath(path)
        is_inside = real_path.startswith(os.path.join(self._folder, ""))
        return is_inside and real_path.lower().endswith(PICTURE_SUFFIXES)

    def add(self, path: str, drawing: Drawing, description: str) -> None:
        """Remember that a drawing was saved to a path."""
        real_path = os.path.realpath(path)
        self._drawings[real_path] = (drawing, description)
        drawing.last_path = real_path

    def add_content(self, data: bytes, drawing: Drawing, description: str) -> None:
        """Remember that a drawing was saved to a buffer, which now has this content."""
        self._contents[compute_digest(data)] = (drawing, description)

    def find(self, path: str) -> tuple[Drawing | None, str]:
        """Return the drawing in a file and its description; None if it was not saved there."""
        return self._drawings.get(os.path.realpath(path), (None, ""))

    def claim_content(self, data: bytes) -> tuple[str, bool]:
        """Mark the drawings as shown whose files or buffers have this content.

        Returns:
            The description of the last of them, and whether it can be seen already.
        """
        same = [one for path, one in self._drawings.items() if _read_file(path) == data]
        same += filter(None, [self._contents.get(compute_digest(data))])
        is_visible = bool(same) and same[-1][0].is_visible
        for drawing, _ in same:
            drawing.is_shown = drawing.is_visible = drawing.is_displayed = True
            drawing.needs_picture = False
        return (same[-1][1] if same else ""), is_visible

    def forget_shown(self) -> None:
        """Let the drawings be shown again: the code has cleared its output."""
        for drawing, _ in (*self._drawings.values(), *self._contents.values()):
            drawing.is_visible = False


def is_empty(figure: Any) -> bool:
    """Return whether nothing at all is drawn in a figure, not even axes."""
    return not (figure.axes or figure.texts or figure.images or figure.patches)


def has_data(figure: Any) -> bool:
    """Return whether a figure has more than axes without content."""
    others = figure.texts or figure.images or figure.patches
    return bool(others) or any(axes.has_data() or axes.texts for axes in figure.axes)


def _read_file(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""
