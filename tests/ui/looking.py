"""What the tests of the screen do and see."""

from __future__ import annotations

from textual import events
from textual.app import App
from textual.pilot import Pilot
from textual.strip import Strip

from starchat_tui.ui.app import StarChatApp
from starchat_tui.ui.widgets.transcript import Note
from tests.scripted import ScriptedEngine
from tests.waiting import wait_until


def strips(app: App[None]) -> list[Strip]:
    """The rows of the screen."""
    return list(app.screen._compositor.render_strips())


def shown(app: App[None]) -> str:
    """The text on the screen."""
    return "\n".join(strip.text.rstrip() for strip in strips(app))


async def sees(app: App[None], text: str) -> None:
    """Wait until `text` is on the screen."""
    await wait_until(lambda: text in shown(app), what=f"{text!r} on the screen")


async def paste(pilot: Pilot[None], text: str) -> None:
    """Paste `text` where the focus is."""
    assert pilot.app.focused is not None
    pilot.app.focused.post_message(events.Paste(text))
    await pilot.pause()


async def send(pilot: Pilot[None], text: str) -> None:
    """Type a line, without its keys, and send it."""
    app = pilot.app
    assert isinstance(app, StarChatApp)
    app.chat_view.composer.insert(text)
    await pilot.press("enter")
    await pilot.pause()


async def settled(pilot: Pilot[None]) -> None:
    """Wait until no answer is being written and what is shown is drawn."""
    app = pilot.app
    assert isinstance(app, StarChatApp)
    await wait_until(
        lambda: not (app.answers.is_busy or app.runs.is_running), what="the answer's end"
    )
    await wait_until(lambda: all(one.is_finished for one in app.workers), what="the workers")
    await pilot.pause()


def go_on(engine: ScriptedEngine, pieces: int = 1) -> None:
    """Let the engine say that many more pieces."""
    assert engine.steps is not None
    for _ in range(pieces):
        engine.steps.release()


def notes(app: StarChatApp) -> list[str]:
    """The notes of the transcript in order."""
    return [str(note.render()) for note in app.chat_view.transcript.query(Note)]
