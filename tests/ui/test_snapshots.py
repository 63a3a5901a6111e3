"""What the screen looks like; `make snapshots` takes the pictures anew, then they are looked at.

The README shows `test_demo.svg`.
"""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Awaitable, Callable

import pytest
from textual.pilot import Pilot

from starchat_tui.chat.session import Session
from starchat_tui.chat.store import ConversationStore
from starchat_tui.client.protocol import Sampling
from starchat_tui.errors import EngineGone
from starchat_tui.models.resolver import ModelResolver
from starchat_tui.sandbox.isolation.probe import Capability
from starchat_tui.sandbox.outputs import Failure, Figure, Note, WrittenFile
from starchat_tui.settings import Settings
from starchat_tui.ui.app import StarChatApp
from starchat_tui.ui.screens.consent_dialog import ConsentDialog
from starchat_tui.ui.widgets.figure import HalfBlocks
from tests.demo import CONVERSATION
from tests.scripted import ScriptedEngine, ScriptedKernelFactory, split_text
from tests.ui.conftest import Make
from tests.ui.looking import send, settled, shown
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
def steady(monkeypatch: pytest.MonkeyPatch) -> None:
    """No clock in a picture."""
    said = "147 tok/s · first token 0.4 s"  # as measured for the second answer of the demo
    monkeypatch.setattr("starchat_tui.terminal.status_text.format_speed", lambda rate, first: said)


def still(pilot: Pilot[None]) -> StarChatApp:
    """The app, with a cursor that does not blink."""
    app = pilot.app
    assert isinstance(app, StarChatApp)
    app.chat_view.composer.cursor_blink = False
    return app


def having(act: Act) -> Act:
    """`act`, on a screen that has come to rest before and after."""

    async def acted(pilot: Pilot[None]) -> None:
        still(pilot)
        await settled(pilot)
        await act(pilot)
        await pilot.pause()

    return acted


async def nothing(pilot: Pilot[None]) -> None:
    pass


async def asked(pilot: Pilot[None]) -> None:
    await send(pilot, QUESTION)
    await settled(pilot)


def test_welcome(snap_compare: Compare, make: Make) -> None:
    assert snap_compare(make(), terminal_size=SIZE, run_before=having(nothing))


def test_answered(snap_compare: Compare, make: Make, engine: ScriptedEngine) -> None:
    engine.enqueue(*split_text(ANSWER))
    assert snap_compare(make(), terminal_size=SIZE, run_before=having(asked))


def test_demo(
    snap_compare: Compare, make: Make, engine: ScriptedEngine, history: ConversationStore
) -> None:
    settings = Settings()
    session = Session(history, engine, ModelResolver(settings, engine), sampling=Sampling())
    for _, answer in CONVERSATION:
        engine.enqueue(*split_text(answer))

    async def talked(pilot: Pilot[None]) -> None:
        for question, _ in CONVERSATION:
            await send(pilot, question)
            await settled(pilot)

    assert snap_compare(make(session=session), terminal_size=TALL, run_before=having(talked))


def test_answering(snap_compare: Compare, make: Make, engine: ScriptedEngine) -> None:
    begun, _, rest = ANSWER.partition("is_prime(n)])")
    engine.enqueue(begun, rest)

    async def answering(pilot: Pilot[None]) -> None:
        engine.steps = asyncio.Semaphore(1)
        await send(pilot, QUESTION)
        await wait_until(lambda: "print([n" in shown(pilot.app))
        await send(pilot, "And how would you test it?")
        await pilot.press(*"a draft")

    assert snap_compare(make(), terminal_size=SIZE, run_before=having(answering))


def test_light_theme(snap_compare: Compare, make: Make, engine: ScriptedEngine) -> None:
    engine.enqueue(*split_text(ANSWER))
    app = make(theme="light")
    assert snap_compare(app, terminal_size=SIZE, run_before=having(asked))


def test_error(snap_compare: Compare, make: Make, engine: ScriptedEngine) -> None:
    engine.enqueue(
        "A number is prime if",
        EngineGone("The engine ended before the answer was complete", "ask again with Ctrl+R"),
    )
    assert snap_compare(make(), terminal_size=SIZE, run_before=having(asked))


def test_ta_mode(snap_compare: Compare, make: Make, engine: ScriptedEngine) -> None:
    engine.enqueue("Divide it by all smaller numbers.")
    engine.enqueue(" Stop at the square root.")

    async def switched(pilot: Pilot[None]) -> None:
        await asked(pilot)
        await pilot.press("f2")
        await settled(pilot)
        await send(pilot, "Faster?")
        await settled(pilot)

    assert snap_compare(make(), terminal_size=SIZE, run_before=having(switched))


