"""Pictures of the screen; after a change `make snapshots` takes them again, to be looked at.

The README shows `test_demo.svg`.
"""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from textual.pilot import Pilot

from starchat_tui.chat.session import Session
from starchat_tui.chat.store import ConversationStore
from starchat_tui.client.protocol import Sampling
from starchat_tui.config.settings import Settings
from starchat_tui.errors import EngineGone
from starchat_tui.models.resolver import ModelResolver
from starchat_tui.sandbox.isolation.probe import Capability
from starchat_tui.sandbox.outputs import (
    Failure,
    Figure,
    GridLabel,
    GridPicture,
    Note,
    WrittenFile,
)
from starchat_tui.terminal.image_detection import ImageSettings
from starchat_tui.ui.app import StarChatApp
from starchat_tui.ui.screens.consent_dialog import ConsentDialog
from starchat_tui.ui.widgets.figure import CellImage
from tests.demo import CONVERSATION
from tests.scripted import ScriptedEngine, ScriptedKernelFactory, split_text
from tests.ui.conftest import CreateApp
from tests.ui.screen_helpers import read_screen, send_line, wait_until_idle
from tests.waiting import wait_until

SIZE = (96, 32)
TALL = (96, 36)
NARROW = (40, 24)
QUESTION = "Write a function that checks whether a number is prime."
ANSWER = '''A number is prime if nothing between 2 and its **square root** divides it:

```python
def is_prime(n: int) -> bool:
    """Whether n has exactly two divisors."""
    if n < 2:
        return False
    return all(n % d for d in range(2, int(n**0.5) + 1))


print([n for n in range(30) if is_prime(n)])  # [2, 3, 5, 7, 11, 13, 17, 19, 23, 29]
```

1. Numbers below 2 are not prime.
2. `all` stops at the first divisor it finds.
'''

Compare = Callable[..., bool]
Act = Callable[[Pilot[None]], Awaitable[None]]


@pytest.fixture(autouse=True)
def fixed_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Show the same speed in every picture."""
    speed = "147 tok/s · first token 0.4 s"  # as measured for the second answer of the demo
    monkeypatch.setattr("starchat_tui.terminal.status_text.format_speed", lambda rate, first: speed)


def stop_blinking(pilot: Pilot[None]) -> StarChatApp:
    """Return the app, with a cursor that does not blink."""
    app = pilot.app
    assert isinstance(app, StarChatApp)
    app.chat_view.composer.cursor_blink = False
    return app


def with_pauses(act: Act) -> Act:
    """Return `act` with a pause before and after, so that all is drawn."""

    async def act_and_wait(pilot: Pilot[None]) -> None:
        stop_blinking(pilot)
        await wait_until_idle(pilot)
        await act(pilot)
        await pilot.pause()

    return act_and_wait


async def do_nothing(pilot: Pilot[None]) -> None:
    pass


async def ask_for_code(pilot: Pilot[None]) -> None:
    await send_line(pilot, QUESTION)
    await wait_until_idle(pilot)


def test_welcome(snap_compare: Compare, create_app: CreateApp) -> None:
    assert snap_compare(create_app(), terminal_size=SIZE, run_before=with_pauses(do_nothing))


def test_answered(snap_compare: Compare, create_app: CreateApp, engine: ScriptedEngine) -> None:
    engine.enqueue(*split_text(ANSWER))
    assert snap_compare(create_app(), terminal_size=SIZE, run_before=with_pauses(ask_for_code))


def test_demo(
    snap_compare: Compare, create_app: CreateApp, engine: ScriptedEngine, store: ConversationStore
) -> None:
    settings = Settings()
    session = Session(store, engine, ModelResolver(settings, engine), sampling=Sampling())
    for _, answer in CONVERSATION:
        engine.enqueue(*split_text(answer))

    async def ask_all(pilot: Pilot[None]) -> None:
        for question, _ in CONVERSATION:
            await send_line(pilot, question)
            await wait_until_idle(pilot)

    assert snap_compare(
        create_app(session=session), terminal_size=TALL, run_before=with_pauses(ask_all)
    )


def test_answering(snap_compare: Compare, create_app: CreateApp, engine: ScriptedEngine) -> None:
    begun, _, rest = ANSWER.partition("is_prime(n)])")
    engine.enqueue(begun, rest)

    async def answering(pilot: Pilot[None]) -> None:
        engine.steps = asyncio.Semaphore(1)
        await send_line(pilot, QUESTION)
        await wait_until(lambda: "print([n" in read_screen(pilot.app))
        await send_line(pilot, "And how would you test it?")
        await pilot.press(*"a draft")

    assert snap_compare(create_app(), terminal_size=SIZE, run_before=with_pauses(answering))


def test_light_theme(snap_compare: Compare, create_app: CreateApp, engine: ScriptedEngine) -> None:
    engine.enqueue(*split_text(ANSWER))
    app = create_app(theme="light")
    assert snap_compare(app, terminal_size=SIZE, run_before=with_pauses(ask_for_code))


def test_error(snap_compare: Compare, create_app: CreateApp, engine: ScriptedEngine) -> None:
    engine.enqueue(
        "A number is prime if",
        EngineGone("The engine ended before the answer was complete", "ask again with Ctrl+R"),
    )
    assert snap_compare(create_app(), terminal_size=SIZE, run_before=with_pauses(ask_for_code))


def test_ta_mode(snap_compare: Compare, create_app: CreateApp, engine: ScriptedEngine) -> None:
    engine.enqueue("Divide it by all smaller numbers.")
    engine.enqueue(" Stop at the square root.")

    async def switch_mode(pilot: Pilot[None]) -> None:
        await ask_for_code(pilot)
        await pilot.press("f2")
        await wait_until_idle(pilot)
        await send_line(pilot, "Faster?")
        await wait_until_idle(pilot)

    assert snap_compare(create_app(), terminal_size=SIZE, run_before=with_pauses(switch_mode))


def test_stopped_and_unseen(
    snap_compare: Compare,
    create_app: CreateApp,
    engine: ScriptedEngine,
    make_session: Callable[..., Session],
) -> None:
    engine.enqueue("First answer, " * 36)
    engine.enqueue("Second answer, ", "and more of it.")

    async def stop_answer(pilot: Pilot[None]) -> None:
        await ask_for_code(pilot)
        engine.steps = asyncio.Semaphore(1)
        await send_line(pilot, "Then?")
        await wait_until(lambda: "Second answer" in read_screen(pilot.app))
        await pilot.press("escape")
        await wait_until_idle(pilot)

    app = create_app(session=make_session(window=600, max_tokens=100))
    assert snap_compare(app, terminal_size=SIZE, run_before=with_pauses(stop_answer))


def create_plot() -> Figure:
    """A picture like a bar chart."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (600, 300), "white")
    draw = ImageDraw.Draw(image)
    for at, (height, color) in enumerate(((220, "#4c72b0"), (160, "#dd8452"), (90, "#55a868"))):
        draw.rectangle((60 + 180 * at, 270 - height, 180 + 180 * at, 270), fill=color)
    file = io.BytesIO()
    image.save(file, "PNG")
    card = 'axes 1: "Scores"; x "language"\n  bars: python 67.3, java 61.2, c++ 58.8'
    return Figure(file.getvalue(), 600, 300, card)


