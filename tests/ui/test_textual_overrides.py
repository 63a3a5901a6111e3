"""What Textual does not catch: clicks on widgets that leave, and keys that come late."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from textual import events
from textual.app import App
from textual.command import CommandList
from textual.pilot import Pilot
from textual.selection import SELECT_ALL
from textual.widget import Widget
from textual.widgets import Input
from textual.worker import Worker

from starchat_tui.ui.app import StarChatApp
from starchat_tui.ui.screens.dialogs import TextDialog
from starchat_tui.ui.textual_overrides import SafePalette
from starchat_tui.ui.widgets.answer_view import AnswerView
from starchat_tui.ui.widgets.prose import Prose
from tests.fuzz_size import choose_size
from tests.scripted import ScriptedEngine, split_text
from tests.ui.screen_helpers import (
    read_screen,
    release_pieces,
    send_line,
    wait_for_text,
    wait_until_idle,
)
from tests.waiting import wait_until

ANSWER = """Some **bold** text and 你好世界, a line that wraps around and around again.

| a | b |
|--:|:-:|
| 1 | 你 |

> a quote

- one
  - two

```python
def f(x):
    return "你好" * 99  # a line of code that is longer than any of the small windows
```

"""
MOUSE = (events.MouseDown, events.MouseUp, events.MouseMove, events.Click)
WHEEL = (events.MouseScrollUp, events.MouseScrollDown)


def send_mouse(app: App[None], kind: type[events.MouseEvent], x: int, y: int) -> None:
    """Send a mouse event as the driver does."""
    event = kind(None, x, y, 0, 0, 1, False, False, False, screen_x=x, screen_y=y)
    app.post_message(event)


@contextmanager
def detach(widget: Widget) -> Iterator[None]:
    """Take a widget out of the DOM and leave it in the compositor, as it is between two frames."""
    parent = widget.parent
    assert parent is not None
    widget._detach()
    assert not widget.is_attached
    yield
    widget._attach(parent)


@pytest.mark.parametrize("kind", [*MOUSE, *WHEEL])
async def test_a_mouse_event_on_a_widget_that_has_left_is_dropped(
    kind: type[events.MouseEvent], app: StarChatApp, engine: ScriptedEngine
) -> None:
    engine.enqueue("a paragraph\n\nanother one")
    async with app.run_test() as pilot:
        await send_line(pilot, "q")
        await wait_until_idle(pilot)
        block = next(iter(app.query_one(Prose).children))
        x, y = block.region.offset
        with detach(block):
            app.screen._forward_event(kind(None, x, y, 0, 0, 1, False, False, False, None, x, y))
            await pilot.pause()
        assert app._exception is None


async def test_text_of_widgets_that_have_left_is_not_selected(
    app: StarChatApp, engine: ScriptedEngine
) -> None:
    engine.enqueue("first\n\nsecond")
    async with app.run_test() as pilot:
        await send_line(pilot, "q")
        await wait_until_idle(pilot)
        first, second = list(app.query_one(Prose).children)[:2]
        app.screen.selections = {first: SELECT_ALL, second: SELECT_ALL}
        with detach(first):
            assert "second" in (app.screen.get_selected_text() or "")


@pytest.mark.slow
@pytest.mark.fuzz
async def test_random_clicks_while_an_answer_streams(
    app: StarChatApp, engine: ScriptedEngine
) -> None:
    random.seed(4)
    engine.steps = asyncio.Semaphore(0)
    engine.enqueue(*split_text(ANSWER * 8, 7))
    async with app.run_test(size=(60, 20)) as pilot:
        await send_line(pilot, "q")
        for _ in range(choose_size(150, 500)):
            release_pieces(engine, random.randrange(3))
            x, y = random.randrange(60), random.randrange(20)
            for kind in random.sample((*MOUSE, *MOUSE, *WHEEL), 3):
                send_mouse(app, kind, min(59, x + random.randrange(9)), y)
            if random.random() < 0.2:
                await pilot.pause()
            app.screen.get_selected_text()
            await asyncio.sleep(0)
        release_pieces(engine, 10_000)
        while len(app.screen_stack) > 1:
            await pilot.press("escape")
        await wait_until_idle(pilot)
        assert app._exception is None


async def press_together(pilot: Pilot[None], *keys: str) -> None:
    """Press keys of which the app sees all before it has obeyed the first."""
    for key in keys:
        pilot.app.screen._forward_event(events.Key(key, None))
    await pilot.pause()


async def test_a_dialog_that_is_closed_twice_closes_nothing_below(app: StarChatApp) -> None:
    async with app.run_test() as pilot:
        await pilot.press("f1")
        below = app.screen
        assert isinstance(below, TextDialog)
        await app.push_screen(TextDialog("above", "text"))
        above = app.screen
        assert isinstance(above, TextDialog)
        above.dismiss()
        above.dismiss()
        await pilot.pause()
        assert app.screen is below
        below.dismiss()
        below.dismiss()
        await pilot.pause()
        assert len(app.screen_stack) == 1


async def test_the_palette_survives_two_enters(app: StarChatApp) -> None:
    async with app.run_test() as pilot:
        await pilot.press("ctrl+p", *"help")
        await wait_for_text(app, "show keys and commands")
        palette = app.screen
        assert isinstance(palette, SafePalette)
        await pilot.press("down")
        palette.dismiss()
        palette.dismiss()
        await pilot.pause()
        assert len(app.screen_stack) == 1


async def test_the_palette_shows_names_as_they_are_written(app: StarChatApp) -> None:
    async with app.run_test(size=(100, 60)) as pilot:
        await pilot.press("ctrl+p")
        await wait_for_text(app, "/copy [n]")
        assert "/theme [name]" in read_screen(app)
        await pilot.press(*"cop")
        await wait_for_text(app, "/copy [n]")


async def test_a_query_has_a_bound(app: StarChatApp) -> None:
    async with app.run_test() as pilot:
        await pilot.press("ctrl+p")
        await wait_until(lambda: isinstance(app.screen, SafePalette))
        field = app.screen.query_one(Input)
        field.insert_text_at_cursor("x" * 150)
        field.insert_text_at_cursor("y" * 150)
        assert len(field.value) <= 200


async def test_cutting_nothing_leaves_the_clipboard_as_it_is(app: StarChatApp) -> None:
    async with app.run_test() as pilot:
        app.copy_to_clipboard("copied elsewhere")
        await pilot.press("ctrl+p")
        field = app.screen.query_one(Input)
        await pilot.press("ctrl+x", "a", "b")
        assert app.clipboard == "copied elsewhere"
        field.select_all()
        await pilot.press("ctrl+x")
        assert app.clipboard == "ab"


async def test_a_worker_of_a_palette_that_leaves_ends_nothing(app: StarChatApp) -> None:
    """Its children have left, and its last worker looks for one of them."""
    async with app.run_test() as pilot:
        for remove in (True, False):
            await pilot.press("ctrl+p")
            palette = app.screen
            assert isinstance(palette, SafePalette)
            palette._pruning = remove
            await palette.query(CommandList).remove()
            palette._gather_commands("theme")
            await wait_until(lambda: not any(map(is_gathering, app.workers)))
            assert (app._exception is None) == remove
            palette._pruning = False
            if remove:
                palette.dismiss(None)
                await wait_until(lambda: len(app.screen_stack) == 1)
        # Else it is a defect like any other.
        app._exception = None


def is_gathering(worker: Worker[object]) -> bool:
    return worker.name == "_gather_commands" and not worker.is_finished


async def test_a_worker_that_mounts_in_a_widget_that_leaves_ends_nothing(
    app: StarChatApp, engine: ScriptedEngine
) -> None:
    engine.enqueue("Words.")
    async with app.run_test() as pilot:
        await send_line(pilot, "go")
        await wait_until_idle(pilot)
        answer = app.screen.query_one(AnswerView)
        for leaves in (True, False):
            answer._pruning = leaves
            # Mounts its prose first, which does nothing in a widget that leaves.
            prose = Prose()
            if leaves:
                await answer.mount(prose)

            answer._prose = prose
            app.run_worker(answer._append_prose("late"), name="late")
            await wait_until(lambda: not any(worker.name == "late" for worker in app.workers))
            await pilot.pause()
            assert (app._exception is None) == leaves
        # Else it is a defect like any other.
        app._exception = None


@pytest.mark.parametrize("cause", ["exit", "removal"])
async def test_an_answer_may_end_while_its_view_leaves(
    app: StarChatApp, engine: ScriptedEngine, cause: str
) -> None:
    gate = asyncio.Event()
    engine.enqueue("First words.\n\n", gate, *split_text(ANSWER))
    async with app.run_test() as pilot:
        await send_line(pilot, "go")
        await wait_for_text(app, "First words")
        answer = app.screen.query_one(AnswerView)
        if cause == "exit":
            # The app is about to exit, and its workers have not ended yet.
            app._exit = True
        else:
            answer._pruning = True
        gate.set()
        await wait_until(lambda: not app.answers.is_busy)
        assert app._exception is None
        app._exit = answer._pruning = False


@pytest.mark.slow
@pytest.mark.fuzz
async def test_a_palette_that_is_closed_at_any_moment_ends_nothing(app: StarChatApp) -> None:
    random.seed(8)
    async with app.run_test() as pilot:
        for _ in range(choose_size(20, 200)):
            keys = ("ctrl+p", *random.choices("thmeq", k=random.randrange(4)), "escape", "escape")
            for key in keys:
                app.simulate_key(key)
                for _ in range(random.randrange(4)):
                    await asyncio.sleep(0)
            await pilot.pause()
            assert app._exception is None
        await wait_until(lambda: len(app.screen_stack) == 1)
