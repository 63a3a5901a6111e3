"""First and last frame of matplotlib animations, which need an event loop to play."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Any

MAX_FRAMES = 1000
"""Frames that are computed to reach the last one."""
MAX_SECONDS = 10.0
"""Seconds for which frames are computed."""
FIRST_FRAME, LAST_FRAME = "animation, first frame", "animation, last frame"


def find_animation(figure: Any) -> Any | None:
    """Return an animation of the figure that still exists; None if there is none."""
    module = sys.modules.get("matplotlib.animation")
    if module is None:
        return None
    # An animation stops when its figure closes, so it registers for that; the reference is weak.
    for reference in figure.canvas.callbacks.callbacks.get("close_event", {}).values():
        owner = getattr(reference(), "__self__", None)
        if isinstance(owner, module.Animation):
            return owner
    return None


def draw_first_and_last_frame(animation: Any) -> Iterator[str]:
    """Draw the first frame, then the last one; yield a heading after each.

    All frames are computed, because one may add to those before it.
    """
    # Otherwise matplotlib warns that the animation was deleted unseen.
    animation._draw_was_started = True
    animation._init_draw()
    deadline = time.monotonic() + MAX_SECONDS
    number, is_cut = 0, False
    for number, frame in enumerate(animation.new_saved_frame_seq(), 1):
        if number == 2:
            yield FIRST_FRAME
        animation._pre_draw(frame, False)
        animation._draw_frame(frame)
        is_cut = number == MAX_FRAMES or time.monotonic() > deadline
        if is_cut:
            break
    yield f"animation, frame {number}; later ones were not drawn" if is_cut else LAST_FRAME