def create_grid_plot() -> Figure:
    """The same picture, drawn for cells as the sandbox draws it."""
    from PIL import Image, ImageDraw

    columns, rows = 80, 14
    image = Image.new("RGB", (4 * columns, 8 * rows), "white")
    draw = ImageDraw.Draw(image)
    labels = [(0, 30, "Scores"), (0, 4, "score"), (12, 3, "└" + "─" * 75), (12, 2, "0")]
    labels += [(2, 1, "70"), *((row, 3, "┤" if row == 2 else "│") for row in range(1, 12))]
    bars = (("python", 67, "#4c72b0"), ("java", 61, "#dd8452"), ("c++", 59, "#55a868"))
    for at, (name, height, color) in enumerate(bars):
        left = 8 + 24 * at
        draw.rectangle((4 * left, 95 - height, 4 * left + 71, 95), fill=color)
        labels.append((13, left + 9 - len(name) // 2, name))
    file = io.BytesIO()
    image.save(file, "PNG")
    texts = tuple(GridLabel(row, column, "000000", text) for row, column, text in labels)
    return replace(create_plot(), grids=(GridPicture(columns, rows, file.getvalue(), texts),))


PLOT = """Here are the scores as bars:

```python
plt.bar(["python", "java", "c++"], [67.3, 61.2, 58.8])
```
"""


async def run_last(pilot: Pilot[None]) -> None:
    await pilot.press("alt+r")
    await wait_until(
        lambda: isinstance(pilot.app.screen, ConsentDialog) and pilot.app.screen._knows_sandbox
    )


def test_run_dialog(
    snap_compare: Compare,
    create_app: CreateApp,
    engine: ScriptedEngine,
    kernel_factory: ScriptedKernelFactory,
) -> None:
    url = "https://data.example/scores.csv"
    kernel_factory.urls = (url,)
    engine.enqueue(f"```python\nscores = pd.read_csv('{url}')  # safe\u202e\nscores.plot()\n```")

    async def open_screen(pilot: Pilot[None]) -> None:
        await ask_for_code(pilot)
        await run_last(pilot)
        await pilot.press("d")

    assert snap_compare(create_app(), terminal_size=SIZE, run_before=with_pauses(open_screen))


def test_run_plot(
    snap_compare: Compare,
    create_app: CreateApp,
    engine: ScriptedEngine,
    kernel_factory: ScriptedKernelFactory,
) -> None:
    engine.enqueue(PLOT)
    note = Note("compat: `plt` was imported")
    kernel_factory.enqueue("read 3 rows\n", create_plot(), WrittenFile("scores.csv", 2300), note)

    async def draw_plot(pilot: Pilot[None]) -> None:
        await ask_for_code(pilot)
        await run_last(pilot)
        await pilot.press("enter")
        await wait_until_idle(pilot)
        await wait_until(lambda: pilot.app.query(CellImage))

    assert snap_compare(create_app(), terminal_size=(96, 40), run_before=with_pauses(draw_plot))


def test_run_plot_for_cells(
    snap_compare: Compare,
    create_app: CreateApp,
    engine: ScriptedEngine,
    kernel_factory: ScriptedKernelFactory,
) -> None:
    engine.enqueue(PLOT)
    kernel_factory.enqueue(create_grid_plot())

    async def draw_plot(pilot: Pilot[None]) -> None:
        await ask_for_code(pilot)
        await run_last(pilot)
        await pilot.press("enter")
        await wait_until_idle(pilot)
        await wait_until(lambda: pilot.app.query(CellImage))

    app = create_app(images=ImageSettings("octant"))
    assert snap_compare(app, terminal_size=(96, 40), run_before=with_pauses(draw_plot))
    assert kernel_factory.kernel.grids == [[(81, 24, 4), (88, 29, 4)]]


def test_gallery(
    snap_compare: Compare,
    create_app: CreateApp,
    engine: ScriptedEngine,
    kernel_factory: ScriptedKernelFactory,
) -> None:
    engine.enqueue(PLOT)
    kernel_factory.enqueue(*[create_plot()] * 4)

    async def open_gallery(pilot: Pilot[None]) -> None:
        await ask_for_code(pilot)
        await run_last(pilot)
        await pilot.press("enter")
        await wait_until_idle(pilot)
        await send_line(pilot, "/plots")
        await wait_until(lambda: len(pilot.app.screen.query(CellImage)) == 4)

    app = create_app(images=ImageSettings("octant"))
    assert snap_compare(app, terminal_size=(96, 40), run_before=with_pauses(open_gallery))


def test_run_failed(
    snap_compare: Compare,
    create_app: CreateApp,
    make_session: Callable[..., Session],
    engine: ScriptedEngine,
    kernel_factory: ScriptedKernelFactory,
) -> None:
    engine.enqueue(PLOT)
    trace = (
        "Cell 1, line 1:\n----> 1 plt.bar(names, scores)\nNameError: name 'names' is not defined"
    )
    kernel_factory.enqueue(Failure("NameError", "name 'names' is not defined", trace))
    kernel_factory.unsafe, kernel_factory.capability = True, Capability("unsafe")

    async def run_failing_code(pilot: Pilot[None]) -> None:
        await ask_for_code(pilot)
        await run_last(pilot)
        await pilot.press("enter")
        await wait_until_idle(pilot)

    app = create_app(session=make_session())
    assert snap_compare(app, terminal_size=SIZE, run_before=with_pauses(run_failing_code))


def test_narrow(snap_compare: Compare, create_app: CreateApp, engine: ScriptedEngine) -> None:
    engine.enqueue(*split_text(ANSWER))
    assert snap_compare(create_app(), terminal_size=NARROW, run_before=with_pauses(ask_for_code))


def test_narrow_welcome(snap_compare: Compare, create_app: CreateApp) -> None:
    assert snap_compare(create_app(), terminal_size=NARROW, run_before=with_pauses(do_nothing))


def test_library(snap_compare: Compare, create_app: CreateApp, engine: ScriptedEngine) -> None:
    engine.enqueue("Yes.")

    async def open_screen(pilot: Pilot[None]) -> None:
        await ask_for_code(pilot)
        await pilot.press("ctrl+o")

    app = create_app(clock=time.time)
    assert snap_compare(app, terminal_size=SIZE, run_before=with_pauses(open_screen))


def test_help(snap_compare: Compare, create_app: CreateApp) -> None:
    async def open_screen(pilot: Pilot[None]) -> None:
        await pilot.press("f1")

    assert snap_compare(create_app(), terminal_size=(96, 52), run_before=with_pauses(open_screen))
