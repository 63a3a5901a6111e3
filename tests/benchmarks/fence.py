"""A code block while it is being written: CPU of one update and its frame, as the block grows.

Ours and Textual's own fence get the same line, one after the other in one process, so that load
cancels out. `python -m tests.benchmarks.fence`.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.widget import Widget
from textual.widgets import Markdown

from starchat_tui.ui import app
from starchat_tui.ui.widgets.answer_view import AnswerView
from starchat_tui.ui.widgets.column import ScrolledColumn
from tests.benchmarks.record import Goal, publish

SIZES = (25, 100, 400, 800)
UPDATES = 12
"""Lines that are added at each size; the median counts."""
SCREEN = (100, 40)
OPENING = "Here it is:\n\n```python\n"
GOALS = {"growth": Goal(most=4.0), "faster_at_800": Goal(least=5.0)}

Update = Callable[[str], Awaitable[object]]


class Stage(App[None]):
    """One answer in a scrolled column, and nothing else."""

    def __init__(self, answer: Widget) -> None:
        super().__init__(css_path=Path(app.__file__).with_name("starchat.tcss"))
        self.answer = answer

    def compose(self) -> ComposeResult:
        with ScrolledColumn() as column:
            yield self.answer
        column.anchor()


def line(number: int) -> str:
    """A line of code, a new one each time, with a bit of everything in it."""
    return (
        f'    total_{number} = compute(items[{number}], name="line {number}")  # note {number}\n',
        f"    if total_{number} > {number * 7} and not finished:\n",
        f"        return [value ** 2 for value in range({number})]\n",
    )[number % 3]


async def cpu_of(update: Awaitable[object], pilot: Pilot[None]) -> float:
    """CPU milliseconds until the update is on the screen."""
    began = time.process_time()
    await update
    await pilot.pause()
    return (time.process_time() - began) * 1000


async def ours(size: int) -> float:
    """CPU milliseconds per update of our answer, fed as the app feeds it, at `size` lines."""
    answer = AnswerView(number=1)

    async def update(text: str) -> None:
        answer.feed(text)
        await answer.draw()

    median = await grown(Stage(answer), update, size)
    assert len(answer.cells[0].block.code.splitlines()) == size + UPDATES
    return median


async def stock(size: int) -> float:
    """The same of Textual's Markdown, fed as its stream feeds it."""
    markdown = Markdown()
    return await grown(Stage(markdown), markdown.append, size)


async def grown(stage: Stage, update: Update, size: int) -> float:
    """The median over `UPDATES` lines, after a block of `size` lines."""
    async with stage.run_test(size=SCREEN) as pilot:
        await cpu_of(update(OPENING + "".join(map(line, range(size)))), pilot)
        gc.collect()
        numbers = range(size, size + UPDATES)
        return statistics.median([await cpu_of(update(line(number)), pilot) for number in numbers])


async def measured() -> dict[str, object]:
    """CPU milliseconds per update at each size, ours and the stock one."""
    figures: dict[str, object] = {}
    own: dict[int, float] = {}
    other: dict[int, float] = {}
    for size in SIZES:
        own[size], other[size] = await ours(size), await stock(size)
        figures[f"ours_ms_{size}"] = round(own[size], 1)
        figures[f"stock_ms_{size}"] = round(other[size], 1)
        figures[f"faster_at_{size}"] = round(other[size] / own[size], 1)
    figures["growth"] = round(own[SIZES[-1]] / own[SIZES[0]], 2)
    return figures


if __name__ == "__main__":
    sys.exit(publish("fence", lambda: asyncio.run(measured()), GOALS))
