"""Helpers for tests that drive the app with Pilot and read its screen."""

from __future__ import annotations

from textual import events
from textual.app import App
from textual.pilot import Pilot
from textual.strip import Strip

from starchat_tui.ui.app import StarChatApp
from starchat_tui.ui.widgets.transcript import Note
from tests.scripted import ScriptedEngine
from tests.waiting import wait_until


def render_strips(app: App[None]) -> list[Strip]:
    """Return the rows of the screen."""
    return list(app.screen._compositor.render_strips())


def read_screen(app: App[None]) -> str:
    """Return the text on the screen."""
    return "\n".join(strip.text.rstrip() for strip in render_strips(app))


async def wait_for_text(app: App[None], text: str) -> None:
    """Wait until `text` is on the screen."""
    await wait_until(lambda: text in read_screen(app), what=f"{text!r} on the screen")


async def paste_text(pilot: Pilot[None], text: str) -> None:
    """Paste `text` into the focused widget."""
    assert pilot.app.focused is not None
    pilot.app.focused.post_message(events.Paste(text))
    await pilot.pause()


async def send_line(pilot: Pilot[None], text: str) -> None:
    """Insert a line into the composer and send it."""
    app = pilot.app
    assert isinstance(app, StarChatApp)
    app.chat_view.composer.insert(text)
    await pilot.press("enter")
    await pilot.pause()


async def wait_until_idle(pilot: Pilot[None]) -> None:
    """Wait until no answer is written, no code runs, and everything is drawn."""
    app = pilot.app
    assert isinstance(app, StarChatApp)
    await wait_until(
        lambda: not (app.answers.is_busy or app.runs.is_running), what="the answer's end"
    )
    await wait_until(lambda: all(one.is_finished for one in app.workers), what="the workers")
    await pilot.pause()


def release_pieces(engine: ScriptedEngine, pieces: int = 1) -> None:
    """Let the engine send that many more pieces."""
    assert engine.steps is not None
    for _ in range(pieces):
        engine.steps.release()


def read_notes(app: StarChatApp) -> list[str]:
    """Return the notes of the transcript in order."""
    return [str(note.render()) for note in app.chat_view.transcript.query(Note)]
