"""Animations: their first and their last frame, without an event loop."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from matplotlib.animation import ArtistAnimation, FuncAnimation
from matplotlib.figure import Figure

from starchat_tui.sandbox.guest import animations
from starchat_tui.sandbox.guest.animations import draw_first_and_last_frame, find_animation


def read_frames(animation: Any, line: Any) -> list[tuple[str, list[float]]]:
    """Return each heading with the data of the line in that frame."""
    return [
        (heading, [float(y) for y in line.get_ydata()])
        for heading in draw_first_and_last_frame(animation)
    ]


def animate(frames: Any, **options: Any) -> tuple[Any, Any]:
    """Return an animation that adds each frame to a line, and the line."""
    (line,) = Figure().add_subplot().plot([], [])
    values: list[float] = []

    def update(frame: float) -> tuple[Any, ...]:
        values.append(frame)
        line.set_data(range(len(values)), values)
        return (line,)

    def start() -> tuple[Any, ...]:
        return (line,)

    return FuncAnimation(line.figure, update, frames, init_func=start, **options), line


def count_to(number: int) -> Callable[[], Iterator[int]]:
    def count() -> Iterator[int]:
        yield from range(number)

    return count


@pytest.mark.parametrize("blit", [True, False])
@pytest.mark.parametrize("frames", [3, [0, 1, 2], count_to(3)])
def test_frames_may_add_to_those_before(frames: Any, blit: bool) -> None:
    animation, line = animate(frames, blit=blit, cache_frame_data=False)
    assert read_frames(animation, line) == [
        (animations.FIRST_FRAME, [0]),
        (animations.LAST_FRAME, [0, 1, 2]),
    ]


def test_one_frame_is_shown_once() -> None:
    animation, line = animate(1)
    assert read_frames(animation, line) == [(animations.LAST_FRAME, [0])]


def test_an_endless_animation_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(animations, "MAX_FRAMES", 5)
    animation, line = animate(itertools.count, cache_frame_data=False)
    assert read_frames(animation, line) == [
        (animations.FIRST_FRAME, [0]),
        ("animation, frame 5; later ones were not drawn", [0, 1, 2, 3, 4]),
    ]


def test_a_slow_animation_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(animations, "MAX_SECONDS", -1)
    animation, line = animate(3)
    assert read_frames(animation, line) == [
        ("animation, frame 1; later ones were not drawn", [0]),
    ]


def test_lists_of_artists_are_frames() -> None:
    axes = Figure().add_subplot()
    artists = [axes.plot([0, number]) for number in range(3)]
    animation = ArtistAnimation(axes.figure, artists)
    visible = [
        [line.get_visible() for (line,) in artists] for _ in draw_first_and_last_frame(animation)
    ]
    assert visible == [[True, False, False], [False, False, True]]


def test_the_animation_of_a_figure_is_found() -> None:
    animation, line = animate(2)
    assert find_animation(line.figure) is animation
    assert find_animation(Figure()) is None
    list(draw_first_and_last_frame(animation))
