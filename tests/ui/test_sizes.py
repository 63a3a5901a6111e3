"""Every state of the screen in the smallest windows: no size ends the chat."""

from __future__ import annotations

import asyncio
import random
from functools import partial

import pytest
from textual.geometry import Size
from textual.pilot import Pilot

from starchat_tui.terminal.image_detection import ImageSettings
from starchat_tui.ui.app import StarChatApp
from starchat_tui.ui.messages import LinkClicked
from starchat_tui.ui.widgets.figure import FigureView
from starchat_tui.ui.widgets.output import RunOutput
from tests.fuzz_size import IS_FULL, choose_size
from tests.scripted import ScriptedEngine, ScriptedKernelFactory, split_text
from tests.sinks import create_hostile_outputs
from tests.ui.conftest import CreateApp
from tests.ui.screen_helpers import (
    paste_text,
    release_pieces,
    send_line,
    wait_until_idle,
)
from tests.waiting import wait_until

ANSWER = """# 你好, a title

Some **bold** text, `code` and 你好世界, a line that wraps around and around again.
A [link](https://example.org/x).

| a | a long header | 你 |
|--:|:-:|---|
| 1 | 你 | x |
| 2 | | a cell that is long |

> a quote
> - in a list

- one
  - two

10. ten

---

```python
def f(x):
    return "你好" * 99  # a line of code that is longer than any of the small windows
```

"""
SIZE = (80, 24)


async def ask(pilot: Pilot[None], engine: ScriptedEngine) -> None:
    engine.enqueue(*split_text(ANSWER, 9))
    await send_line(pilot, "你好, a question")
    await wait_until_idle(pilot)


async def run(pilot: Pilot[None], engine: ScriptedEngine, *keys: str) -> None:
    """Run the code and press `keys` on its plot."""
    await ask(pilot, engine)
    await send_line(pilot, "/run 1")
    await wait_until(lambda: len(pilot.app.screen_stack) > 1)
    await pilot.press("a")
    await wait_until_idle(pilot)
    assert pilot.app.query(RunOutput)
    if keys:
        pilot.app.query_one(FigureView).focus()
        await pilot.press(*keys)


async def prepare(pilot: Pilot[None], engine: ScriptedEngine, state: str) -> None:
    """Bring the app into a state."""
    app = pilot.app
    if state.startswith("run"):
        await run(pilot, engine)
    elif state == "enlarged plot":
        await run(pilot, engine, "enter")
    elif state == "answering":
        engine.steps = asyncio.Semaphore(0)
        engine.enqueue(*split_text(ANSWER * 4, 9))
        engine.enqueue("to the queued question")
        await send_line(pilot, "q")
        await send_line(pilot, "a queued question\nin two lines")
    elif state in ("welcome", "paste"):
        await (paste_text(pilot, "line\n" * 40) if state == "paste" else pilot.pause())
    else:
        await ask(pilot, engine)
    if state == "retried":
        engine.enqueue("another answer")
        await pilot.press("ctrl+r")
        await wait_until_idle(pilot)
    elif state.startswith(("f1", "ctrl")):
        await pilot.press(*state.split())
    elif state.startswith("/"):
        await send_line(pilot, state)
    elif state == "consent":
        await send_line(pilot, "/run 1")
        await wait_until(lambda: len(app.screen_stack) > 1)
    elif state == "link":
        app.post_message(LinkClicked("https://example.org/" + "你" * 40))
        await wait_until(lambda: len(app.screen_stack) > 1)
    elif state == "notice":
        await send_line(pilot, "/save 1 /tmp")
        app.notify("a notice of [some] length\nand 你好", timeout=60, markup=False)


STATES = (
    *("welcome", "answer", "answering", "retried", "paste", "/nonsense", "/prompt", "notice"),
    *("f1", "ctrl+o", "ctrl+o 你", "ctrl+p", "ctrl+p r e", "ctrl+p t h e m e s down enter"),
    *("link", "consent", "run", "run kitty", "run sixel", "run unicode"),
    *("run off", "enlarged plot"),
)