def test_stopped_and_unseen(
    snap_compare: Compare,
    make: Make,
    engine: ScriptedEngine,
    make_session: Callable[..., Session],
) -> None:
    engine.enqueue("First answer, " * 36)
    engine.enqueue("Second answer, ", "and more of it.")

    async def stopped(pilot: Pilot[None]) -> None:
        await asked(pilot)
        engine.steps = asyncio.Semaphore(1)
        await send(pilot, "Then?")
        await wait_until(lambda: "Second answer" in shown(pilot.app))
        await pilot.press("escape")
        await settled(pilot)

    app = make(session=make_session(window=600, max_tokens=100))
    assert snap_compare(app, terminal_size=SIZE, run_before=having(stopped))


def plotted() -> Figure:
    """A picture like a bar chart."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (600, 300), "white")
    draw = ImageDraw.Draw(image)
    for at, (height, colour) in enumerate(((220, "#4c72b0"), (160, "#dd8452"), (90, "#55a868"))):
        draw.rectangle((60 + 180 * at, 270 - height, 180 + 180 * at, 270), fill=colour)
    file = io.BytesIO()
    image.save(file, "PNG")
    card = 'axes 1: "Scores"; x "language"\n  bars: python 67.3, java 61.2, c++ 58.8'
    return Figure(file.getvalue(), 600, 300, card)


PLOT = """Here are the scores as bars:

```python
plt.bar(["python", "java", "c++"], [67.3, 61.2, 58.8])
```
"""


async def run_last(pilot: Pilot[None]) -> None:
    await pilot.press("alt+r")
    await wait_until(
        lambda: isinstance(pilot.app.screen, ConsentDialog) and pilot.app.screen._ready
    )


def test_run_dialog(
    snap_compare: Compare, make: Make, engine: ScriptedEngine, workshop: ScriptedKernelFactory
) -> None:
    url = "https://data.example/scores.csv"
    workshop.urls = (url,)
    engine.enqueue(f"```python\nscores = pd.read_csv('{url}')  # safe\u202e\nscores.plot()\n```")

    async def opened(pilot: Pilot[None]) -> None:
        await asked(pilot)
        await run_last(pilot)
        await pilot.press("d")

    assert snap_compare(make(), terminal_size=SIZE, run_before=having(opened))


def test_run_plot(
    snap_compare: Compare, make: Make, engine: ScriptedEngine, workshop: ScriptedKernelFactory
) -> None:
    engine.enqueue(PLOT)
    note = Note("compat: `plt` was imported")
    workshop.enqueue("read 3 rows\n", plotted(), WrittenFile("scores.csv", 2300), note)

    async def drawn(pilot: Pilot[None]) -> None:
        await asked(pilot)
        await run_last(pilot)
        await pilot.press("enter")
        await settled(pilot)
        await wait_until(lambda: pilot.app.query(HalfBlocks))

    assert snap_compare(make(), terminal_size=(96, 40), run_before=having(drawn))


def test_run_failed(
    snap_compare: Compare,
    make: Make,
    make_session: Callable[..., Session],
    engine: ScriptedEngine,
    workshop: ScriptedKernelFactory,
) -> None:
    engine.enqueue(PLOT)
    trace = (
        "Cell 1, line 1:\n----> 1 plt.bar(names, scores)\nNameError: name 'names' is not defined"
    )
    workshop.enqueue(Failure("NameError", "name 'names' is not defined", trace))
    workshop.unsafe, workshop.capability = True, Capability("unsafe")

    async def failed(pilot: Pilot[None]) -> None:
        await asked(pilot)
        await run_last(pilot)
        await pilot.press("enter")
        await settled(pilot)

    app = make(session=make_session())
    assert snap_compare(app, terminal_size=SIZE, run_before=having(failed))


def test_narrow(snap_compare: Compare, make: Make, engine: ScriptedEngine) -> None:
    engine.enqueue(*split_text(ANSWER))
    assert snap_compare(make(), terminal_size=NARROW, run_before=having(asked))


def test_narrow_welcome(snap_compare: Compare, make: Make) -> None:
    assert snap_compare(make(), terminal_size=NARROW, run_before=having(nothing))


def test_library(snap_compare: Compare, make: Make, engine: ScriptedEngine) -> None:
    engine.enqueue("Yes.")

    async def opened(pilot: Pilot[None]) -> None:
        await asked(pilot)
        await pilot.press("ctrl+o")

    app = make(clock=time.time)
    assert snap_compare(app, terminal_size=SIZE, run_before=having(opened))


def test_help(snap_compare: Compare, make: Make) -> None:
    async def opened(pilot: Pilot[None]) -> None:
        await pilot.press("f1")

    assert snap_compare(make(), terminal_size=(96, 52), run_before=having(opened))