def list_sizes() -> list[tuple[int, int]]:
    """Return all sizes up to 12 columns and 6 rows, with a size of zero, or a few of them."""
    if IS_FULL:
        return [(columns, rows) for columns in range(13) for rows in range(7)]
    return [(12, 6), (6, 2), (1, 1), (0, 0), (8, 3), (4, 6)]


@pytest.mark.slow
@pytest.mark.fuzz
@pytest.mark.parametrize("state", STATES)
async def test_every_small_size_is_drawn(
    state: str,
    create_app: CreateApp,
    engine: ScriptedEngine,
    kernel_factory: ScriptedKernelFactory,
) -> None:
    kernel_factory.enqueue(*create_hostile_outputs("你好 [bold]x[/bold]"))
    protocol = state.partition(" ")[2] if state.startswith("run ") else "half"
    app = create_app(images=ImageSettings(protocol))  # type: ignore[arg-type]
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await prepare(pilot, engine, state)
        for columns, rows in list_sizes():
            await pilot.resize_terminal(columns, rows)
            if state == "answering":
                release_pieces(engine, 2)
            await pilot.pause()
            assert app._exception is None, (columns, rows)
        await pilot.resize_terminal(*SIZE)
        release_pieces(engine, 10_000) if state == "answering" else None
        await pilot.press("escape")
        await wait_until(lambda: len(app.screen_stack) == 1)
        await type_and_read(pilot)


async def type_and_read(pilot: Pilot[None]) -> None:
    """Type a word and see it in the composer, which proves that the app is alive."""
    app = pilot.app
    assert isinstance(app, StarChatApp)
    app.chat_view.composer.focus()
    await pilot.press(*"alive")
    assert app.chat_view.composer.text.endswith("alive")
    assert app._exception is None


@pytest.mark.slow
@pytest.mark.fuzz
@pytest.mark.parametrize("state", ["run", "answering", "enlarged plot"])
async def test_a_storm_of_sizes_is_survived(
    state: str,
    app: StarChatApp,
    engine: ScriptedEngine,
    kernel_factory: ScriptedKernelFactory,
) -> None:
    """Sizes change faster than they are drawn, from the largest to the smallest."""
    random.seed(7)
    kernel_factory.enqueue(*create_hostile_outputs("你好"))
    choose = partial(random.choice, (0, 1, 2, 3, 5, 8, 40, 80, 200))
    async with app.run_test(size=SIZE) as pilot:
        await prepare(pilot, engine, state)
        for _ in range(choose_size(15, 200)):
            await pilot.resize_terminal(choose(), choose())
            if state == "answering":
                release_pieces(engine)
            if random.random() < 0.3:
                await pilot.pause()
        await pilot.resize_terminal(*SIZE)
        release_pieces(engine, 10_000) if state == "answering" else None
        await pilot.press("escape")
        await wait_until(lambda: len(app.screen_stack) == 1)
        await type_and_read(pilot)


@pytest.mark.parametrize("state", ["f1", "/prompt", "enlarged plot"])
async def test_a_small_window_is_laid_out_once(
    state: str,
    app: StarChatApp,
    engine: ScriptedEngine,
    kernel_factory: ScriptedKernelFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A scroll bar that takes the only column may come and go without end."""
    kernel_factory.enqueue(*create_hostile_outputs("你好"))
    async with app.run_test(size=SIZE) as pilot:
        await prepare(pilot, engine, state)
        counts: list[int] = []
        lay_out = app.screen._refresh_layout

        def count_layout(size: Size | None = None, scroll: bool = False) -> None:
            counts.append(1)
            lay_out(size, scroll)

        monkeypatch.setattr(app.screen, "_refresh_layout", count_layout)
        for size in ((8, 3), (4, 3), (8, 6)):
            await pilot.resize_terminal(*size)
            await wait_until(lambda: counts, what="a layout")
            for _ in range(20):
                counts.clear()
                await asyncio.sleep(0.1)
                if not counts:
                    break
            assert not counts, size
